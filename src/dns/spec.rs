//! Faults as written in scenario files and in the HTTP API: keys, values and mistakes.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize};

use super::fault::{Action, Fault, Order};
use super::{Transport, rdata};
use crate::name::RecordType;
use crate::time::WrittenTime;

// The keys of `[[fault]]` in scenario files, and of a fault over HTTP.
/// A DNS fault. Durations are texts such as `500ms` or `3s`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = FaultView))]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultSpec {
    /// A domain name, or `*.` and a domain name for all names below it.
    #[cfg_attr(feature = "http", schema(example = "*.example.test"))]
    pub(crate) name: String,
    /// The record type of the queries that it applies to, such as `PTR`; all types by default.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) record_type: Option<String>,
    /// The transport, `udp` or `tcp`; both by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<String>,
    /// The kind of fault.
    #[serde(rename = "do", deserialize_with = "required")]
    #[cfg_attr(feature = "http", schema(value_type = String, example = "servfail"))]
    pub(crate) action: Option<String>,
    /// The number of the first query that it applies to, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 1))]
    pub(crate) from: Option<u64>,
    /// The number of queries that it applies to; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub(crate) times: Option<u64>,
    /// It applies to `times` queries out of every `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 1))]
    pub(crate) every: Option<u64>,
    /// The delay of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, example = "3s"))]
    pub(crate) delay: Option<WrittenTime>,
    /// The maximum random time added to the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>))]
    pub(crate) jitter: Option<WrittenTime>,
    /// The seed of `jitter` and `order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub(crate) seed: Option<u64>,
    /// The TTL for the kind `ttl`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub(crate) ttl: Option<u64>,
    /// The number of CNAME records for the kind `cname-chain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 1))]
    pub(crate) length: Option<u64>,
    /// The size of the answer for the kind `oversized`, in octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(minimum = 513))]
    pub(crate) octets: Option<u64>,
    /// The order of the records for the kind `reorder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<String>,
    /// The address in the answer for the kind `wrong-answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The number of queries that matched name, type and transport. PUT and POST ignore it and start from 0.
    #[serde(default)]
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub(crate) seen: u64,
    /// The number of queries that it took effect on. PUT and POST ignore it and start from 0.
    #[serde(default)]
    #[cfg_attr(feature = "http", schema(minimum = 0))]
    pub(crate) fired: u64,
}

/// A key that a request must have. A file can lack it, because the file reader reports that itself.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// A mistake in one key of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultMistake {
    /// The key.
    pub key: &'static str,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl FaultSpec {
    /// Makes the fault.
    ///
    /// # Errors
    /// All mistakes, each with its key.
    pub(crate) fn build(&self) -> Result<Fault, Vec<FaultMistake>> {
        let mut reading = Reading {
            spec: self,
            mistakes: Vec::new(),
        };
        reading.time("delay", self.delay.as_ref());
        reading.time("jitter", self.jitter.as_ref());
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
        let time = |written: &Option<WrittenTime>| written.as_ref().map(WrittenTime::time);
        let (delay, jitter) = (time(&self.delay), time(&self.jitter));
        fault = fault
            .delayed(delay.unwrap_or_default(), jitter.unwrap_or_default())
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
    pub(crate) fn of(fault: &Fault) -> Self {
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
            delay: (!delay.is_zero()).then(|| delay.into()),
            jitter: (!jitter.is_zero()).then(|| jitter.into()),
            seed: Some(seed).filter(|seed| *seed != 1 && seeded),
            seen: fault.seen(),
            fired: fault.fired(),
            ..Self::default()
        };
        match fault.action() {
            Action::Ttl(ttl) => spec.ttl = Some(ttl.into()),
            Action::CnameChain(links) => spec.length = Some(links.into()),
            Action::Oversized(octets) => spec.octets = Some(octets.into()),
            Action::Reorder(order) => spec.order = Some(order.word().to_owned()),
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

    fn time(&mut self, key: &'static str, written: Option<&WrittenTime>) {
        if let Some(WrittenTime::Unreadable(text)) = written {
            let expected = "a time such as 500ms, 5s or 2m";
            self.add(key, expected, format!("{text:?}"));
        }
    }

    fn action(&mut self) -> Option<Action> {
        let words = || Action::WORDS.join(", ");
        let Some(word) = self.spec.action.as_deref() else {
            self.add("do", format!("do = one of {}", words()), "none");
            return None;
        };
        let known = Action::ALL.iter().find(|action| action.word() == word);
        self.foreign_keys(word, known.copied());
        let Some(action) = known else {
            self.add("do", format!("one of {}", words()), format!("{word:?}"));
            return None;
        };
        let spec = self.spec;
        Some(match *action {
            Action::WrongAnswer(_) => Action::WrongAnswer(self.address()),
            Action::CnameChain(links) => {
                let links = spec.length.unwrap_or(links.into());
                Action::CnameChain(self.number("length", links, 1..=200)?)
            }
            Action::Oversized(octets) => {
                let octets = spec.octets.unwrap_or(octets.into());
                Action::Oversized(self.number("octets", octets, 513..=65_000)?)
            }
            Action::Ttl(_) => Action::Ttl(self.ttl()?),
            Action::Reorder(_) => Action::Reorder(self.order()?),
            action => action,
        })
    }

    /// Reports keys that have no meaning for this kind, and a missing delay of `delay`.
    fn foreign_keys(&mut self, word: &str, action: Option<Action>) {
        let spec = self.spec;
        let silent = action.is_some_and(Action::is_silent);
        let parameter = action.and_then(Action::parameter);
        if action == Some(Action::Delay) && spec.delay.is_none() {
            self.add("delay", "delay = \"3s\" with do = \"delay\"", "none");
        }
        let order = spec.order.as_deref();
        let seeded = spec.jitter.is_some() || order == Some(Order::Seeded.word());
        if let Some(seed) = spec.seed.filter(|_| !seeded) {
            let found = format!("seed = {seed} without them");
            self.add("seed", "jitter or order = \"seeded\" with a seed", found);
        }
        for (key, is_set, is_allowed) in [
            ("delay", spec.delay.is_some(), !silent),
            ("jitter", spec.jitter.is_some(), !silent),
            ("ttl", spec.ttl.is_some(), parameter == Some("ttl")),
            ("length", spec.length.is_some(), parameter == Some("length")),
            ("octets", spec.octets.is_some(), parameter == Some("octets")),
            ("order", spec.order.is_some(), parameter == Some("order")),
            (
                "address",
                spec.address.is_some(),
                parameter == Some("address"),
            ),
        ] {
            if is_set && !is_allowed {
                self.add(key, format!("no {key} with do = {word:?}"), key);
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
            self.add("ttl", "ttl = 0 or more seconds with do = \"ttl\"", "none");
            return None;
        };
        self.number("ttl", ttl, 0..=u64::from(u32::MAX))
    }

    fn order(&mut self) -> Option<Order> {
        let word = self.spec.order.as_deref();
        let known = Order::ALL
            .into_iter()
            .find(|(known, _)| Some(*known) == word);
        if known.is_none() {
            let found = word.map_or("none".to_owned(), |word| format!("{word:?}"));
            let expected = format!("order = one of {}", Order::WORDS.join(", "));
            self.add("order", expected, found);
        }
        known.map(|(_, order)| order)
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
        // ANY is not a type of records, but of questions.
        let any = text.eq_ignore_ascii_case("ANY").then_some(super::kind::ANY);
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
                    format!("{}, the only transport of this fault", only.word()),
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
            (None, Some(_)) => self.add("every", "times with every", "none"),
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
