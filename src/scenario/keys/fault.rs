//! The keys of `[[fault]]`.

use super::{ADDRESS, More, Section, Takes, key};
use crate::dns::{Action, Order};

pub(in crate::scenario) static FAULT: Section = Section {
    title: "[[fault]]",
    doc: "A deliberate misbehaviour of the DNS server. The journal records every fault that takes effect.",
    more: More::Nothing,
    keys: &[
        key(
            "name",
            Takes::Text("a domain name, or *. and a domain name"),
            "\"*.example.test\"",
            "The name that the fault applies to; with `*.` it applies to all names below.",
        )
        .required(),
        key(
            "do",
            Takes::Choice(Action::WORDS),
            "\"servfail\"",
            "The misbehaviour.",
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
            "The number of the first query to which the fault applies, from 1.",
        )
        .default("1"),
        key(
            "times",
            Takes::Number,
            "3",
            "The number of queries to which the fault applies.",
        )
        .absent("all queries"),
        key(
            "every",
            Takes::Number,
            "10",
            "Makes the fault recur: it applies to `times` of each `every` queries.",
        )
        .absent("the fault does not recur"),
        key("delay", Takes::Duration, "\"3s\"", "Delays the answer.").default("\"0s\""),
        key(
            "jitter",
            Takes::Duration,
            "\"500ms\"",
            "Delays the answer by an additional random time of at most this.",
        )
        .default("\"0s\""),
        key(
            "seed",
            Takes::Number,
            "7",
            "The seed of `jitter` or `order = \"seeded\"`, one of which is required.",
        )
        .absent("1 if `jitter` or a seeded order needs it"),
        key(
            "ttl",
            Takes::Number,
            "0",
            "The TTL in seconds for `do = \"ttl\"`, and is required there.",
        )
        .follows("RFC 2181 §8"),
        key(
            "length",
            Takes::Number,
            "20",
            "The number of CNAME records for `do = \"cname-chain\"`, from 1 to 200.",
        )
        .absent("12"),
        key(
            "octets",
            Takes::Number,
            "8000",
            "The size of the answer for `do = \"oversized\"`, from 513 to 65000.",
        )
        .absent("4096"),
        key(
            "order",
            Takes::Choice(Order::WORDS),
            "\"seeded\"",
            "The order of the records for `do = \"reorder\"`, and is required there.",
        ),
        key(
            "address",
            ADDRESS,
            "\"203.0.113.66\"",
            "The address in the answer for `do = \"wrong-answer\"`.",
        )
        .absent("an address of martinet's choice"),
    ],
};
