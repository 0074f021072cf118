//! Keys of `[[rule]]` and `[[allow]]`.

use super::{Key, More, NETWORKS, REPLY, SUFFIXES, Section, Takes, key};
use crate::facts::CountBy;
use crate::stage::Stage;

pub(super) const AFTER: Key = key(
    "after",
    Takes::Choice(&["close", "503", "repeat", "each-command", "continue"]),
    "\"close\"",
    "Says what follows a refusal: the connection closes, every further command gets 503, every further command gets the same reply, or the session goes on. \
     `each-command` is for rules at connect: the greeting is 220, and each command except HELO, EHLO, NOOP, RSET and QUIT gets the refusal, as with Sendmail.",
)
.absent("close after 221, 421 and 521; 503 after a refused greeting; otherwise continue")
.follows("RFC 5321 §3.1, §3.8, RFC 7504");

pub(in crate::scenario) static RULE: Section = Section {
    title: "[[rule]]",
    doc: "A rule: one check, and the reply if its demand is not met. The keys also include the parameters of the check, listed below.",
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
            "The stage at which a refusal is sent.",
        )
        .absent("the earliest stage at which the facts of the check are known"),
        key(
            "fail",
            REPLY,
            "\"550 5.7.25 {ip} has no PTR record\"",
            "The reply if the demand is not met. Several strings make a multi-line reply. Placeholders: {ip} {ptr} {helo} {mx} {sender} and others of the check.",
        )
        .absent("the check's own reply")
        .follows("RFC 5321 §4.2, RFC 3463"),
        key(
            "error",
            REPLY,
            "\"451 4.7.1 DNS does not answer for {ip}\"",
            "The reply if DNS fails temporarily: a 4yz reply, unless `temp = \"as_fail\"`.",
        )
        .absent("the check's own reply")
        .follows("RFC 5321 §4.2.1"),
        key(
            "temp",
            Takes::Choice(&["defer_now", "defer_if_permit", "ignore", "as_fail"]),
            "\"defer_if_permit\"",
            "Decides about a temporary DNS failure: the `error` reply at once, the `error` reply unless a later rule refuses, no refusal, or the `fail` reply.",
        )
        .default("\"defer_now\"")
        .follows("Postfix defer_if_permit, unknown_address_tempfail_action"),
        AFTER,
        key(
            "once",
            Takes::Flag,
            "true",
            "Judges the client once in a session: after a later command, such as a second EHLO, the rule is skipped, even if it refused the first one.",
        )
        .default("false")
        .follows("Haraka helo.checks"),
        key(
            "bulk",
            Takes::Table(&BULK),
            "{ messages = 5, per = \"24h\", by = \"from-domain\" }",
            "Restricts the rule to bulk senders: it does not apply to a sender with fewer messages.",
        )
        .absent("the rule applies to all senders")
        .follows("Gmail, Yahoo and Microsoft: about 5,000 messages a day"),
        key(
            "escalate",
            Takes::Table(&ESCALATE),
            "{ after = 3, per = \"24h\", by = \"client\", first = \"421 4.7.26 rate limited\" }",
            "Defers the first violations of a sender with a 4yz reply, and replies to later ones with `fail`.",
        )
        .absent("`fail` for every violation")
        .follows("Gmail and Yahoo since 2024, Microsoft since 2025"),
        key(
            "any_class",
            Takes::Flag,
            "true",
            "Permits an enhanced status code in `fail` with another class than the reply code, as a few receivers send it.",
        )
        .default("false")
        .follows("Gmail: 421 5.7.32; RFC 3463 §2 forbids it"),
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
            "The time in which the receiver gives this reply.",
        )
        .absent("the era of the file"),
        key(
            "confidence",
            Takes::Choice(&["high", "medium", "low", "invented"]),
            "\"medium\"",
            "The confidence in the text of this rule.",
        )
        .absent("the confidence of the file"),
        key(
            "variant",
            Takes::Tables(&VARIANT),
            "",
            "Records another text of the same rule, from another time or from other hosts of the operator. The receiver `NAME@ERA` gives it for every violation.",
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
            "The time, or the place, in which the receiver gives this text. `NAME@ERA` accepts this whole text, or a year within it.",
        )
        .required(),
        key(
            "fail",
            REPLY,
            "\"550 5.7.1 {ip} has no PTR record\"",
            "The reply if the demand is not met.",
        )
        .required(),
        key(
            "error",
            REPLY,
            "\"451 4.7.1 DNS does not answer for {ip}\"",
            "The reply if DNS fails temporarily: a 4yz reply.",
        )
        .absent("the `error` of the rule"),
        key(
            "modelled",
            Takes::Flag,
            "true",
            "Marks the text as modelled, not copied from a real receiver.",
        )
        .default("false"),
    ],
};

const COUNT: Takes = Takes::Either("a whole number from 1 to 10000");
const BY: Takes = Takes::Choice(&CountBy::WORDS);

pub(in crate::scenario) static BULK: Section = Section {
    title: "[rule.bulk]",
    doc: "The senders to which a rule applies. The receiver counts acknowledged messages and the current message, by the clock of the world.",
    more: More::Nothing,
    keys: &[
        key("messages", COUNT, "5", "The number of messages from which on the rule applies.").required(),
        key("per", Takes::Duration, "\"1h\"", "The time within which messages count.").default("\"24h\""),
        key(
            "by",
            BY,
            "\"client\"",
            "Groups the messages: by client address, by organizational domain of the envelope sender, or by organizational domain of the From header field.",
        )
        .default("\"from-domain\""),
    ],
};

pub(in crate::scenario) static ESCALATE: Section = Section {
    title: "[rule.escalate]",
    doc: "A milder reply to the first violations of a sender, by the clock of the world. A transaction counts once, whatever the number of its recipients.",
    more: More::Nothing,
    keys: &[
        key(
            "after",
            COUNT,
            "3",
            "The number of violations that get the milder reply.",
        )
        .required(),
        key(
            "per",
            Takes::Duration,
            "\"1h\"",
            "The time within which violations count.",
        )
        .default("\"24h\""),
        key(
            "by",
            BY,
            "\"from-domain\"",
            "Groups the violations, as in `bulk`.",
        )
        .default("\"client\""),
        key(
            "first",
            REPLY,
            "\"421 4.7.26 rate limited\"",
            "The milder reply, a 4yz reply.",
        )
        .absent("the `error` reply of the rule"),
    ],
};

pub(in crate::scenario) static WEIGHT: Section = Section {
    title: "[[rule.weights]]",
    doc: "One part of a `score`: a check, and the points that its violation adds. The keys also include the parameters of the check.",
    more: More::Parameters,
    keys: &[
        key(
            "check",
            Takes::Text("the name of a check"),
            "\"helo-fqdn\"",
            "Names the check; any check except `score`.",
        )
        .required(),
        key(
            "score",
            Takes::Points,
            "2.5",
            "The number that a violation adds to the sum.",
        )
        .required(),
        key(
            "symbol",
            Takes::Text("a string"),
            "\"HFILTER_HELO_BAREIP\"",
            "The receiver's name of this part.",
        )
        .absent("the name of the check")
        .follows("rspamd symbols, SpamAssassin rule names"),
        key(
            "unless",
            Takes::List("the symbol of a part above this one"),
            "[\"HFILTER_HELO_BADIP\"]",
            "Lists symbols: the part does not apply if one of them is found.",
        )
        .absent("the part always applies")
        .follows("SpamAssassin meta rules, rspamd hfilter"),
        key(
            "group",
            Takes::Text("a string"),
            "\"names\"",
            "Names a group of parts: of the parts that are found, only the first one counts.",
        )
        .absent("the part counts by itself")
        .follows(
            "rspamd hfilter: the highest of HFILTER_HELO_1 to _5 and HFILTER_HOSTNAME_1 to _5",
        ),
        key(
            "temp",
            Takes::Choice(&["ignore", "as_fail"]),
            "\"as_fail\"",
            "Decides whether a temporary DNS failure counts as a violation.",
        )
        .default("\"ignore\""),
    ],
};

pub(in crate::scenario) static ALLOW: Section = Section {
    title: "[[allow]]",
    doc: "Clients and recipients that rules do not apply to. A client or recipient that matches any of the conditions is allowed; at least one condition is required.",
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
            "recipients",
            Takes::List("a recipient, in which * matches any text"),
            "[\"postmaster\", \"abuse@*\"]",
            "Lists recipients as in RCPT, case-insensitively. Rules at RCPT do not apply to them.",
        )
        .follows("RFC 5321 §4.5.1; Postfix takes postmaster without a domain whatever its restrictions"),
        key(
            "checks",
            Takes::List("the name of a check"),
            "[\"helo-ptr-match\"]",
            "Lists the checks whose rules do not apply.",
        )
        .absent("all checks"),
    ],
};
