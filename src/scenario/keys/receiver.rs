//! The keys of receiver files.

use super::rule::{AFTER, ALLOW, RULE};
use super::script::SCRIPT;
use super::smtp::{AUTH, SMTP};
use super::{Key, More, Section, Takes, key};
use crate::facts::PtrNames;

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
            "Moves every refusal before RCPT to the reply to RCPT. VRFY and ETRN are refused for it, too.",
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
