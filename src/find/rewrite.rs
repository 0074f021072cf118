//! A scenario from a bounce: with its client address, HELO name and envelope, and with DNS that causes the same reply.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use super::cases::Stage;
use super::commands::{self, toml_text};
use super::rank::Candidate;
use super::{Finder, Found, Match, cases};
use crate::check::{Attempt, judge};
use crate::facts::CountBy;
use crate::name::{self, Name};
use crate::policy::Bulk;
use crate::scenario::{self, ReceiverProfile};

/// The client address if the bounce has none (RFC 5737).
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
/// The HELO name if the bounce has none.
const HELO: &str = "mail.example.test";
/// Maximum number of matches that are tried.
const TRIED: usize = 6;
/// The domain of a PTR name that is not the HELO name.
const ELSEWHERE: &str = "provider.test";

/// A scenario written from a bounce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The scenario file.
    pub text: String,
    /// Whether the receiver gives the same reply to the client of this scenario.
    pub same_reply: bool,
}

/// The DNS data of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dns {
    Right,
    NoPtr,
    PtrWithoutAddress,
    PtrElsewhere,
    PtrGenerated,
    HeloWithoutAddress,
    HeloElsewhere,
    NoSpf,
    SpfFails,
    NoSender,
    ReverseFails,
}

impl Dns {
    const ALL: [Self; 11] = [
        Self::NoPtr,
        Self::PtrWithoutAddress,
        Self::PtrElsewhere,
        Self::PtrGenerated,
        Self::HeloWithoutAddress,
        Self::HeloElsewhere,
        Self::NoSpf,
        Self::SpfFails,
        Self::NoSender,
        Self::ReverseFails,
        Self::Right,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Right => "PTR, address and SPF are right",
            Self::NoPtr => "the client address has no PTR record",
            Self::PtrWithoutAddress => "the PTR name has no address",
            Self::PtrElsewhere => "the PTR name is not the HELO name",
            Self::PtrGenerated => "the PTR name looks generated",
            Self::HeloWithoutAddress => "the HELO name has no address",
            Self::HeloElsewhere => "the HELO name has another address",
            Self::NoSpf => "the sender's domain has no SPF record",
            Self::SpfFails => {
                "the SPF record of the sender's domain does not permit the client address"
            }
            Self::NoSender => "the sender's domain has neither MX nor address",
            Self::ReverseFails => "the DNS servers of the client address fail",
        }
    }
}

struct Client {
    address: IpAddr,
    helo: String,
    sender: String,
}

/// Writes a scenario with the client of a bounce.
pub fn scenario_of(finder: &Finder, found: &Found) -> Rewritten {
    let sent = &found.sent;
    let helo = sent
        .helo
        .clone()
        .filter(|helo| name::absolute(helo).is_some());
    let sender = sent
        .sender
        .clone()
        .filter(|sender| crate::smtp::is_mailbox(sender));
    let client = Client {
        address: sent.client.unwrap_or(CLIENT),
        helo: helo.unwrap_or_else(|| HELO.to_owned()),
        sender: sender.unwrap_or_else(|| "sender@example.test".to_owned()),
    };
    for matched in found.matches.iter().take(TRIED) {
        let candidates = &finder.index.candidates;
        let of_match = |candidate: &&Candidate| {
            candidate.pattern.lines == matched.reply
                && finder.receiver_name(candidate) == matched.receiver
        };
        let candidates: Vec<_> = candidates.iter().filter(of_match).collect();
        let Some(profile) = candidates
            .first()
            .map(|candidate| finder.receiver(candidate))
        else {
            continue;
        };
        for dns in Dns::ALL {
            let text = write(found, &client, dns, Some(matched));
            let Ok(scenario) = scenario::parse_scenario("bounce", &text) else {
                continue;
            };
            let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
            let attempt = Attempt::of(&scenario, client.address, &client.helo);
            let judgement = judge(&profile.receiver, &zones, profile.dns_timeout, &attempt);
            let mut reply_matches = candidates
                .iter()
                .map(|c| cases::has_reply_of(&judgement, c.check, &c.pattern));
            if reply_matches.any(|matches| matches) {
                return Rewritten {
                    text,
                    same_reply: true,
                };
            }
        }
        let conduct = candidates
            .iter()
            .find_map(|candidate| of_conduct(found, &client, matched, candidate, &profile));
        if let Some(text) = conduct {
            return Rewritten {
                text,
                same_reply: true,
            };
        }
    }
    Rewritten {
        text: write(found, &client, Dns::Right, None),
        same_reply: false,
    }
}

/// A scenario in which the client does what the rule is about: it has sent a lot, comes often, or deviates from the usual
/// dialogue.
fn of_conduct(
    found: &Found,
    client: &Client,
    matched: &Match,
    candidate: &Candidate,
    profile: &ReceiverProfile,
) -> Option<String> {
    let rule = profile.receiver.policy.rules().get(candidate.nth?)?;
    let volume = rule.bulk.as_ref().map(|bulk| volume(bulk, client));
    [Dns::Right, Dns::NoSpf].into_iter().find_map(|dns| {
        let text = without_expectation(found, client, dns, Some(matched));
        let text = text + volume.as_deref().unwrap_or_default();
        let scenario = scenario::parse_scenario("bounce", &text).ok()?;
        let stage = Stage::of(std::slice::from_ref(&scenario));
        let case = stage.find(profile, candidate.check, candidate.nth, &candidate.pattern)?;
        let test = commands::expectation(&case, &matched.receiver);
        let (_, test) = test.split_once('\n')?;
        Some(format!("{text}\n{test}"))
    })
}

/// The `[[sent]]` of a sender whom a rule for bulk senders binds.
fn volume(bulk: &Bulk, client: &Client) -> String {
    let domain = client
        .sender
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain);
    let address = client.address.to_string();
    let (key, who) = match bulk.by {
        CountBy::Client => ("client", address.as_str()),
        CountBy::SenderDomain => ("sender_domain", domain),
        CountBy::FromDomain => ("from_domain", domain),
    };
    let messages = bulk.messages.saturating_sub(1);
    format!(
        "\n[[sent]]\n{key} = {}\nmessages = {messages}\n",
        toml_text(who)
    )
}

fn write(found: &Found, client: &Client, dns: Dns, of: Option<&Match>) -> String {
    without_expectation(found, client, dns, of)
        + &of
            .map(|matched| expectation(client, matched))
            .unwrap_or_default()
}

fn expectation(client: &Client, matched: &Match) -> String {
    let code: String = matched
        .reply
        .first()
        .map(|line| line.chars().take(3).collect())
        .unwrap_or_default();
    let rule = matched
        .rule
        .map(|rule| format!("rule     = \"{rule}\"\n"))
        .unwrap_or_default();
    format!(
        "\n[[expect]]\nclient   = \"{}\"\nhelo     = {}\nreceiver = \"{}\"\nreply    = \"{code}\"\n{rule}",
        client.address,
        toml_text(&client.helo),
        matched.receiver
    )
}

fn without_expectation(found: &Found, client: &Client, dns: Dns, of: Option<&Match>) -> String {
    let sent = &found.sent;
    let mut text = String::from(
        "# Written by `martinet find --scenario-out` from a bounce. DNS as it was is not in a bounce:\n",
    );
    let _ = writeln!(text, "# here {}.", dns.words());
    let known = [
        ("client address", sent.client.is_some()),
        ("HELO name", sent.helo.is_some()),
        ("sender", sent.sender.is_some()),
    ];
    for (what, _) in known.iter().filter(|(_, known)| !known) {
        let _ = writeln!(
            text,
            "# The bounce does not name the {what}: the one here is an example."
        );
    }
    let to = sent.receiver.as_deref().unwrap_or("the receiver");
    let at = sent
        .time
        .as_deref()
        .map(|time| format!(", {time}"))
        .unwrap_or_default();
    let _ = writeln!(
        text,
        "title    = {}",
        toml_text(&format!("Refused by {to}{at}"))
    );
    if let Some(matched) = of {
        let _ = writeln!(text, "receiver = \"{}\"", matched.receiver);
    }
    let _ = writeln!(
        text,
        "sender   = {}\n\n[[domain]]\nname = \"contoso.test\"",
        toml_text(&client.sender)
    );
    for (origin, records) in zones(client, dns) {
        let _ = writeln!(
            text,
            "\n[[zone]]\norigin = \"{origin}\"\ntext = '''\n{}'''",
            records
        );
    }
    if dns == Dns::ReverseFails {
        let owner = name::reverse(client.address).to_ascii();
        let _ = writeln!(
            text,
            "\n[[fault]]\nname = \"{owner}\"\ntype = \"PTR\"\ndo   = \"servfail\""
        );
    }
    let _ = writeln!(
        text,
        "\n[[pool]]\nname      = \"mail\"\naddresses = [\"{}\"]\nhelo      = {}",
        client.address,
        toml_text(&client.helo)
    );
    text
}

/// Records by zone: the HELO name's, the sender's and the client address's.
fn zones(client: &Client, dns: Dns) -> BTreeMap<String, String> {
    let mut zones = Records::default();
    let helo = client.helo.trim_end_matches('.');
    let other = match client.address {
        IpAddr::V4(_) => IpAddr::from([203, 0, 113, 1]),
        IpAddr::V6(_) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
    };
    let record = match dns {
        Dns::HeloWithoutAddress => format!("unused.{}  A  192.0.2.1", origin(helo)),
        Dns::HeloElsewhere => address_record(helo, other),
        _ => address_record(helo, client.address),
    };
    zones.add(origin(helo), record);
    zones.add_sender(client, dns, helo);
    zones.add_reverse(client, dns, helo);
    zones.0
}

fn address_record(owner: &str, address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{owner}.  A  {v4}"),
        IpAddr::V6(v6) => format!("{owner}.  AAAA  {v6}"),
    }
}

/// The lines of zone text, by the origin of their zone.
#[derive(Default)]
struct Records(BTreeMap<String, String>);

impl Records {
    fn add(&mut self, origin: String, record: String) {
        let records = self.0.entry(origin).or_default();
        records.push_str(&record);
        records.push('\n');
    }

    /// Adds the MX and SPF records of the sender's domain.
    fn add_sender(&mut self, client: &Client, dns: Dns, helo: &str) {
        if dns == Dns::NoSender {
            return;
        }
        let sender = client.sender.rsplit_once('@');
        let domain = sender.map_or("example.test", |(_, domain)| domain);
        self.add(origin(domain), format!("{domain}.  MX  10 {helo}."));
        let permits = match (dns, client.address) {
            (Dns::NoSpf, _) => return,
            (Dns::SpfFails, _) => String::new(),
            (_, IpAddr::V4(v4)) => format!(" ip4:{v4}"),
            (_, IpAddr::V6(v6)) => format!(" ip6:{v6}"),
        };
        let record = format!("{domain}.  TXT  \"v=spf1{permits} -all\"");
        self.add(origin(domain), record);
    }

    /// Adds the PTR record of the client, and the address of its target if that is not the HELO name.
    fn add_reverse(&mut self, client: &Client, dns: Dns, helo: &str) {
        let elsewhere = match (dns, client.address) {
            (Dns::PtrWithoutAddress, _) => Some(format!("gone.{ELSEWHERE}")),
            (Dns::PtrElsewhere, _) => Some(format!("mail.{ELSEWHERE}")),
            (Dns::PtrGenerated, IpAddr::V4(v4)) => Some(format!(
                "dyn-{}.{ELSEWHERE}",
                v4.to_string().replace('.', "-")
            )),
            (Dns::PtrGenerated, IpAddr::V6(_)) => Some(format!("dyn-0123.{ELSEWHERE}")),
            _ => None,
        };
        if let Some(target) = &elsewhere {
            let owner = if dns == Dns::PtrWithoutAddress {
                format!("other.{ELSEWHERE}")
            } else {
                target.clone()
            };
            self.add(
                format!("{ELSEWHERE}."),
                address_record(&owner, client.address),
            );
        }
        let reverse = name::reverse(client.address).to_ascii();
        let target = elsewhere.unwrap_or_else(|| helo.to_owned());
        if dns == Dns::NoPtr {
            let parent = reverse
                .split_once('.')
                .map_or(reverse.as_str(), |(_, parent)| parent)
                .to_owned();
            self.add(
                parent.clone(),
                format!(
                    "unused.{parent}  TXT  \"no PTR record for {}\"",
                    client.address
                ),
            );
        } else {
            self.add(reverse.clone(), format!("{reverse}  PTR  {target}."));
        }
    }
}

/// The zone of a name: its organisational domain, or the name itself without one.
fn origin(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let domain = name::registrable(&host).map(str::to_owned).unwrap_or(host);
    let origin: Option<Name> = name::absolute(&domain);
    origin.map_or_else(|| format!("{domain}."), |origin| origin.to_ascii())
}
