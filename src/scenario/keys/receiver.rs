//! The keys of receiver files.

use super::rule::{AFTER, ALLOW, RULE};
use super::script::SCRIPT;
use super::smtp::{AUTH, SMTP};
use super::{Key, More, Section, Takes, key};
use crate::facts::PtrNames;

/// The key `kind`, which both kinds of files have.
pub(super) const fn kind(example: &'static str) -> Key {
    key(
        "kind",
        Takes::Choice(&["scenario", "receiver"]),
        example,
        "The kind of the file.",
    )
    .absent("decided by the other keys")
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
            "Describes the receiver in one line.",
        )
        .required(),
        kind("\"receiver\""),
        key(
            "group",
            Takes::Choice(&["software", "operator", "generic"]),
            "\"software\"",
            "The heading under which `martinet list receivers` shows it.",
        )
        .default("\"generic\""),
        key(
            "era",
            Takes::Text("a string"),
            "\"3.8-3.12\"",
            "The time, or the versions of the software, in which the receiver replies like this.",
        )
        .default("\"\""),
        key(
            "confidence",
            Takes::Choice(&["high", "medium", "low", "invented"]),
            "\"high\"",
            "The confidence in the reply texts.",
        )
        .absent("not stated"),
        key(
            "sources",
            Takes::List("a string"),
            "[\"postconf(5)\"]",
            "Lists the sources.",
        )
        .default("[]"),
        key(
            "notes",
            Takes::Text("a string"),
            "\"Reads one PTR name only.\"",
            "A remark for readers.",
        )
        .default("\"\""),
        key(
            "hostname",
            Takes::Text("a host name"),
            "\"mx.contoso.test\"",
            "The host name of the receiver: `{mx}` in replies.",
        )
        .default("\"mx.martinet.test\"")
        .follows("Postfix myhostname"),
        key(
            "greeting",
            Takes::List("one line of at most 500 octets"),
            "\"{mx} ESMTP Postfix\"",
            "The text of the 220 greeting.",
        )
        .default("\"{mx} ESMTP martinet\"")
        .follows("RFC 5321 §4.2, Postfix smtpd_banner"),
        key(
            "dns_timeout",
            Takes::Duration,
            "\"30s\"",
            "The time that the receiver waits for a DNS answer.",
        )
        .default("\"5s\""),
        key(
            "delay_reject",
            Takes::Flag,
            "true",
            "Moves every refusal before RCPT to the reply to RCPT. VRFY and ETRN are refused as well.",
        )
        .default("false")
        .follows("Postfix smtpd_delay_reject"),
        AFTER,
        key(
            "record",
            Takes::Words(|| vec!["iprev", "helo"]),
            "[\"iprev\"]",
            "Lists facts that the receiver observes for the journal even if no rule needs them.",
        )
        .default("[\"iprev\", \"helo\"]"),
        key(
            "rule",
            Takes::Tables(&RULE),
            "",
            "Declares a rule. Rules are evaluated in the order of the file.",
        ),
        key(
            "allow",
            Takes::Tables(&ALLOW),
            "",
            "Declares clients and recipients that rules do not apply to.",
        ),
        key(
            "iprev",
            Takes::Table(&IPREV),
            "",
            "Configures how PTR names are confirmed.",
        ),
        key(
            "syntax",
            Takes::Table(&super::protocol::SYNTAX),
            "{ brackets = false }",
            "Configures the syntax that the receiver accepts.",
        ),
        key(
            "replies",
            Takes::Table(&super::protocol::REPLIES),
            "{ noop = \"250 OK\" }",
            "Replaces replies that do not come from rules.",
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
            "Selects the PTR names that are looked up: valid host names, including those with `_`; names that do not look like an address; or all names except the root.",
        )
        .default("\"host\"")
        .follows("Postfix, Exim: host; OpenSMTPD: not-numeric"),
        key(
            "forward_family",
            Takes::Choice(&["client", "both"]),
            "\"both\"",
            "Selects the lookups of a PTR name: only for the address family of the client, or A and AAAA.",
        )
        .default("\"client\"")
        .follows("RFC 8601, Postfix: client; Exim, Haraka: both"),
        key(
            "forward_nxdomain",
            Takes::Choice(&["fail", "permerror"]),
            "\"permerror\"",
            "The result if no PTR name has an address.",
        )
        .default("\"fail\"")
        .follows("RFC 8601 §3; mail-auth: permerror"),
        key(
            "any_tempfail",
            Takes::Choice(&["ignored", "wins"]),
            "\"wins\"",
            "Decides whether one temporary failure outweighs a PTR name that matches.",
        )
        .default("\"ignored\"")
        .follows("RFC 8601; Exim: wins"),
        key(
            "relaxed",
            Takes::Choice(&["exact", "network"]),
            "\"network\"",
            "Decides whether an address in the same /24 or /64 counts as a match.",
        )
        .default("\"exact\"")
        .follows("RFC 8601; Haraka: network"),
    ],
};
