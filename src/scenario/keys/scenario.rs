//! The keys of scenario files.

use super::expect::EXPECT_REPLY;
use super::fault::FAULT;
use super::{ADDRESS, Key, More, Section, Takes, key};
use crate::dns::Outside;

const NETWORKS: Takes = Takes::List("an address or a network");
const NAME: Takes = Takes::Text("a domain name");

const TITLE: Key = key(
    "title",
    Takes::Text("a string"),
    "\"A mail server without a PTR record\"",
    "Says in one line what the scenario shows.",
)
.required();

pub(in crate::scenario) static SCENARIO: Section = Section {
    title: "",
    doc: "A scenario file describes the sending side and its DNS.",
    more: More::Nothing,
    keys: &[
        TITLE,
        super::receiver::kind("\"scenario\""),
        key(
            "sources",
            Takes::List("a string"),
            "[\"RFC 1912 §2.1\"]",
            "Lists where the situation is described, for readers.",
        )
        .default("[]"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"postfix-strict\"",
            "Names the receiver that clients meet unless the command line names another. A path is relative to the scenario file.",
        )
        .default("\"fcrdns\""),
        key(
            "sender",
            Takes::Text("a mailbox such as user@example.test, or \"\""),
            "\"alerts@branded.test\"",
            "Is the envelope sender of mail that names none. An empty string is the null reverse-path.",
        )
        .default("\"sender@example.test\"")
        .follows("RFC 5321 §4.1.1.2"),
        key("domain", Takes::Tables(&DOMAIN), "", "Declares a recipient domain."),
        key("recipients", Takes::Table(&RECIPIENTS), "", "Says which mailboxes the recipient domains have."),
        key("zone", Takes::Tables(&ZONE), "", "Declares a DNS zone with its records."),
        key("dns", Takes::Table(&DNS), "", "Configures the DNS server."),
        key("pool", Takes::Tables(&POOL), "", "Declares a pool of sending hosts."),
        key(
            "client",
            Takes::Table(&CLIENT),
            "",
            "Configures the client address that the receiver sees.",
        ),
        key("listener", Takes::Tables(&LISTENER), "", "Declares a further SMTP listener."),
        key("fault", Takes::Tables(&FAULT), "", "Makes DNS misbehave for a name."),
        key(
            "expect",
            Takes::Tables(&EXPECT_REPLY),
            "",
            "States what a session or a DNS query must lead to; `verify` plays it.",
        ),
    ],
};

pub(in crate::scenario) static DOMAIN: Section = Section {
    title: "[[domain]]",
    doc: "A recipient domain. Its MX record points to the receiver of the scenario, or to a receiver of its own.",
    more: More::Nothing,
    keys: &[
        key(
            "name",
            NAME,
            "\"contoso.test\"",
            "Is the domain. A zone for the domain is created if no `[[zone]]` holds it; a zone that has an MX record for the domain keeps that record.",
        )
        .required()
        .follows("RFC 5321 §5.1"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"gmail\"",
            "Names the receiver that takes the mail of the domain. It has listeners and a memory of its own.",
        )
        .absent("the receiver of the scenario"),
        key(
            "mx",
            Takes::Either(MX),
            "[\"10 mx1.contoso.test\", \"20 mx2.contoso.test\"]",
            "Lists the mail servers of the domain. A host without a preference gets 10, 20 and so on by its place. `\".\"` is a null MX: the domain accepts no mail. With `[]` the domain has no MX record, and its own address takes the mail.",
        )
        .absent("`mx.` and the domain, with preference 10")
        .follows("RFC 5321 §5.1, RFC 7505"),
        key(
            "addresses",
            Takes::List("an address"),
            "[\"192.0.2.25\", \"2001:db8::25\"]",
            "Lists the addresses of the domain itself, and needs `mx = []`.",
        )
        .absent("an address that the world assigns"),
        key(
            "recipients",
            Takes::List("a local part or a mailbox, in which * stands for any text"),
            "[\"info\", \"sales-*\"]",
            "Lists the mailboxes of the domain, in place of those of `[recipients]`. `postmaster` always exists.",
        )
        .absent("those of `[recipients]`"),
    ],
};

pub(in crate::scenario) static RECIPIENTS: Section = Section {
    title: "[recipients]",
    doc: "The mailboxes of the recipient domains. A receiver refuses others with its reply `unknown_recipient`, unless it has `any_recipient = true`.",
    more: More::Nothing,
    keys: &[
        key(
            "known",
            Takes::List("a local part or a mailbox, in which * stands for any text"),
            "[\"info\", \"*@sales.contoso.test\"]",
            "Lists the mailboxes. A local part alone is about every recipient domain. `postmaster` always exists.",
        )
        .absent("every mailbox exists")
        .follows("RFC 5321 §4.5.1"),
    ],
};

/// What `mx` takes.
pub(in crate::scenario) const MX: &str =
    "a host such as \"10 mx1.example.test\", a table, a list of them, or [] for no MX record";

pub(in crate::scenario) static MAIL_SERVER: Section = Section {
    title: "[[domain.mx]]",
    doc: "A mail server of a recipient domain. A string in `mx` is the same with a name and a preference only.",
    more: More::Nothing,
    keys: &[
        key("name", Takes::Text("a host name"), "\"mx1.contoso.test\"", "Is the host that the MX record names.")
            .required(),
        key("preference", Takes::Number, "10", "Is the preference of the MX record: senders try the lowest first.")
            .absent("10 for the first host, 20 for the second, and so on")
            .follows("RFC 5321 §5.1"),
        key(
            "addresses",
            Takes::List("an address"),
            "[\"192.0.2.25\", \"2001:db8::25\"]",
            "Lists the addresses of the host. `martinet run` listens there; other commands stand in for each of them with an address or a port of this machine. With `[]` the host has no address record.",
        )
        .absent("an address that the world assigns"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"lenient\"",
            "Names the receiver of this host.",
        )
        .absent("the receiver of the domain"),
        key("dead", Takes::Flag, "true", "Says that nothing listens at the addresses: connections are refused.")
            .default("false"),
    ],
};

pub(in crate::scenario) static ZONE: Section = Section {
    title: "[[zone]]",
    doc: "A DNS zone. Exactly one of `text` and `file` is required.",
    more: More::Nothing,
    keys: &[
        key("origin", NAME, "\"example.test\"", "Is the name of the zone's apex.").required(),
        key(
            "ttl",
            Takes::Number,
            "60",
            "Is the TTL in seconds of records that have none of their own and no `$TTL` before them.",
        )
        .default("300")
        .follows("RFC 2308 §4"),
        key(
            "text",
            Takes::Text("a string"),
            "\"@ A 192.0.2.1\"",
            "Holds the records as zone file text. A missing SOA or NS record at the apex is added.",
        )
        .follows("RFC 1035 §5"),
        key(
            "file",
            Takes::Text("a path"),
            "\"example.test.zone\"",
            "Names a zone file instead of `text`. The path is relative to the scenario file.",
        )
        .follows("RFC 1035 §5"),
    ],
};

pub(in crate::scenario) static DNS: Section = Section {
    title: "[dns]",
    doc: "How the DNS server behaves apart from its zones.",
    more: More::Nothing,
    keys: &[
        key(
            "outside",
            Takes::Choice(&Outside::WORDS),
            "\"nxdomain\"",
            "Is the answer to a query for a name in no zone. `drop` sends no answer; `forward` asks `upstream`, for clients only: for the receiver such a name does not exist.",
        )
        .absent("refused; under `martinet run` nxdomain")
        .follows("NSD answers REFUSED"),
        key(
            "upstream",
            Takes::Text("an address and a port such as 127.0.0.1:5353"),
            "\"127.0.0.1:5353\"",
            "Is the resolver for `outside = \"forward\"`, and is required there.",
        ),
        key(
            "recursion_available",
            Takes::Flag,
            "true",
            "Sets RA in answers, for stub resolvers that insist on it.",
        )
        .default("false")
        .follows("RFC 1035 §4.1.1"),
        key(
            "axfr",
            Takes::Choice(&["refused", "loopback"]),
            "\"loopback\"",
            "Says which clients may transfer a zone: none, or those on loopback addresses.",
        )
        .default("\"refused\"")
        .follows("RFC 5936"),
        key(
            "responses_per_second",
            Takes::Number,
            "5",
            "Limits UDP answers for each client network that is not on loopback; 0 means no limit.",
        )
        .default("1000")
        .follows("BIND rate-limit"),
        key(
            "tcp_connections",
            Takes::Number,
            "10",
            "Limits TCP connections at a time for each client that is not on loopback; 0 means no limit.",
        )
        .default("32"),
    ],
};

pub(in crate::scenario) static POOL: Section = Section {
    title: "[[pool]]",
    doc: "A pool of sending hosts that share one HELO name or one pattern of names. Patterns contain `{a}` `{b}` `{c}` `{d}` for the octets of an IPv4 address, `{d:03}` for an octet with leading zeros, `{n}` or `{n:02}` for the number of the address within the pool, and `{ip}` for the address with hyphens.",
    more: More::Nothing,
    keys: &[
        key(
            "name",
            Takes::Text("a string"),
            "\"outbound\"",
            "Is the name of the pool, for `client.from`.",
        )
        .required(),
        key(
            "addresses",
            Takes::List("an address, a range such as 192.0.2.1-9, or a network of at most 65536 addresses"),
            "[\"192.0.2.1-9\", \"198.51.100.0/28\"]",
            "Lists the addresses of the hosts, in order.",
        )
        .required(),
        key(
            "first_number",
            Takes::Number,
            "0",
            "Is the number of the first address, for `{n}`; the others follow.",
        )
        .default("1"),
        key(
            "ptr",
            Takes::List("a host name, with or without {a} {b} {c} {d} {d:03} {n} {ip}"),
            "\"mail{n}.example.test\"",
            "Is the PTR name of each address, or several of them.",
        )
        .absent("no PTR record")
        .follows("RFC 1912 §2.1"),
        key(
            "helo",
            Takes::Text("a HELO argument, with or without {a} {b} {c} {d} {d:03} {n} {ip}"),
            "\"mail{n}.example.test\"",
            "Is the HELO or EHLO argument of each host.",
        )
        .required()
        .follows("RFC 5321 §4.1.1.1"),
        key(
            "helo_addresses",
            Takes::Either("a whole number, an address or range, or a list of them"),
            "2",
            "Adds address records to the HELO name: with a number, that many addresses of the pool, the first ones; else the addresses listed.",
        )
        .absent("no address record for the HELO name"),
        key(
            "spf",
            Takes::Text("a string"),
            "\"v=spf1 ip4:192.0.2.0/28 -all\"",
            "Adds a TXT record to the HELO name.",
        )
        .follows("RFC 7208"),
        key(
            "forward",
            Takes::Flag,
            "false",
            "Adds to each PTR name an address record that points back to the address.",
        )
        .default("true"),
    ],
};

pub(in crate::scenario) static CLIENT: Section = Section {
    title: "[client]",
    doc: "Which client address the receiver sees for a connection.",
    more: More::Nothing,
    keys: &[
        key(
            "from",
            Takes::Either("\"socket\", an address, or a table with pool or map"),
            "\"192.0.2.10\"",
            "Is the client address of a connection: the real one (`\"socket\"`), a fixed one, or one that a table assigns.",
        )
        .absent("all pools, one address after the other; the real address if there is no pool"),
        key("nat", Takes::Tables(&NAT), "", "Translates client addresses."),
    ],
};

pub(in crate::scenario) static ASSIGNMENT: Section = Section {
    title: "client.from = { … }",
    doc: "A table that assigns client addresses. Exactly one of `pool` and `map` is required.",
    more: More::Nothing,
    keys: &[
        key(
            "pool",
            Takes::List("the name of a pool"),
            "[\"outbound\"]",
            "Names the pools whose addresses connections get.",
        ),
        key(
            "order",
            Takes::Choice(&["round-robin", "random"]),
            "\"random\"",
            "Is the order in which connections get the addresses.",
        )
        .default("\"round-robin\""),
        key(
            "seed",
            Takes::Number,
            "7",
            "Is the seed of `order = \"random\"`, and needs it: the same seed gives the same order.",
        )
        .default("1"),
        key(
            "map",
            Takes::Table(&ADDRESS_MAP),
            "{ \"127.0.0.2\" = \"192.0.2.10\" }",
            "Assigns a client address to each real address.",
        ),
    ],
};

pub(in crate::scenario) static ADDRESS_MAP: Section = Section {
    title: "client.from = { map = { … } }",
    doc: "Each key is the real address of a connection, each value the address that the receiver sees.",
    more: More::Anything,
    keys: &[],
};

pub(in crate::scenario) static NAT: Section = Section {
    title: "[[client.nat]]",
    doc: "A translation of client addresses, as a NAT gateway does it. The first that matches applies.",
    more: More::Nothing,
    keys: &[
        key(
            "from",
            NETWORKS,
            "[\"10.0.0.0/8\"]",
            "Lists the addresses that are translated.",
        )
        .required()
        .follows("RFC 3022"),
        key(
            "to",
            ADDRESS,
            "\"203.0.113.10\"",
            "Is the address that the receiver sees.",
        )
        .required(),
    ],
};

pub(in crate::scenario) static LISTENER: Section = Section {
    title: "[[listener]]",
    doc: "A further SMTP listener beside the one of the command line.",
    more: More::Nothing,
    keys: &[
        key(
            "address",
            Takes::Text("an address and a port such as 127.0.0.1:0 or [::1]:0"),
            "\"127.0.0.1:2525\"",
            "Is where it listens; port 0 takes a free port.",
        )
        .default("\"127.0.0.1:0\""),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"lenient\"",
            "Names the receiver of this listener.",
        )
        .absent("the receiver of the scenario"),
        key(
            "client",
            Takes::Either("\"socket\", an address, or a table with pool or map"),
            "\"192.0.2.77\"",
            "Is the client address of connections to this listener, written as `client.from` is.",
        )
        .absent("as `[client]` says"),
        key(
            "protocol",
            Takes::Choice(&["smtp", "lmtp"]),
            "\"lmtp\"",
            "Is the protocol of the listener.",
        )
        .default("\"smtp\"")
        .follows("RFC 2033"),
        key(
            "proxy",
            Takes::Choice(&["off", "optional", "required"]),
            "\"required\"",
            "Says whether connections begin with a PROXY header, version 1 or 2.",
        )
        .default("\"off\"")
        .follows("HAProxy PROXY protocol"),
        key(
            "tls",
            Takes::Choice(&["starttls", "implicit"]),
            "\"implicit\"",
            "Says how TLS begins: by STARTTLS if the receiver offers it, or with the first octet.",
        )
        .default("\"starttls\"")
        .follows("RFC 3207, RFC 8314 §3.3"),
    ],
};
