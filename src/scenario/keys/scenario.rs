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
    "Describes the scenario in one line.",
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
            "Lists the sources, for readers.",
        )
        .default("[]"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"postfix-strict\"",
            "Names the receiver, unless the command line names another. A path is relative to the scenario file.",
        )
        .default("\"fcrdns\""),
        key(
            "sender",
            Takes::Text("a mailbox such as user@example.test, or \"\""),
            "\"alerts@branded.test\"",
            "The default envelope sender. An empty string is the null sender.",
        )
        .default("\"sender@example.test\"")
        .follows("RFC 5321 §4.1.1.2"),
        key("domain", Takes::Tables(&DOMAIN), "", "Declares a recipient domain."),
        key("recipients", Takes::Table(&RECIPIENTS), "", "Lists the mailboxes of the recipient domains."),
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
        key("sent", Takes::Tables(&SENT), "", "Declares messages that a sender sent earlier."),
        key(
            "expect",
            Takes::Tables(&EXPECT_REPLY),
            "",
            "Declares the expected outcome of a session or a DNS query; `verify` plays it.",
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
            "The domain. If no `[[zone]]` contains the domain, a zone is created for it. An MX record for the domain in a zone is kept.",
        )
        .required()
        .follows("RFC 5321 §5.1"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"gmail\"",
            "Names the receiver for mail to the domain. It has its own listeners and its own memory.",
        )
        .absent("the receiver of the scenario"),
        key(
            "mx",
            Takes::Either(MX),
            "[\"10 mx1.contoso.test\", \"20 mx2.contoso.test\"]",
            "Lists the mail servers of the domain. A host without a preference gets 10, 20 and so on by its position. `\".\"` is a null MX: the domain accepts no mail. With `[]` the domain has no MX record, and mail goes to the address of the domain.",
        )
        .absent("`mx.` and the domain, with preference 10")
        .follows("RFC 5321 §5.1, RFC 7505"),
        key(
            "addresses",
            Takes::List("an address"),
            "[\"192.0.2.25\", \"2001:db8::25\"]",
            "Lists the addresses of the domain itself; requires `mx = []`.",
        )
        .absent("an address that the world assigns"),
        key(
            "recipients",
            Takes::List("a local part or a mailbox, in which * matches any text"),
            "[\"info\", \"sales-*\"]",
            "Lists the mailboxes of the domain, in place of those of `[recipients]`. `postmaster` always exists.",
        )
        .absent("those of `[recipients]`"),
    ],
};

pub(in crate::scenario) static SENT: Section = Section {
    title: "[[sent]]",
    doc: "Messages that a sender sent before the first session. Every receiver counts them as acknowledged when the world starts, so that a rule with `bulk` can apply to the first message of a session. Exactly one of `client`, `sender_domain` and `from_domain` is required.",
    more: More::Nothing,
    keys: &[
        key(
            "client",
            ADDRESS,
            "\"192.0.2.10\"",
            "The client address that sent the messages.",
        ),
        key(
            "sender_domain",
            NAME,
            "\"example.test\"",
            "The domain of the envelope sender.",
        ),
        key(
            "from_domain",
            NAME,
            "\"example.test\"",
            "The domain of the header field From.",
        ),
        key(
            "messages",
            Takes::Number,
            "4999",
            "The number of messages, from 1 to 10000.",
        )
        .required(),
    ],
};

pub(in crate::scenario) static RECIPIENTS: Section = Section {
    title: "[recipients]",
    doc: "The mailboxes of the recipient domains. A receiver refuses other mailboxes with its reply `unknown_recipient`, unless it has `any_recipient = true`.",
    more: More::Nothing,
    keys: &[
        key(
            "known",
            Takes::List("a local part or a mailbox, in which * matches any text"),
            "[\"info\", \"*@sales.contoso.test\"]",
            "Lists the mailboxes. A local part without a domain applies to every recipient domain. `postmaster` always exists.",
        )
        .absent("every mailbox exists")
        .follows("RFC 5321 §4.5.1"),
    ],
};

/// The type of `mx`.
pub(in crate::scenario) const MX: &str =
    "a host such as \"10 mx1.example.test\", a table, a list of them, or [] for no MX record";

pub(in crate::scenario) static MAIL_SERVER: Section = Section {
    title: "[[domain.mx]]",
    doc: "A mail server of a recipient domain. A string in `mx` is short for a table with a name and a preference.",
    more: More::Nothing,
    keys: &[
        key("name", Takes::Text("a host name"), "\"mx1.contoso.test\"", "The host name in the MX record.")
            .required(),
        key("preference", Takes::Number, "10", "The preference of the MX record; senders try the lowest first.")
            .absent("10 for the first host, 20 for the second, and so on")
            .follows("RFC 5321 §5.1"),
        key(
            "addresses",
            Takes::List("an address"),
            "[\"192.0.2.25\", \"2001:db8::25\"]",
            "Lists the addresses of the host. `martinet run` listens on them; other commands replace each of them by an address or a port of this machine. With `[]` the host has no address record.",
        )
        .absent("an address that the world assigns"),
        key(
            "receiver",
            Takes::Text("the name of a receiver, or a path with / or .toml"),
            "\"lenient\"",
            "Names the receiver of this host.",
        )
        .absent("the receiver of the domain"),
        key("dead", Takes::Flag, "true", "Makes the addresses refuse connections: nothing listens there.")
            .default("false"),
    ],
};

pub(in crate::scenario) static ZONE: Section = Section {
    title: "[[zone]]",
    doc: "A DNS zone. Exactly one of `text` and `file` is required.",
    more: More::Nothing,
    keys: &[
        key("origin", NAME, "\"example.test\"", "The name of the zone's apex.").required(),
        key(
            "ttl",
            Takes::Number,
            "60",
            "The TTL in seconds of records without a TTL and without a `$TTL` before them.",
        )
        .default("300")
        .follows("RFC 2308 §4"),
        key(
            "text",
            Takes::Text("a string"),
            "\"@ A 192.0.2.1\"",
            "Contains the records in zone file format. A missing SOA or NS record at the apex is added.",
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
    doc: "The settings of the DNS server.",
    more: More::Nothing,
    keys: &[
        key(
            "outside",
            Takes::Choice(&Outside::WORDS),
            "\"nxdomain\"",
            "The answer to a query for a name in no zone. `drop` sends no answer; `forward` asks `upstream`, but only for clients: for the receiver, such a name does not exist.",
        )
        .absent("refused; under `martinet run` nxdomain")
        .follows("NSD answers REFUSED"),
        key(
            "upstream",
            Takes::Text("an address and a port such as 127.0.0.1:5353"),
            "\"127.0.0.1:5353\"",
            "The resolver for `outside = \"forward\"`, which requires it.",
        ),
        key(
            "recursion_available",
            Takes::Flag,
            "true",
            "Sets RA in answers, for stub resolvers that require it.",
        )
        .default("false")
        .follows("RFC 1035 §4.1.1"),
        key(
            "axfr",
            Takes::Choice(&["refused", "loopback"]),
            "\"loopback\"",
            "Allows zone transfers: to no client, or to clients on loopback addresses.",
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
            "Limits concurrent TCP connections for each client that is not on loopback; 0 means no limit.",
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
            "The name of the pool, for `client.from`.",
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
            "The number of the first address, for `{n}`; the others are numbered from there.",
        )
        .default("1"),
        key(
            "ptr",
            Takes::List("a host name, with or without {a} {b} {c} {d} {d:03} {n} {ip}"),
            "\"mail{n}.example.test\"",
            "The PTR name of each address, or a list of names.",
        )
        .absent("no PTR record")
        .follows("RFC 1912 §2.1"),
        key(
            "helo",
            Takes::Text("a HELO argument, with or without {a} {b} {c} {d} {d:03} {n} {ip}"),
            "\"mail{n}.example.test\"",
            "The HELO or EHLO argument of each host.",
        )
        .required()
        .follows("RFC 5321 §4.1.1.1"),
        key(
            "helo_addresses",
            Takes::Either("a whole number, an address or range, or a list of them"),
            "2",
            "Adds address records to the HELO name: with a number, this many first addresses of the pool; otherwise the listed addresses.",
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
            "Adds an address record for the address to each PTR name.",
        )
        .default("true"),
    ],
};

pub(in crate::scenario) static CLIENT: Section = Section {
    title: "[client]",
    doc: "The client address that the receiver sees for a connection.",
    more: More::Nothing,
    keys: &[
        key(
            "from",
            Takes::Either("\"socket\", an address, or a table with pool or map"),
            "\"192.0.2.10\"",
            "The client address of a connection: the real one (`\"socket\"`), a fixed one, or one that a table assigns.",
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
            "The order in which connections get the addresses.",
        )
        .default("\"round-robin\""),
        key(
            "seed",
            Takes::Number,
            "7",
            "The seed of `order = \"random\"`: the same seed gives the same order.",
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
    doc: "A translation of client addresses, as by a NAT gateway. The first one that matches applies.",
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
            "The address that the receiver sees.",
        )
        .required(),
    ],
};

pub(in crate::scenario) static LISTENER: Section = Section {
    title: "[[listener]]",
    doc: "An additional SMTP listener.",
    more: More::Nothing,
    keys: &[
        key(
            "address",
            Takes::Text("an address and a port such as 127.0.0.1:0 or [::1]:0"),
            "\"127.0.0.1:2525\"",
            "The address and port of the listener; port 0 picks a free port.",
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
            "The client address of connections to this listener, in the form of `client.from`.",
        )
        .absent("as `[client]` says"),
        key(
            "protocol",
            Takes::Choice(&["smtp", "lmtp"]),
            "\"lmtp\"",
            "The protocol of the listener.",
        )
        .default("\"smtp\"")
        .follows("RFC 2033"),
        key(
            "proxy",
            Takes::Choice(&["off", "optional", "required"]),
            "\"required\"",
            "Decides whether connections begin with a PROXY header, version 1 or 2.",
        )
        .default("\"off\"")
        .follows("HAProxy PROXY protocol"),
        key(
            "tls",
            Takes::Choice(&["starttls", "implicit"]),
            "\"implicit\"",
            "Selects the kind of TLS: STARTTLS if the receiver offers it, or implicit TLS.",
        )
        .default("\"starttls\"")
        .follows("RFC 3207, RFC 8314 §3.3"),
    ],
};
