//! Keys of `[[script]]`.

use super::{More, NETWORKS, PATTERNS, REPLY, Section, Takes, key};
use crate::facts::Verb;
use crate::smtp::{CountPer, Mechanism, Point};

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
