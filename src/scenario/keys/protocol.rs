//! `[syntax]` and `[replies]`: the syntax that a receiver accepts, and its replies that do not come from rules.

use super::{Absent, Key, More, Section, Takes, key};
use crate::smtp::{CoreReply, DomainTolerance};

pub(in crate::scenario) static SYNTAX: Section = Section {
    title: "[syntax]",
    doc: "The syntax that the receiver accepts: more, or less, than RFC 5321 allows.",
    more: More::Nothing,
    keys: &[
        key("empty_helo", Takes::Flag, "true", "Accepts HELO and EHLO without an argument (RFC 5321 §4.1.1.1 requires one); rules then judge the empty argument.").default("false"),
        key("repeated_helo", Takes::Flag, "false", "Accepts a second HELO or EHLO (RFC 5321 §4.1.4); otherwise it gets the reply `helo_repeated`.").default("true"),
        key("noop_argument", Takes::Flag, "false", "Accepts NOOP with an argument, which RFC 5321 §4.1.1.9 ignores; otherwise it gets the reply `noop_syntax`.").default("true"),
        key("brackets", Takes::Flag, "false", "Requires angle brackets around the path of MAIL and RCPT (RFC 5321 §4.1.2).").default("true"),
        key("space_after_colon", Takes::Flag, "false", "Accepts spaces between \"FROM:\" or \"TO:\" and the path, which RFC 5321 §3.3 forbids.").default("true"),
        key("leading_space", Takes::Flag, "true", "Accepts spaces before a command.").default("false"),
        key("bare_lf", Takes::Choice(&["reject", "normalize", "accept"]), "\"normalize\"", "The treatment of a bare LF (RFC 5321 §2.3.8): it is refused, becomes CRLF, or is an octet like any other in a message.").default("\"reject\""),
        key("bare_cr", Takes::Choice(&["reject", "normalize", "accept"]), "\"normalize\"", "The treatment of a bare CR in a message, as for `bare_lf`.").default("\"reject\""),
        key("local_part", Takes::Choice(&["rfc5321", "lax"]), "\"lax\"", "The syntax of a local part: that of RFC 5321 §4.1.2, or any printable characters except spaces and <>,;:\"[]@.").default("\"rfc5321\""),
        key("unqualified", Takes::Flag, "false", "Accepts a local part without a domain; RCPT TO:<postmaster> is always accepted (RFC 5321 §4.1.1.3).").default("true"),
        key("domains", Takes::Words(|| DomainTolerance::ALL.map(|(word, _)| word).to_vec()), "[\"underscore\"]", "Lists deviations from RFC 5321 §4.1.2 that are accepted in the domain of a path.").default("[]"),
        key("address_literals", Takes::Flag, "false", "Accepts an address literal as the domain of a path (RFC 5321 §4.1.3).").default("true"),
        key("utf8_paths", Takes::Flag, "true", "Accepts UTF-8 in a path without SMTPUTF8 in MAIL (RFC 6531 §3.4).").default("false"),
        key("invalid_utf8", Takes::Flag, "true", "Accepts a command with invalid UTF-8.").default("false"),
        key("line_octets", Takes::Number, "2048", "The maximum length of a command line in octets (RFC 5321 §4.5.3.1.4).").default("512"),
        key("long_lines", Takes::Choice(&["refuse", "cut", "split"]), "\"cut\"", "What happens to a longer command line. refuse: the whole line is refused, and MAIL, RCPT and AUTH can have 500 octets more. cut: the rest is discarded. split: the beginning is refused, and the rest is another command.").default("\"refuse\"").follows("cut: Postfix line_length_limit; split: Exim"),
        key("path_octets", Takes::Number, "256", "The maximum length of the path of MAIL and RCPT in octets, without its angle brackets (RFC 5321 §4.5.3.1.3). A longer path gets the reply `sender_too_long` or `recipient_too_long`.").absent("no limit").follows("Exim"),
        key("vrfy_path", Takes::Flag, "true", "Whether the argument of VRFY must be a well-formed forward-path.").default("false").follows("Exim"),
        key("text_line_octets", Takes::Number, "2000", "The maximum length of a text line of a message in octets (RFC 5321 §4.5.3.1.6).").default("1000"),
        key("repeated_parameters", Takes::Flag, "true", "Accepts a repeated parameter of MAIL and RCPT.").default("false"),
        key("extensions_need_ehlo", Takes::Flag, "true", "Allows extensions and their parameters only after EHLO, not after HELO.").default("false").follows("Exim, Haraka"),
        key("unchecked_parameters", Takes::List("a keyword"), "[\"SIZE\"]", "Lists parameters of MAIL and RCPT that can have any value, or none.").default("[]"),
        key("order", Takes::Choice(&["syntax", "sequence", "sequence-of-paths"]), "\"sequence\"", "The mistake that is reported if a command is both malformed and out of sequence.").default("\"syntax\""),
    ],
};

/// The number of core replies.
const COUNT: usize = CoreReply::ALL.len();

/// One key for each core reply.
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
    doc: "The replies that do not come from rules. A reply of several lines is a list; 221, 421 and 521 end the session.",
    more: More::Nothing,
    keys: &REPLY_KEYS,
};
