//! Faults as written in scenario files and in the HTTP API: keys, values and mistakes.

use std::net::IpAddr;
use std::time::Duration;

use super::fault::{Action, Fault, Order};
use super::{Transport, rdata};
use crate::name::RecordType;

/// Default number of CNAMEs of a chain: one more than unbound follows.
const LINKS: u64 = 12;
/// Default size of an oversized answer, in octets.
const OVERSIZED: u64 = 4_096;

/// A fault as written, not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSpec {
    /// `name`: a name, or `*.` and a name for all names below it.
    pub name: String,
    /// `type`: a record type; all where `None`.
    pub record_type: Option<String>,
    /// `transport`: `udp` or `tcp`; both where `None`.
    pub transport: Option<String>,
    /// `do`: a word of [`FaultSpec::WORDS`].
    pub action: Option<String>,
    /// `from`: the first question that meets it, from 1.
    pub from: Option<u64>,
    /// `times`: how many questions meet it.
    pub times: Option<u64>,
    /// `every`: of how many, again and again.
    pub every: Option<u64>,
    /// `delay`: how late the answer is.
    pub delay: Option<Duration>,
    /// `jitter`: how much later it may be.
    pub jitter: Option<Duration>,
    /// `seed`: of jitter and order.
    pub seed: Option<u64>,
    /// `ttl`, in seconds: for `ttl`.
    pub ttl: Option<u64>,
    /// `length`, in CNAMEs: for `cname-chain`.
    pub length: Option<u64>,
    /// `octets`: for `oversized`.
    pub octets: Option<u64>,
    /// `order`: for `reorder`.
    pub order: Option<String>,
    /// `address`: for `wrong-answer`.
    pub address: Option<String>,
}

/// A mistake in one key of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultMistake {
    /// The key.
    pub key: &'static str,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl FaultSpec {
    /// The kinds of faults.
    pub const WORDS: [&'static str; 22] = [
        "nxdomain",
        "nodata",
        "servfail",
        "refused",
        "notimp",
        "formerr",
        "drop",
        "delay",
        "truncate",
        "tcp-refused",
        "tcp-hang",
        "lame",
        "referral",
        "wrong-id",
        "wrong-question",
        "wrong-answer",
        "cname-loop",
        "cname-chain",
        "oversized",
        "ttl",
        "reorder",
        "malformed",
    ];
    /// The orders of `reorder`.
    pub const ORDERS: [&'static str; 3] = ["fixed", "round-robin", "seeded"];

    /// Makes the fault.
    ///
    /// # Errors
    /// All mistakes, each with its key.
    pub fn build(&self) -> Result<Fault, Vec<FaultMistake>> {
        let mut reading = Reading {
            spec: self,
            mistakes: Vec::new(),
        };
        let action = reading.action();
        let record_type = reading.record_type();
        let transport = reading.transport(action);
        reading.schedule();
        let fault = Fault::new(&self.name, action.unwrap_or(Action::Drop));
        if fault.is_none() {
            reading.add(
                "name",
                "a domain name, or *. and a domain name",
                format!("{:?}", self.name),
            );
        }
        let (Some(mut fault), true) = (fault, reading.mistakes.is_empty()) else {
            return Err(reading.mistakes);
        };
        let delay = self.delay.unwrap_or_default();
        fault = fault
            .delayed(delay, self.jitter.unwrap_or_default())
            .from_question(self.from.unwrap_or(1));
        if let Some(record_type) = record_type {
            fault = fault.of_type(record_type);
        }
        if let Some(transport) = transport {
            fault = fault.over(transport);
        }
        if let Some(times) = self.times {
            fault = fault.times(times);
        }
        if let Some(every) = self.every {
            fault = fault.every(every);
        }
        Ok(fault.seeded(self.seed.unwrap_or(1)))
    }

    /// The written form of a fault.
    pub fn of(fault: &Fault) -> Self {
        let (from, times, every) = fault.schedule();
        let (delay, jitter, seed) = fault.timing();
        let seeded = !jitter.is_zero() || fault.action() == Action::Reorder(Order::Seeded);
        let mut spec = Self {
            name: fault.pattern(),
            record_type: fault.record_type().map(|t| rdata::type_text(t.into())),
            transport: fault.transport().map(|t| t.word().to_owned()),
            action: Some(fault.action().word().to_owned()),
            from: (from != 1).then_some(from),
            times,
            every,
            delay: (!delay.is_zero()).then_some(delay),
            jitter: (!jitter.is_zero()).then_some(jitter),
            seed: Some(seed).filter(|seed| *seed != 1 && seeded),
            ..Self::default()
        };
        match fault.action() {
            Action::Ttl(ttl) => spec.ttl = Some(ttl.into()),
            Action::CnameChain(links) => spec.length = Some(links.into()),
            Action::Oversized(octets) => spec.octets = Some(octets.into()),
            Action::Reorder(order) => spec.order = Some(Self::ORDERS[order as usize].to_owned()),
            Action::WrongAnswer(address) => spec.address = address.map(|a| a.to_string()),
            _ => {}
        }
        spec
    }
}

struct Reading<'s> {
    spec: &'s FaultSpec,
    mistakes: Vec<FaultMistake>,
}

impl Reading<'_> {
    fn add(&mut self, key: &'static str, expected: impl Into<String>, found: impl Into<String>) {
        self.mistakes.push(FaultMistake {
            key,
            expected: expected.into(),
            found: found.into(),
        });
    }

    fn action(&mut self) -> Option<Action> {
        let Some(word) = self.spec.action.as_deref() else {
            self.add(
                "do",
                format!("do = one of {}", FaultSpec::WORDS.join(", ")),
                "none",
            );
            return None;
        };
        self.foreign_keys(word);
        Some(match word {
            "nxdomain" => Action::NxDomain,
            "nodata" => Action::NoData,
            "servfail" => Action::ServFail,
            "refused" => Action::Refused,
            "notimp" => Action::NotImp,
            "formerr" => Action::FormErr,
            "drop" => Action::Drop,
            "delay" => Action::Delay,
            "truncate" => Action::Truncate,
            "tcp-refused" => Action::TcpRefused,
            "tcp-hang" => Action::TcpHang,
            "lame" => Action::Lame,
            "referral" => Action::Referral,
            "wrong-id" => Action::WrongId,
            "wrong-question" => Action::WrongQuestion,
            "wrong-answer" => Action::WrongAnswer(self.address()),
            "cname-loop" => Action::CnameLoop,
            "cname-chain" => Action::CnameChain(self.number(
                "length",
                self.spec.length.unwrap_or(LINKS),
                1..=200,
            )?),
            "oversized" => Action::Oversized(self.number(
                "octets",
                self.spec.octets.unwrap_or(OVERSIZED),
                513..=65_000,
            )?),
            "ttl" => Action::Ttl(self.ttl()?),
            "reorder" => Action::Reorder(self.order()?),
            "malformed" => Action::Malformed,
            other => {
                self.add(
                    "do",
                    format!("one of {}", FaultSpec::WORDS.join(", ")),
                    format!("{other:?}"),
                );
                return None;
            }
        })
    }

    /// Reports keys that have no meaning for this kind, and a missing delay of `delay`.
    fn foreign_keys(&mut self, word: &str) {
        let spec = self.spec;
        let silent = matches!(word, "drop" | "tcp-refused" | "tcp-hang");
        if word == "delay" && spec.delay.is_none() {
            self.add("delay", "delay = \"3s\" beside do = \"delay\"", "none");
        }
        let seeded = spec.jitter.is_some() || spec.order.as_deref() == Some("seeded");
        if let Some(seed) = spec.seed.filter(|_| !seeded) {
            let found = format!("seed = {seed} without them");
            self.add("seed", "jitter or order = \"seeded\" beside a seed", found);
        }
        for (key, given, belongs) in [
            ("delay", spec.delay.is_some(), !silent),
            ("jitter", spec.jitter.is_some(), !silent),
            ("ttl", spec.ttl.is_some(), word == "ttl"),
            ("length", spec.length.is_some(), word == "cname-chain"),
            ("octets", spec.octets.is_some(), word == "oversized"),
            ("order", spec.order.is_some(), word == "reorder"),
            ("address", spec.address.is_some(), word == "wrong-answer"),
        ] {
            if given && !belongs {
                self.add(key, format!("no {key} beside do = {word:?}"), key);
            }
        }
    }

    fn number<N: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        value: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<N> {
        let number = N::try_from(value).ok().filter(|_| range.contains(&value));
        if number.is_none() {
            self.add(
                key,
                format!("a number from {} to {}", range.start(), range.end()),
                value.to_string(),
            );
        }
        number
    }

    fn ttl(&mut self) -> Option<u32> {
        let Some(ttl) = self.spec.ttl else {
            self.add("ttl", "ttl = 0 or more seconds beside do = \"ttl\"", "none");
            return None;
        };
        self.number("ttl", ttl, 0..=u64::from(u32::MAX))
    }

    fn order(&mut self) -> Option<Order> {
        let expected = format!("order = one of {}", FaultSpec::ORDERS.join(", "));
        match self.spec.order.as_deref() {
            Some("fixed") => Some(Order::Fixed),
            Some("round-robin") => Some(Order::RoundRobin),
            Some("seeded") => Some(Order::Seeded),
            other => {
                self.add(
                    "order",
                    expected,
                    other.map_or("none".to_owned(), |word| format!("{word:?}")),
                );
                None
            }
        }
    }

    fn address(&mut self) -> Option<IpAddr> {
        let text = self.spec.address.as_deref()?;
        let address = text.parse().ok();
        if address.is_none() {
            self.add("address", "an address", format!("{text:?}"));
        }
        address
    }

    fn record_type(&mut self) -> Option<RecordType> {
        let text = self.spec.record_type.as_deref()?;
        // ANY is no type of records, and yet questions have it.
        let any = text
            .eq_ignore_ascii_case("ANY")
            .then_some(super::zone::kind::ANY);
        let kind = any.or_else(|| rdata::record_type(text));
        if kind.is_none() {
            self.add(
                "type",
                "a record type such as A, PTR or MX",
                format!("{text:?}"),
            );
        }
        kind.map(RecordType::from)
    }

    fn transport(&mut self, action: Option<Action>) -> Option<Transport> {
        let word = self.spec.transport.as_deref()?;
        let known = [Transport::Udp, Transport::Tcp]
            .into_iter()
            .find(|t| t.word() == word);
        match (known, action.and_then(Action::only)) {
            (None, _) => self.add("transport", "one of udp, tcp", format!("{word:?}")),
            (Some(transport), Some(only)) if transport != only => {
                self.add(
                    "transport",
                    format!("{}, on which alone it can happen", only.word()),
                    format!("{word:?}"),
                );
            }
            _ => {}
        }
        known
    }

    fn schedule(&mut self) {
        let FaultSpec {
            from, times, every, ..
        } = *self.spec;
        if from == Some(0) {
            self.add("from", "a number from 1", "0");
        }
        match (times, every) {
            (None, Some(_)) => self.add("every", "times beside every", "none"),
            (Some(times), Some(every)) if times >= every => {
                self.add(
                    "every",
                    format!("a number above times = {times}"),
                    every.to_string(),
                );
            }
            _ => {}
        }
    }
}
