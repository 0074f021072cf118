//! `[[domain]]`: recipient domains and their mail servers in the DNS.

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::keys::{MAIL_SERVER, MX};
use super::named::named_receiver;
use super::reader::{Reader, string, wrong_type};
use super::report::Mistakes;
use super::values::{address, domain_name};
use crate::dns::Zone;
use crate::name::{self, Name, RecordType};
use crate::smtp::Mailboxes;

/// The default preference of the first MX record, and the step to the next.
const PREFERENCE: u16 = 10;

/// A recipient domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The name of the domain.
    pub name: Name,
    /// The receiver by name or path; `None` for that of the scenario.
    pub receiver: Option<String>,
    /// The mail servers.
    pub(crate) servers: MailServers,
    /// The mailboxes; `None` for those of all domains of the scenario.
    pub(crate) recipients: Option<Vec<Mailboxes>>,
}

/// The mail servers of a domain in the DNS (RFC 5321 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MailServers {
    /// The host `mx` in the domain.
    Usual,
    /// The hosts of MX records.
    Mx(Vec<MailServer>),
    /// The domain itself, which has no MX record: with these addresses, or one that the world assigns if there are
    /// none.
    Implicit(Vec<IpAddr>),
    /// None: a null MX says that the domain accepts no mail (RFC 7505).
    Null,
}

/// A mail server with an MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailServer {
    /// The host name.
    pub name: Name,
    /// The preference of the MX record; senders try the lowest first.
    pub preference: u16,
    /// The addresses; `None` for one that the world assigns. With an empty list, the host has no address record.
    pub addresses: Option<Vec<IpAddr>>,
    /// The receiver by name or path; `None` for that of the domain.
    pub receiver: Option<String>,
    /// Whether nothing listens at the addresses.
    pub dead: bool,
}

impl Domain {
    /// A domain whose mail goes to the receiver of the scenario.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            receiver: None,
            servers: MailServers::Usual,
            recipients: None,
        }
    }
}

/// Reads all `[[domain]]` tables, and returns their positions.
pub(super) fn domains(
    file: &mut Reader<'_>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> (Vec<Domain>, Vec<Range<usize>>) {
    let (domains, spans): (Vec<Domain>, Vec<_>) = file
        .tables("domain", mistakes)
        .into_iter()
        .filter_map(|table| {
            let span = table.span();
            Some((domain(table, folder, mistakes)?, span))
        })
        .unzip();
    for (at, (one, span)) in domains.iter().zip(&spans).enumerate() {
        if domains[..at].iter().any(|other| other.name == one.name) {
            let found = format!("a second domain {}", name::display(&one.name));
            mistakes.add(span.clone(), "each recipient domain once", found);
        }
    }
    (domains, spans)
}

fn domain(mut table: Reader<'_>, folder: Option<&Path>, mistakes: &mut Mistakes) -> Option<Domain> {
    table.require("name", mistakes);
    let name = table.parsed("name", mistakes, domain_name);
    let receiver = named_receiver(&mut table, folder, mistakes);
    let listed = table.value("addresses").map(Spanned::span);
    let addresses = table.parsed_list("addresses", mistakes, address);
    let mx = table.value("mx");
    let servers = mx.map_or(MailServers::Usual, |value| {
        mail_servers(value, folder, mistakes)
    });
    let recipients = mailboxes(&mut table, "recipients", mistakes);
    table.finish();
    let servers = match (servers, addresses, listed) {
        (MailServers::Implicit(_), Some(addresses), _) => MailServers::Implicit(addresses),
        (servers, None, _) => servers,
        (servers, Some(_), at) => {
            let expected =
                "mx = [] with addresses; the addresses of an MX host belong in its own table";
            let found = if mx.is_some() { "another mx" } else { "no mx" };
            mistakes.add(at.unwrap_or_default(), expected, found);
            servers
        }
    };
    Some(Domain {
        name: name?,
        receiver,
        servers,
        recipients,
    })
}

/// Reads a list of mailboxes and patterns.
pub(super) fn mailboxes(
    table: &mut Reader<'_>,
    key: &'static str,
    mistakes: &mut Mistakes,
) -> Option<Vec<Mailboxes>> {
    table.parsed_list(key, mistakes, Mailboxes::read)
}

/// Reads `mx`: one host or a list of hosts; an empty list means that there is no MX record.
fn mail_servers(
    value: &Spanned<DeValue<'_>>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> MailServers {
    let values: Vec<_> = match value.get_ref() {
        DeValue::Array(array) => array.iter().collect(),
        _ => vec![value],
    };
    if values.is_empty() {
        return MailServers::Implicit(Vec::new());
    }
    let mut servers: Vec<MailServer> = Vec::new();
    let mut null = None;
    for (value, usual) in values
        .iter()
        .zip((1..).map(|nth: u16| nth.saturating_mul(PREFERENCE)))
    {
        let server = match value.get_ref() {
            DeValue::String(_) => written(value, usual, mistakes),
            DeValue::Table(inner) => {
                let table = Reader::new(inner, value.span(), &MAIL_SERVER, mistakes);
                tabled(table, usual, folder, mistakes)
            }
            _ => {
                wrong_type(value, MX, mistakes);
                None
            }
        };
        match server {
            Some(server) if server.name.is_root() => null = Some(value.span()),
            Some(server) if servers.iter().any(|other| other.name == server.name) => {
                let found = format!("a second {}", name::display(&server.name));
                mistakes.add(value.span(), "each MX host once", found);
            }
            server => servers.extend(server),
        }
    }
    match null {
        Some(span) if values.len() > 1 => {
            let expected = "a null MX (\".\") alone (RFC 7505 §3)";
            mistakes.add(span, expected, "a null MX with other hosts");
            MailServers::Mx(servers)
        }
        Some(_) => MailServers::Null,
        None => MailServers::Mx(servers),
    }
}

/// A host in the syntax of zone text: an optional preference, and a name; `.` is a null MX.
fn written(
    value: &Spanned<DeValue<'_>>,
    usual: u16,
    mistakes: &mut Mistakes,
) -> Option<MailServer> {
    let parse = |text: &str| {
        let (preference, host) = match text.split_once(char::is_whitespace) {
            Some((preference, host)) => (preference.parse().ok()?, host.trim()),
            None => (usual, text),
        };
        Some((preference, domain_name(host)?))
    };
    let expected = "a host such as \"mx1.example.test\" or \"10 mx1.example.test\"";
    let (preference, name) = string(value, mistakes)?.parsed(expected, mistakes, parse)?;
    Some(MailServer {
        name,
        preference,
        addresses: None,
        receiver: None,
        dead: false,
    })
}

fn tabled(
    mut table: Reader<'_>,
    usual: u16,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<MailServer> {
    table.require("name", mistakes);
    let name = table.parsed("name", mistakes, |text| {
        domain_name(text).filter(|name| !name.is_root())
    });
    let preference = table.number_as("preference", mistakes);
    let addresses = table.parsed_list("addresses", mistakes, address);
    let receiver = named_receiver(&mut table, folder, mistakes);
    let dead = table.flag("dead", mistakes).unwrap_or(false);
    table.finish();
    Some(MailServer {
        name: name?,
        preference: preference.unwrap_or(usual),
        addresses,
        receiver,
        dead,
    })
}

/// Reports an `mx` for a domain that has MX records in the text of a zone, and receivers that would share an address.
pub(super) fn contradictions(
    domains: &[Domain],
    spans: &[Range<usize>],
    zones: &[Zone],
    mistakes: &mut Mistakes,
) {
    let mut places: Vec<(Place<'_>, Option<&str>, bool)> = Vec::new();
    for (domain, span) in domains.iter().zip(spans) {
        let shown = name::display(&domain.name);
        let is_written = zones
            .iter()
            .any(|zone| zone.has(&domain.name, RecordType::MX));
        if is_written && domain.servers != MailServers::Usual {
            let expected = "mx here, or MX records in the text of the zone";
            mistakes.add(span.clone(), expected, format!("both for {shown}"));
        }
        for (place, receiver, dead) in used_places(domain) {
            let other = places.iter().find(|(other, ..)| *other == place);
            if let Some((_, other, was_dead)) = other
                && (*other != receiver || *was_dead != dead)
            {
                let expected = format!("one receiver for {}", place.shown());
                let found = format!("{} and {}", word(*other, *was_dead), word(receiver, dead));
                mistakes.add(span.clone(), expected, found);
            }
            places.push((place, receiver, dead));
        }
    }
}

/// A host or an address, which belongs to only one receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place<'d> {
    Host(&'d Name),
    Address(IpAddr),
}

impl Place<'_> {
    fn shown(self) -> String {
        match self {
            Self::Host(name) => name::display(name),
            Self::Address(address) => address.to_string(),
        }
    }
}

/// The hosts and addresses of a domain, each with its receiver and whether nothing listens there.
fn used_places(domain: &Domain) -> Vec<(Place<'_>, Option<&str>, bool)> {
    let of_domain = domain.receiver.as_deref();
    match &domain.servers {
        MailServers::Usual | MailServers::Null => Vec::new(),
        MailServers::Implicit(addresses) => addresses
            .iter()
            .map(|address| (Place::Address(*address), of_domain, false))
            .collect(),
        MailServers::Mx(servers) => servers
            .iter()
            .flat_map(|server| {
                let receiver = server.receiver.as_deref().or(of_domain);
                let addresses = server.addresses.iter().flatten();
                addresses
                    .map(|address| Place::Address(*address))
                    .chain([Place::Host(&server.name)])
                    .map(move |place| (place, receiver, server.dead))
            })
            .collect(),
    }
}

fn word(receiver: Option<&str>, dead: bool) -> String {
    match (dead, receiver) {
        (true, _) => "none (dead = true)".to_owned(),
        (false, Some(receiver)) => format!("{receiver:?}"),
        (false, None) => "that of the scenario".to_owned(),
    }
}
