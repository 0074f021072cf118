//! The keys of `[[fault]]`.

use super::{ADDRESS, More, Section, Takes, key};
use crate::dns::{Action, Order};

pub(in crate::scenario) static FAULT: Section = Section {
    title: "[[fault]]",
    doc: "A misbehaviour of the DNS server, on purpose. Every fault that fires is recorded in the journal.",
    more: More::Nothing,
    keys: &[
        key(
            "name",
            Takes::Text("a domain name, or *. and a domain name"),
            "\"*.example.test\"",
            "Is the name that the fault concerns; `*.` concerns all names below.",
        )
        .required(),
        key(
            "do",
            Takes::Choice(Action::WORDS),
            "\"servfail\"",
            "Is what the server does instead of telling the truth.",
        )
        .required(),
        key(
            "type",
            Takes::Text("a record type such as A, PTR or MX"),
            "\"A\"",
            "Restricts the fault to queries for one record type.",
        )
        .absent("all types"),
        key(
            "transport",
            Takes::Choice(&["udp", "tcp"]),
            "\"udp\"",
            "Restricts the fault to one transport.",
        )
        .absent("both"),
        key(
            "from",
            Takes::Number,
            "2",
            "Is the first query that meets the fault, from 1.",
        )
        .default("1"),
        key(
            "times",
            Takes::Number,
            "3",
            "Is the number of queries that meet the fault.",
        )
        .absent("all queries"),
        key(
            "every",
            Takes::Number,
            "10",
            "Makes the fault recur: `times` of each `every` queries meet it.",
        )
        .absent("the fault does not recur"),
        key("delay", Takes::Duration, "\"3s\"", "Delays the answer.").default("\"0s\""),
        key(
            "jitter",
            Takes::Duration,
            "\"500ms\"",
            "Delays the answer further, up to this time.",
        )
        .default("\"0s\""),
        key(
            "seed",
            Takes::Number,
            "7",
            "Is the seed of `jitter` and of `order = \"seeded\"`, and needs one of them.",
        )
        .absent("1 if `jitter` or a seeded order needs it"),
        key(
            "ttl",
            Takes::Number,
            "0",
            "Is the TTL in seconds for `do = \"ttl\"`, and is required there.",
        )
        .follows("RFC 2181 §8"),
        key(
            "length",
            Takes::Number,
            "20",
            "Is the number of CNAME records for `do = \"cname-chain\"`, from 1 to 200.",
        )
        .absent("12"),
        key(
            "octets",
            Takes::Number,
            "8000",
            "Is the size of the answer for `do = \"oversized\"`, from 513 to 65000.",
        )
        .absent("4096"),
        key(
            "order",
            Takes::Choice(Order::WORDS),
            "\"seeded\"",
            "Is the order of the records for `do = \"reorder\"`, and is required there.",
        ),
        key(
            "address",
            ADDRESS,
            "\"203.0.113.66\"",
            "Is the address in the answer for `do = \"wrong-answer\"`.",
        )
        .absent("an address of martinet's choice"),
    ],
};
