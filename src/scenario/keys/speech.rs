//! `[syntax]` and `[replies]`: what a receiver tolerates, and its words where no rule speaks.

use super::{Absent, Key, More, Section, Takes, key};
use crate::smtp::{CoreReply, DomainTolerance};

pub(in crate::scenario) static SYNTAX: Section = Section {
    title: "[syntax]",
    doc: "What the receiver tolerates of a client's syntax, beyond RFC 5321 or short of it.",
    more: More::Nothing,
    keys: &[
        key("empty_helo", Takes::Flag, "true", "Says whether HELO and EHLO may stand without an argument (RFC 5321 §4.1.1.1 demands one); rules then judge the empty argument.").default("false"),
        key("repeated_helo", Takes::Flag, "false", "Says whether HELO and EHLO may come again (RFC 5321 §4.1.4), or get the reply `helo_repeated`.").default("true"),
        key("noop_argument", Takes::Flag, "false", "Says whether NOOP may have an argument, which RFC 5321 §4.1.1.9 ignores, or gets the reply `noop_syntax`.").default("true"),
        key("brackets", Takes::Flag, "false", "Says whether the path of MAIL and RCPT must stand in angle brackets (RFC 5321 §4.1.2).").default("true"),
        key("space_after_colon", Takes::Flag, "false", "Says whether blanks may stand between \"FROM:\" or \"TO:\" and the path, which RFC 5321 §3.3 forbids.").default("true"),
        key("leading_space", Takes::Flag, "true", "Says whether blanks may stand before a command.").default("false"),
        key("bare_lf", Takes::Choice(&["reject", "normalize", "accept"]), "\"normalize\"", "Says what a bare LF means (RFC 5321 §2.3.8): refused, CRLF, or an octet like any other in a message.").default("\"reject\""),
        key("bare_cr", Takes::Choice(&["reject", "normalize", "accept"]), "\"normalize\"", "Says what a bare CR in a message means, in the same words.").default("\"reject\""),
        key("local_part", Takes::Choice(&["rfc5321", "lax"]), "\"lax\"", "Says whether a local part follows RFC 5321 §4.1.2, or may hold any printable characters but blanks and <>,;:\"[]@.").default("\"rfc5321\""),
        key("unqualified", Takes::Flag, "false", "Says whether a local part may stand without a domain; RCPT TO:<postmaster> is taken always (RFC 5321 §4.1.1.3).").default("true"),
        key("domains", Takes::Words(|| DomainTolerance::ALL.map(|(word, _)| word).to_vec()), "[\"underscore\"]", "Says what is tolerated in the domain of a path beyond RFC 5321 §4.1.2.").default("[]"),
        key("address_literals", Takes::Flag, "false", "Says whether the domain of a path may be an address literal (RFC 5321 §4.1.3).").default("true"),
        key("utf8_paths", Takes::Flag, "true", "Says whether a path may hold UTF-8 though MAIL did not say SMTPUTF8 (RFC 6531 §3.4).").default("false"),
        key("invalid_utf8", Takes::Flag, "true", "Says whether a command may hold octets that are no UTF-8.").default("false"),
        key("line_octets", Takes::Number, "2048", "Is the longest command line in octets (RFC 5321 §4.5.3.1.4); MAIL, RCPT and AUTH may have 500 more.").default("512"),
        key("text_line_octets", Takes::Number, "2000", "Is the longest text line of a message in octets (RFC 5321 §4.5.3.1.6).").default("1000"),
        key("repeated_parameters", Takes::Flag, "true", "Says whether a parameter of MAIL and RCPT may stand twice.").default("false"),
        key("extensions_need_ehlo", Takes::Flag, "true", "Says whether extensions and their parameters can be used after EHLO only, not after HELO.").default("false").follows("Exim, Haraka"),
        key("unchecked_parameters", Takes::List("a keyword"), "[\"SIZE\"]", "Lists parameters of MAIL and RCPT that may have any value, or none.").default("[]"),
        key("order", Takes::Choice(&["syntax", "sequence", "sequence-of-paths"]), "\"sequence\"", "Says which mistake is reported where a command is both malformed and out of sequence.").default("\"syntax\""),
    ],
};

/// How many core replies there are.
const COUNT: usize = CoreReply::ALL.len();

/// A key for every core reply.
static REPLY_KEYS: [Key; COUNT] = {
    let mut keys = [key("", Takes::List("a reply line"), "", ""); COUNT];
    let mut at = 0;
    while at < COUNT {
        let reply = CoreReply::ALL[at];
        keys[at] = Key {
            name: reply.key(),
            takes: Takes::List("a reply line"),
            absent: Absent::Value(reply.quoted_default()),
            example: reply.quoted_default(),
            doc: reply.sentence(),
            follows: "",
        };
        at += 1;
    }
    keys
};

pub(in crate::scenario) static REPLIES: Section = Section {
    title: "[replies]",
    doc: "The receiver's words where no rule speaks. A reply of several lines is a list; 221, 421 and 521 end the session.",
    more: More::Nothing,
    keys: &REPLY_KEYS,
};
