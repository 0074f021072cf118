//! The keys of receiver files.

use super::{Key, More, Section, Takes, key};
use crate::facts::{CountBy, PtrNames, Verb};
use crate::smtp::{AFTER_HELO, CountPer, Extension, Mechanism, Point};
use crate::stage::Stage;
use crate::tls::TlsFault;

const NETWORKS: Takes = Takes::List("an address or a network");
const SUFFIXES: Takes = Takes::List("a domain name");
const PATTERNS: Takes = Takes::List("a string, in which * stands for any characters");
const REPLY: Takes = Takes::List("a reply line such as 550 5.7.25 No PTR record for {ip}");

/// The key that both kinds of files have.
pub(super) const fn kind(example: &'static str) -> Key {
    key(
        "kind",
        Takes::Choice(&["scenario", "receiver"]),
        example,
        "Says what the file is.",
    )
    .absent("what the other keys show")
}

const AFTER: Key = key(
    "after",
    Takes::Choice(&["close", "503", "repeat", "continue"]),
    "\"close\"",
    "Says what follows a refusal: the connection closes, every further command gets 503, every further command gets the same reply, or the session goes on.",
)
.absent("close after 221, 421 and 521; 503 after a refused greeting; otherwise continue")
.follows("RFC 5321 §3.1, §3.8, RFC 7504");

pub(in crate::scenario) static RECEIVER: Section = Section {
    title: "",
    doc: "A receiver file describes how a mail server speaks SMTP and which clients it refuses.",
    more: More::Nothing,
    keys: &[
        key(
            "title",
            Takes::Text("a string"),
            "\"Our own gateway\"",
            "Says in one line what the receiver is.",
        )
        .required(),
        kind("\"receiver\""),
        key(
            "group",
            Takes::Choice(&["software", "operator", "generic"]),
            "\"software\"",
            "Is the heading under which `martinet list receivers` shows it.",
        )
        .default("\"generic\""),
        key(
            "era",
            Takes::Text("a string"),
            "\"3.8-3.12\"",
            "Says at which time or in which versions the receiver answers like this.",
        )
        .default("\"\""),
        key(
            "confidence",
            Takes::Choice(&["high", "medium", "low", "invented"]),
            "\"high\"",
            "Says how certain the reply texts are.",
        )
        .absent("not stated"),
        key(
            "sources",
            Takes::List("a string"),
            "[\"postconf(5)\"]",
            "Lists where the behaviour is described.",
        )
        .default("[]"),
        key(
            "notes",
            Takes::Text("a string"),
            "\"Reads one PTR name only.\"",
            "Says what else a reader should know.",
        )
        .default("\"\""),
        key(
            "hostname",
            Takes::Text("a host name"),
            "\"mx.contoso.test\"",
            "Is the receiver's own name: `{mx}` in replies.",
        )
        .default("\"mx.martinet.test\"")
        .follows("Postfix myhostname"),
        key(
            "greeting",
            Takes::List("one line of at most 500 octets"),
            "\"{mx} ESMTP Postfix\"",
            "Is the text of the 220 greeting.",
        )
        .default("\"{mx} ESMTP martinet\"")
        .follows("RFC 5321 §4.2, Postfix smtpd_banner"),
        key(
            "dns_timeout",
            Takes::Duration,
            "\"30s\"",
            "Is how long the receiver waits for a DNS answer before the lookup counts as a timeout.",
        )
        .default("\"5s\""),
        key(
            "delay_reject",
            Takes::Flag,
            "true",
            "Moves every refusal before RCPT to the reply to RCPT.",
        )
        .default("false")
        .follows("Postfix smtpd_delay_reject"),
        AFTER,
        key(
            "record",
            Takes::Words(|| vec!["iprev", "helo"]),
            "[\"iprev\"]",
            "Lists the facts that the receiver gathers for the journal even if no rule needs them.",
        )
        .default("[\"iprev\", \"helo\"]"),
        key(
            "rule",
            Takes::Tables(&RULE),
            "",
            "Declares a rule. Rules are judged in the order of the file.",
        ),
        key(
            "allow",
            Takes::Tables(&ALLOW),
            "",
            "Declares clients that rules do not apply to.",
        ),
        key(
            "iprev",
            Takes::Table(&IPREV),
            "",
            "Configures how PTR names are confirmed.",
        ),
        key(
            "syntax",
            Takes::Table(&super::speech::SYNTAX),
            "{ brackets = false }",
            "Says what the receiver tolerates of a client's syntax.",
        ),
        key(
            "replies",
            Takes::Table(&super::speech::REPLIES),
            "{ noop = \"250 OK\" }",
            "Says what the receiver replies where no rule speaks.",
        ),
        key("smtp", Takes::Table(&SMTP), "", "Configures the SMTP dialogue."),
        key("auth", Takes::Table(&AUTH), "", "Offers AUTH."),
        key(
            "script",
            Takes::Tables(&SCRIPT),
            "",
            "Makes the receiver misbehave at one point of the dialogue.",
        ),
    ],
};

pub(in crate::scenario) static RULE: Section = Section {
    title: "[[rule]]",
    doc: "A rule: one check and the reply if its demand is not met. A rule also takes the parameters of its check, listed below.",
    more: More::Parameters,
    keys: &[
        key(
            "check",
            Takes::Text("the name of a check"),
            "\"iprev\"",
            "Names the check; `martinet list checks` lists them.",
        )
        .required(),
        key(
            "stage",
            Takes::Word(|| Stage::ALL.map(Stage::name).to_vec()),
            "\"rcpt\"",
            "Is the stage at which a refusal is sent.",
        )
        .absent("the earliest stage at which the check knows its facts"),
        key(
            "fail",
            REPLY,
            "\"550 5.7.25 {ip} has no PTR record\"",
            "Is the reply if the demand is not met. Several strings make a multi-line reply. Placeholders: {ip} {ptr} {helo} {mx} {sender} and others of the check.",
        )
        .absent("the check's own reply")
        .follows("RFC 5321 §4.2, RFC 3463"),
        key(
            "error",
            REPLY,
            "\"451 4.7.1 DNS does not answer for {ip}\"",
            "Is the reply if DNS fails temporarily: a 4yz reply, unless `temp = \"as_fail\"`.",
        )
        .absent("the check's own reply")
        .follows("RFC 5321 §4.2.1"),
        key(
            "temp",
            Takes::Choice(&["defer_now", "defer_if_permit", "ignore", "as_fail"]),
            "\"defer_if_permit\"",
            "Says what a temporary DNS failure leads to: the `error` reply at once, the `error` reply unless a later rule refuses, nothing, or the `fail` reply.",
        )
        .default("\"defer_now\"")
        .follows("Postfix defer_if_permit, unknown_address_tempfail_action"),
        AFTER,
        key(
            "bulk",
            Takes::Table(&BULK),
            "{ messages = 5, per = \"24h\", by = \"from-domain\" }",
            "Binds heavy senders only: the rule does not apply to a sender with fewer messages.",
        )
        .absent("the rule binds every sender")
        .follows("Gmail, Yahoo and Microsoft: about 5,000 messages a day"),
        key(
            "escalate",
            Takes::Table(&ESCALATE),
            "{ after = 3, per = \"24h\", by = \"client\", first = \"421 4.7.26 rate limited\" }",
            "Answers the first violations of a sender with a 4yz reply and later ones with `fail`.",
        )
        .absent("`fail` from the first violation on")
        .follows("Gmail and Yahoo since 2024, Microsoft since 2025"),
        key(
            "modelled",
            Takes::Flag,
            "true",
            "Marks a reply text as modelled, not copied from a real receiver.",
        )
        .default("false"),
        key(
            "era",
            Takes::Text("a string"),
            "\"2024-2026\"",
            "Says at which time the receiver gives this reply.",
        )
        .absent("the era of the file"),
        key(
            "confidence",
            Takes::Choice(&["high", "medium", "low", "invented"]),
            "\"medium\"",
            "Says how certain the text of this rule is.",
        )
        .absent("the confidence of the file"),
        key(
            "variant",
            Takes::Tables(&VARIANT),
            "",
            "Records another text of the same rule: of another time, or of other hosts of the operator.",
        ),
    ],
};

pub(in crate::scenario) static VARIANT: Section = Section {
    title: "[[rule.variant]]",
    doc: "Another text of the same rule. `martinet find` recognises it, and the receiver `NAME@ERA` gives it: `gmail@2016`.",
    more: More::Nothing,
    keys: &[
        key(
            "era",
            Takes::Text("a string"),
            "\"2016-2020\"",
            "Says when, or where, the receiver gives this text. `NAME@ERA` takes the whole text of the key, or a year within it.",
        )
        .required(),
        key(
            "fail",
            REPLY,
            "\"550 5.7.1 {ip} has no PTR record\"",
            "Is the reply if the demand is not met.",
        )
        .required(),
        key(
            "error",
            REPLY,
            "\"451 4.7.1 DNS does not answer for {ip}\"",
            "Is the reply if DNS fails temporarily: a 4yz reply.",
        )
        .absent("the `error` of the rule"),
    ],
};

const COUNT: Takes = Takes::Either("a whole number from 1 to 10000");
const BY: Takes = Takes::Choice(&CountBy::WORDS);

pub(in crate::scenario) static BULK: Section = Section {
    title: "[rule.bulk]",
    doc: "Which senders a rule binds. The receiver counts the messages that it has acknowledged, by the clock of the world, and the message under judgement with them.",
    more: More::Nothing,
    keys: &[
        key("messages", COUNT, "5", "Is the number of messages from which on the rule binds.").required(),
        key("per", Takes::Duration, "\"1h\"", "Is the time within which messages count.").default("\"24h\""),
        key(
            "by",
            BY,
            "\"client\"",
            "Says whose messages count together: those of a client address, of an envelope sender's organizational domain, or of a From header field's organizational domain.",
        )
        .default("\"from-domain\""),
    ],
};

pub(in crate::scenario) static ESCALATE: Section = Section {
    title: "[rule.escalate]",
    doc: "How the reply to a sender that violates the rule again becomes harder, by the clock of the world. A transaction counts once, whatever the number of its recipients.",
    more: More::Nothing,
    keys: &[
        key(
            "after",
            COUNT,
            "3",
            "Is the number of violations that get the milder reply.",
        )
        .required(),
        key(
            "per",
            Takes::Duration,
            "\"1h\"",
            "Is the time within which violations count.",
        )
        .default("\"24h\""),
        key(
            "by",
            BY,
            "\"from-domain\"",
            "Says whose violations count together, as in `bulk`.",
        )
        .default("\"client\""),
        key(
            "first",
            REPLY,
            "\"421 4.7.26 rate limited\"",
            "Is the milder reply, a 4yz reply.",
        )
        .absent("the `error` reply of the rule"),
    ],
};

pub(in crate::scenario) static WEIGHT: Section = Section {
    title: "[[rule.weights]]",
    doc: "One part of a `score`: a check and what its violation adds. It also takes the parameters of that check.",
    more: More::Parameters,
    keys: &[
        key(
            "check",
            Takes::Text("the name of a check"),
            "\"helo-fqdn\"",
            "Names the check; every check but `score` itself.",
        )
        .required(),
        key(
            "score",
            Takes::Points,
            "2.5",
            "Is what a violation adds to the sum.",
        )
        .required(),
        key(
            "symbol",
            Takes::Text("a string"),
            "\"HFILTER_HELO_BAREIP\"",
            "Is what the receiver calls this part.",
        )
        .absent("the name of the check")
        .follows("rspamd symbols, SpamAssassin rule names"),
    ],
};

pub(in crate::scenario) static ALLOW: Section = Section {
    title: "[[allow]]",
    doc: "Clients that rules do not apply to. A client that any of the conditions matches is allowed; at least one condition is required.",
    more: More::Nothing,
    keys: &[
        key(
            "addresses",
            NETWORKS,
            "[\"192.0.2.0/28\"]",
            "Lists client addresses and networks.",
        )
        .follows("Postfix check_client_access"),
        key(
            "ptr_suffix",
            SUFFIXES,
            "\"outbound.protection.outlook.com\"",
            "Lists domains. The verified name of the client must be within one of them; a PTR name that does not resolve back to the client does not count.",
        )
        .follows("RFC 8601 §3"),
        key(
            "helo_suffix",
            SUFFIXES,
            "\"example.test\"",
            "Lists domains. The HELO name must be within one of them; any client can claim any name.",
        )
        .follows("Postfix check_helo_access"),
        key(
            "checks",
            Takes::List("the name of a check"),
            "[\"helo-ptr-match\"]",
            "Lists the checks whose rules do not apply.",
        )
        .absent("all checks"),
    ],
};

pub(in crate::scenario) static IPREV: Section = Section {
    title: "[iprev]",
    doc: "How PTR names are confirmed. Receivers differ in these details.",
    more: More::Nothing,
    keys: &[
        key(
            "ptr_names",
            Takes::Either("a whole number from 1, or \"all\""),
            "1",
            "Limits how many PTR names are looked up, in the order of the answer. Postfix looks up one.",
        )
        .default("10")
        .follows("RFC 8601 §2.7.3, RFC 7208 §4.6.4"),
        key(
            "names",
            Takes::Word(|| PtrNames::ALL.map(|(word, _)| word).to_vec()),
            "\"any\"",
            "Says which PTR names are looked up: legal host names, with _ tolerated; any that does not read as an address; or any but the root.",
        )
        .default("\"host\"")
        .follows("Postfix, Exim: host; OpenSMTPD: not-numeric"),
        key(
            "forward_family",
            Takes::Choice(&["client", "both"]),
            "\"both\"",
            "Says whether a PTR name is looked up for the address family of the client only, or for A and AAAA.",
        )
        .default("\"client\"")
        .follows("RFC 8601, Postfix: client; Exim, Haraka: both"),
        key(
            "forward_nxdomain",
            Takes::Choice(&["fail", "permerror"]),
            "\"permerror\"",
            "Is the result if no PTR name has an address.",
        )
        .default("\"fail\"")
        .follows("RFC 8601 §3; mail-auth: permerror"),
        key(
            "any_tempfail",
            Takes::Choice(&["ignored", "wins"]),
            "\"wins\"",
            "Says whether one temporary failure outweighs a PTR name that matches.",
        )
        .default("\"ignored\"")
        .follows("RFC 8601; Exim: wins"),
        key(
            "relaxed",
            Takes::Choice(&["exact", "network"]),
            "\"network\"",
            "Says whether an address in the same /24 or /64 counts as a match.",
        )
        .default("\"exact\"")
        .follows("RFC 8601; Haraka: network"),
    ],
};

pub(in crate::scenario) static SMTP: Section = Section {
    title: "[smtp]",
    doc: "The SMTP dialogue.",
    more: More::Nothing,
    keys: &[
        key(
            "size",
            Takes::Number,
            "10240000",
            "Limits a message to this number of octets; the SIZE extension announces it.",
        )
        .default("26214400")
        .follows("RFC 1870, Postfix message_size_limit"),
        key(
            "max_recipients",
            Takes::Number,
            "100",
            "Limits the recipients of a transaction; a further one gets 452.",
        )
        .default("1000")
        .follows("RFC 5321 §4.5.3.1.8, Postfix smtpd_recipient_limit"),
        key(
            "max_errors",
            Takes::Number,
            "3",
            "Limits the errors of a session; after them the receiver sends 421 and closes.",
        )
        .default("20")
        .follows("Postfix smtpd_hard_error_limit"),
        key(
            "command_timeout",
            Takes::Duration,
            "\"30s\"",
            "Is how long the receiver waits for a command.",
        )
        .default("\"5m\"")
        .follows("RFC 5321 §4.5.3.2.7, Postfix smtpd_timeout"),
        key(
            "data_timeout",
            Takes::Duration,
            "\"1m\"",
            "Is how long the receiver waits for a further block of message data.",
        )
        .default("\"3m\"")
        .follows("RFC 5321 §4.5.3.2.5"),
        key(
            "extensions",
            extensions(),
            "[\"SIZE\", \"8BITMIME\"]",
            "Is the whole list of extensions that EHLO offers, besides STARTTLS and AUTH.",
        )
        .absent("the usual ones: PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, CHUNKING, BINARYMIME, DSN and SIZE")
        .follows("RFC 5321 §2.2"),
        key(
            "without",
            extensions(),
            "[\"CHUNKING\"]",
            "Removes extensions from the usual ones.",
        )
        .default("[]")
        .follows("Postfix smtpd_discard_ehlo_keywords"),
        key(
            "with",
            extensions(),
            "[\"REQUIRETLS\"]",
            "Adds extensions to the usual ones.",
        )
        .default("[]"),
        key(
            "starttls",
            Takes::Choice(&["never", "offered", "refused"]),
            "\"offered\"",
            "Says whether STARTTLS is offered, or offered and then refused with 454.",
        )
        .default("\"never\"")
        .follows("RFC 3207"),
        key(
            "helo_first",
            Takes::Words(|| AFTER_HELO.to_vec()),
            "[\"STARTTLS\", \"RSET\"]",
            "Lists the commands that get the reply `helo_first` before an accepted HELO or EHLO. MAIL gets it also where a rule judges the HELO.",
        )
        .default("[]")
        .follows("RFC 5321 §4.1.4 lets NOOP, HELP, EXPN, VRFY and RSET come before; RFC 3207 §4.1: the client learns of STARTTLS from EHLO"),
        key(
            "tls_fault",
            Takes::Word(|| TlsFault::ALL.map(|(word, _)| word).to_vec()),
            "\"expired\"",
            "Breaks the receiver's TLS on purpose.",
        )
        .default("\"none\""),
        key(
            "magic_recipients",
            Takes::Flag,
            "false",
            "Says whether a recipient such as 550-5.1.1@… gets the reply that its name asks for.",
        )
        .default("true")
        .follows("Mailpit chaos, SMTP test addresses"),
        key(
            "xclient",
            NETWORKS,
            "[\"192.0.2.0/24\"]",
            "Lists the addresses that may use XCLIENT.",
        )
        .default("[\"127.0.0.0/8\", \"::1\"]")
        .follows("Postfix smtpd_authorized_xclient_hosts"),
    ],
};

const fn extensions() -> Takes {
    Takes::Words(|| Extension::ALL.map(Extension::keyword).to_vec())
}

pub(in crate::scenario) static AUTH: Section = Section {
    title: "[auth]",
    doc: "AUTH. A file without this section does not offer AUTH.",
    more: More::Nothing,
    keys: &[
        key(
            "mechanisms",
            Takes::Words(|| Mechanism::ALL.map(Mechanism::word).to_vec()),
            "[\"PLAIN\", \"CRAM-MD5\"]",
            "Lists the mechanisms that EHLO offers, in order.",
        )
        .default("[\"PLAIN\", \"LOGIN\"]")
        .follows("RFC 4954, RFC 4616, RFC 2195"),
        key(
            "accept",
            Takes::Choice(&["any", "users", "none", "later"]),
            "\"none\"",
            "Says which credentials are accepted: all, those of `users`, none (535), or none for the time being (454).",
        )
        .absent("\"users\" if there are `users`, otherwise \"any\"")
        .follows("RFC 4954 §6"),
        key(
            "users",
            Takes::Table(&USERS),
            "{ alice = \"secret\" }",
            "Lists users and their passwords.",
        ),
        key(
            "required",
            Takes::Flag,
            "true",
            "Refuses MAIL with 530 before AUTH.",
        )
        .default("false")
        .follows("RFC 4954 §6"),
        key(
            "tls_only",
            Takes::Flag,
            "true",
            "Offers AUTH only under TLS; AUTH before it gets 538.",
        )
        .default("false")
        .follows("RFC 4954 §4, Postfix smtpd_tls_auth_only"),
        key(
            "initial_response",
            Takes::Words(|| {
                let all = Mechanism::ALL.into_iter();
                all.filter(|known| known.is_client_first()).map(Mechanism::word).collect()
            }),
            "[\"PLAIN\"]",
            "Lists the mechanisms that take an initial response in the AUTH command.",
        )
        .default("[\"PLAIN\", \"LOGIN\", \"XOAUTH2\"]")
        .follows("RFC 4954 §4"),
        key(
            "unwanted_response",
            Takes::Choice(&["refused", "ignored"]),
            "\"ignored\"",
            "Says what an initial response leads to that the mechanism does not take: 501, or the challenge as if it had not been sent.",
        )
        .default("\"refused\"")
        .follows("RFC 4954 §4"),
        key(
            "login_challenges",
            Takes::List("a text of at most 375 octets"),
            "[\"User Name\\u0000\", \"Password\\u0000\"]",
            "Are the two challenges of LOGIN, for the user name and for the password. They are sent in base64.",
        )
        .default("[\"Username:\", \"Password:\"]")
        .follows("draft-murchison-sasl-login §2.1"),
        key(
            "kept_at_ehlo",
            Takes::Flag,
            "false",
            "Says whether a client stays authenticated after a further HELO or EHLO; if not, it has to authenticate again.",
        )
        .default("true")
        .follows("RFC 5321 §4.1.4, RFC 4954 §4: EHLO resets as RSET does, and AUTH comes once in a session"),
        key(
            "keep_credentials",
            Takes::Flag,
            "true",
            "Keeps credentials in the journal instead of the word `<credentials>`.",
        )
        .default("false"),
    ],
};

pub(in crate::scenario) static USERS: Section = Section {
    title: "[auth.users]",
    doc: "Each key is the name of a user, each value the password.",
    more: More::Anything,
    keys: &[],
};

pub(in crate::scenario) static SCRIPT: Section = Section {
    title: "[[script]]",
    doc: "Misbehaviour at one point of the dialogue. The first script that applies speaks. At least one of `reply`, `raw`, `delay`, `drip`, `split`, `instead` and `after` is required.",
    more: More::Nothing,
    keys: &[
        key(
            "stage",
            Takes::Word(|| Point::ALL.map(|(word, _)| word).to_vec()),
            "\"rcpt\"",
            "Is the reply that the script concerns.",
        )
        .required(),
        key(
            "reply",
            REPLY,
            "\"451 4.3.0 Try again later\"",
            "Is sent instead of the receiver's own reply; several strings make a multi-line reply.",
        ),
        key(
            "raw",
            Takes::Text("one line of at most 5000 octets"),
            "\"999 not a reply\"",
            "Is sent instead of a reply, as it is; CRLF is added.",
        ),
        key("delay", Takes::Duration, "\"3s\"", "Delays the reply.").default("\"0s\""),
        key(
            "drip",
            Takes::Number,
            "10",
            "Sends this number of octets each second.",
        )
        .absent("all octets at once"),
        key(
            "split",
            Takes::Flag,
            "true",
            "Sends each line of the reply in packets of its own.",
        )
        .default("false"),
        key(
            "instead",
            Takes::Choice(&["close", "reset", "silence"]),
            "\"reset\"",
            "Sends no reply: the connection closes, is reset, or stays silent.",
        ),
        key(
            "after",
            Takes::Choice(&["close", "reset"]),
            "\"close\"",
            "Closes or resets the connection after the reply.",
        ),
        key(
            "recipient",
            PATTERNS,
            "\"*@slow.test\"",
            "Restricts the script to these recipients.",
        )
        .absent("any recipient"),
        key(
            "sender",
            PATTERNS,
            "\"*@example.test\"",
            "Restricts the script to these envelope senders.",
        )
        .absent("any sender"),
        key(
            "helo",
            PATTERNS,
            "\"mail*.example.test\"",
            "Restricts the script to these HELO or EHLO arguments.",
        )
        .absent("any argument"),
        key(
            "client",
            NETWORKS,
            "[\"192.0.2.0/24\"]",
            "Restricts the script to these client addresses.",
        )
        .absent("any client"),
        key(
            "header",
            PATTERNS,
            "\"Subject: urgent*\"",
            "Restricts the script to messages with such a header field; the final dot is the only point that knows them.",
        )
        .absent("any message"),
        key(
            "verb",
            Takes::Words(|| Verb::ALL.map(Verb::word).to_vec()),
            "\"HELO\"",
            "Restricts the script to sessions whose present HELO came with one of these commands.",
        )
        .absent("any command"),
        key(
            "tls",
            Takes::Flag,
            "false",
            "Restricts the script to sessions under TLS, or to those in clear text.",
        )
        .absent("both"),
        key(
            "mechanism",
            Takes::Words(|| Mechanism::ALL.map(Mechanism::word).to_vec()),
            "\"LOGIN\"",
            "Restricts a script with `stage = \"auth\"` to these mechanisms.",
        )
        .absent("any mechanism"),
        key(
            "initial_response",
            Takes::Flag,
            "true",
            "Restricts a script with `stage = \"auth\"` to AUTH commands with an initial response, or to those without one.",
        )
        .absent("both"),
        key(
            "per",
            Takes::Word(|| CountPer::ALL.map(|(word, _)| word).to_vec()),
            "\"session\"",
            "Says whose times `attempt`, `times`, `every` and `probability` count: those of all sessions, of each client address or of each session.",
        )
        .default("\"world\""),
        key(
            "attempt",
            Takes::Number,
            "2",
            "Restricts the script to this one of the times that it could speak, from 1.",
        )
        .absent("every time"),
        key(
            "times",
            Takes::Number,
            "3",
            "Restricts the script to the first times that it could speak.",
        )
        .absent("every time"),
        key(
            "every",
            Takes::Number,
            "3",
            "Restricts the script to every third time, for example, that it could speak.",
        )
        .absent("every time"),
        key(
            "probability",
            Takes::Points,
            "0.25",
            "Is the probability with which the script speaks, from 0 to 1.",
        )
        .absent("every time"),
        key(
            "seed",
            Takes::Number,
            "7",
            "Is the seed of `probability`, and needs it: the same seed gives the same sequence.",
        )
        .absent("0 if `probability` needs it"),
    ],
};
