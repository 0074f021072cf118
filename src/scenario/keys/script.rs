//! Keys of `[[script]]`.

use super::{More, NETWORKS, PATTERNS, REPLY, Section, Takes, key};
use crate::facts::Verb;
use crate::smtp::{CountPer, Mechanism, Point};

pub(in crate::scenario) static SCRIPT: Section = Section {
    title: "[[script]]",
    doc: "Misbehaviour at one point of the dialogue. The first script that applies takes effect. At least one of `reply`, `raw`, `delay`, `drip`, `split`, `instead` and `after` is required.",
    more: More::Nothing,
    keys: &[
        key(
            "stage",
            Takes::Word(|| Point::ALL.map(|(word, _)| word).to_vec()),
            "\"rcpt\"",
            "The reply that the script changes.",
        )
        .required(),
        key(
            "reply",
            REPLY,
            "\"451 4.3.0 Try again later\"",
            "Replaces the receiver's reply; several strings make a multi-line reply.",
        ),
        key(
            "raw",
            Takes::Text("one line of at most 5000 octets"),
            "\"999 not a reply\"",
            "The octets to send instead of a reply; CRLF is added.",
        ),
        key("delay", Takes::Duration, "\"3s\"", "Delays the reply.").default("\"0s\""),
        key(
            "drip",
            Takes::Number,
            "10",
            "Sends the reply at this number of octets a second.",
        )
        .absent("all octets at once"),
        key(
            "split",
            Takes::Flag,
            "true",
            "Sends each line of the reply in two packets.",
        )
        .default("false"),
        key(
            "instead",
            Takes::Choice(&["close", "reset", "silence"]),
            "\"reset\"",
            "Sends no reply: the connection is closed, is reset, or stays silent.",
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
            "Restricts the script to messages with such a header field, which are known only at the final dot.",
        )
        .absent("any message"),
        key(
            "verb",
            Takes::Words(|| Verb::ALL.map(Verb::word).to_vec()),
            "\"HELO\"",
            "Restricts the script to sessions whose current HELO name was sent with one of these commands.",
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
            "The scope in which `attempt`, `times`, `every` and `probability` count the opportunities of the script: all sessions, each client address or each session.",
        )
        .default("\"world\""),
        key(
            "attempt",
            Takes::Number,
            "2",
            "Restricts the script to one of its opportunities, counted from 1.",
        )
        .absent("every time"),
        key(
            "times",
            Takes::Number,
            "3",
            "Restricts the script to this number of first opportunities.",
        )
        .absent("every time"),
        key(
            "every",
            Takes::Number,
            "3",
            "Restricts the script to every third opportunity, for example.",
        )
        .absent("every time"),
        key(
            "probability",
            Takes::Points,
            "0.25",
            "The probability with which the script takes effect, from 0 to 1.",
        )
        .absent("every time"),
        key(
            "seed",
            Takes::Number,
            "7",
            "The seed of `probability`: the same seed gives the same sequence.",
        )
        .absent("0 if there is a `probability`"),
    ],
};
