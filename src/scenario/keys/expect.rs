//! The keys of `[[expect]]`.

use super::{ADDRESS, Key, More, Section, Takes, key};

pub(in crate::scenario) static EXPECT_REPLY: Section = Section {
    title: "[[expect]]",
    doc: "A session and how it ends. `verify` plays it over real sockets.",
    more: More::Nothing,
    keys: &[
        key("client", ADDRESS, "\"192.0.2.10\"", "The client address.").required(),
        key("helo", Takes::Text("a string"), "\"mail.example.test\"", "The HELO or EHLO argument.")
            .required(),
        key(
            "reply",
            Takes::Text("a reply such as 250, 554 or 550 5.7.25"),
            "\"550 5.7.25\"",
            "The beginning of the first line of the decisive reply: the reply of the refusal, or to the final dot.",
        )
        .required(),
        key("verb", Takes::Choice(&["EHLO", "HELO"]), "\"HELO\"", "The HELO command.")
            .default("\"EHLO\""),
        key("sender", Takes::Text("a string"), "\"a@example.test\"", "The envelope sender.")
            .absent("the `sender` of the scenario"),
        key("recipient", Takes::Text("a string"), "\"b@contoso.test\"", "The recipient.")
            .absent("postmaster at the first domain"),
        key("message", Takes::Text("a string"), "\"From: <a@example.test>\\n\\nHello.\"", "The message.")
            .absent("a short message"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"lenient\"",
            "Names the receiver of this session, in place of that of the recipient's domain.",
        )
        .absent("the receiver of the recipient's domain, or of the scenario"),
        key("rule", Takes::Text("the name of a check"), "\"iprev\"", "The rule that refuses.")
            .absent("not compared"),
        key(
            "stage",
            Takes::Word(|| crate::stage::Stage::ALL.map(crate::stage::Stage::name).to_vec()),
            "\"rcpt\"",
            "The stage of the refusal.",
        )
        .absent("not compared"),
        key(
            "verdict",
            Takes::Choice(&["accept", "defer", "reject"]),
            "\"reject\"",
            "The verdict of the session.",
        )
        .absent("not compared"),
        key(
            "sessions",
            Takes::Number,
            "5",
            "The number of times that the session is played in the same world, from 1 to 1000. The expectation is about the last one.",
        )
        .default("1"),
        key(
            "pause",
            Takes::Duration,
            "\"5m\"",
            "The time between these sessions, by which the clock of the receivers is advanced.",
        )
        .default("\"0s\""),
        key(
            "says",
            Takes::List("a string"),
            "[\"EHLO mail.example.test\", \"EHLO mx.example.test\"]",
            "What the client sends in place of the usual dialogue: each string after the reply to the previous one, up to the first refusal. CRLF is added to a string that does not end with a line feed. A string of several lines is sent at once.",
        )
        .absent("HELO or EHLO, MAIL, RCPT, DATA and the message"),
        key("early", Takes::Flag, "true", "Sends the first string of `says` before the greeting.").default("false"),
        key("messages", Takes::Number, "21", "The number of messages that the client sends on its connection, from 1 to 1000.")
            .default("1"),
        key("recipients", Takes::Number, "101", "The number of RCPT commands for the recipient, from 1 to 1000.")
            .default("1"),
        key(
            "open",
            Takes::Number,
            "2",
            "The number of other connections that the client holds open during its session, from 0 to 1000.",
        )
        .default("0"),
        NOTE,
    ],
};

const NOTE: Key = key(
    "note",
    Takes::Text("a string"),
    "\"Postfix looks up one PTR name\"",
    "A remark for readers.",
);

pub(in crate::scenario) static EXPECT_ANSWER: Section = Section {
    title: "[[expect]] with ask",
    doc: "A DNS query and its answer. `verify` sends it over real sockets.",
    more: More::Nothing,
    keys: &[
        key(
            "ask",
            Takes::Text("a name and a type such as \"mail.example.test A\""),
            "\"mail.example.test A\"",
            "The name and the type of the query.",
        )
        .required(),
        key(
            "transport",
            Takes::Choice(&["udp", "tcp"]),
            "\"tcp\"",
            "The transport of the query.",
        )
        .default("\"udp\""),
        key(
            "edns",
            Takes::Number,
            "1232",
            "The size that the query advertises with EDNS.",
        )
        .absent("no EDNS")
        .follows("RFC 6891 §6.2.3"),
        key(
            "answers",
            Takes::Number,
            "2",
            "The number of records in the answer section.",
        )
        .absent("not compared"),
        key(
            "truncated",
            Takes::Flag,
            "true",
            "The TC bit of the answer.",
        )
        .absent("not compared"),
        key(
            "rcode",
            Takes::Choice(&[
                "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
            ]),
            "\"NXDOMAIN\"",
            "The RCODE of the answer.",
        )
        .absent("not compared")
        .follows("RFC 1035 §4.1.1"),
        NOTE,
    ],
};
