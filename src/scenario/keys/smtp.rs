//! Keys of `[smtp]` and `[auth]`.

use super::{More, NETWORKS, Section, Takes, key};
use crate::smtp::{AFTER_HELO, Extension, Mechanism};
use crate::tls::TlsFault;

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
            "Limits the recipients of a transaction; further recipients get 452.",
        )
        .default("1000")
        .follows("RFC 5321 §4.5.3.1.8, Postfix smtpd_recipient_limit"),
        key(
            "max_errors",
            Takes::Number,
            "3",
            "Limits the errors of a session; then the receiver sends 421 and closes the connection.",
        )
        .default("20")
        .follows("Postfix smtpd_hard_error_limit"),
        key(
            "command_timeout",
            Takes::Duration,
            "\"30s\"",
            "The time that the receiver waits for a command.",
        )
        .default("\"5m\"")
        .follows("RFC 5321 §4.5.3.2.7, Postfix smtpd_timeout"),
        key(
            "data_timeout",
            Takes::Duration,
            "\"1m\"",
            "The time that the receiver waits for the next block of message data.",
        )
        .default("\"3m\"")
        .follows("RFC 5321 §4.5.3.2.5"),
        key(
            "extensions",
            extensions(),
            "[\"SIZE\", \"8BITMIME\"]",
            "The whole list of extensions that EHLO offers, except STARTTLS and AUTH.",
        )
        .absent("the default extensions: PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, CHUNKING, BINARYMIME, DSN and SIZE")
        .follows("RFC 5321 §2.2"),
        key(
            "without",
            extensions(),
            "[\"CHUNKING\"]",
            "Removes extensions from the default ones.",
        )
        .default("[]")
        .follows("Postfix smtpd_discard_ehlo_keywords"),
        key(
            "with",
            extensions(),
            "[\"REQUIRETLS\"]",
            "Adds extensions to the default ones.",
        )
        .default("[]"),
        key(
            "starttls",
            Takes::Choice(&["never", "offered", "refused"]),
            "\"offered\"",
            "Offers STARTTLS, or offers it and refuses the command with 454.",
        )
        .default("\"never\"")
        .follows("RFC 3207"),
        key(
            "helo_first",
            Takes::Words(|| AFTER_HELO.to_vec()),
            "[\"STARTTLS\", \"RSET\"]",
            "Lists the commands that get the reply `helo_first` before an accepted HELO or EHLO. MAIL gets it also if a rule judges the HELO name.",
        )
        .default("[]")
        .follows("RFC 5321 §4.1.4 allows NOOP, HELP, EXPN, VRFY and RSET before; RFC 3207 §4.1: EHLO tells the client about STARTTLS"),
        key(
            "tls_fault",
            Takes::Word(|| TlsFault::ALL.map(|(word, _)| word).to_vec()),
            "\"expired\"",
            "Makes TLS fail in this way.",
        )
        .default("\"none\""),
        key(
            "magic_recipients",
            Takes::Flag,
            "false",
            "Decides whether a recipient such as 550-5.1.1@… gets the reply that its name asks for.",
        )
        .default("true")
        .follows("Mailpit chaos, SMTP test addresses"),
        key(
            "any_recipient",
            Takes::Flag,
            "true",
            "Decides whether unknown mailboxes of the scenario's domains (`[recipients]`) are accepted. Otherwise they get the reply `unknown_recipient`.",
        )
        .default("false")
        .follows("RFC 5321 §3.3"),
        key(
            "any_domain",
            Takes::Flag,
            "false",
            "Decides whether recipients at domains other than the `[[domain]]` tables of the scenario are accepted. Otherwise they get the reply `relay_denied`.",
        )
        .default("true")
        .follows("RFC 5321 §3.6.2"),
        key(
            "xclient",
            NETWORKS,
            "[\"192.0.2.0/24\"]",
            "Lists the addresses that can use XCLIENT.",
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
            "Selects the credentials that are accepted: any, those of `users`, none with 535, or none with 454.",
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
            "Requires AUTH before MAIL, which otherwise gets 530.",
        )
        .default("false")
        .follows("RFC 4954 §6"),
        key(
            "tls_only",
            Takes::Flag,
            "true",
            "Offers AUTH only under TLS; without TLS, AUTH gets 538.",
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
            "Lists the mechanisms that accept an initial response in the AUTH command.",
        )
        .default("[\"PLAIN\", \"LOGIN\", \"XOAUTH2\"]")
        .follows("RFC 4954 §4"),
        key(
            "unwanted_response",
            Takes::Choice(&["refused", "ignored"]),
            "\"ignored\"",
            "Decides about an initial response that the mechanism does not accept: it gets 501, or it is ignored and the challenge follows.",
        )
        .default("\"refused\"")
        .follows("RFC 4954 §4"),
        key(
            "login_challenges",
            Takes::List("a text of at most 375 octets"),
            "[\"User Name\\u0000\", \"Password\\u0000\"]",
            "The two challenges of LOGIN, for the user name and for the password. They are sent in base64.",
        )
        .default("[\"Username:\", \"Password:\"]")
        .follows("draft-murchison-sasl-login §2.1"),
        key(
            "kept_at_ehlo",
            Takes::Flag,
            "false",
            "Decides whether a client stays authenticated after another HELO or EHLO; if not, it must authenticate again.",
        )
        .default("true")
        .follows("RFC 5321 §4.1.4, RFC 4954 §4: EHLO resets like RSET, and AUTH is allowed once in a session"),
        key(
            "keep_credentials",
            Takes::Flag,
            "true",
            "Stores credentials in the journal instead of the word `<credentials>`.",
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
