//! The evaluation of records: check_host() (RFC 7208 §4), its mechanisms (§5) and modifiers (§6).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;

use super::macros::{MacroString, Values};
use super::record::{Directive, Mechanism, Prefixes, Qualifier, SpfRecord, is_spf, parse};
use super::{DNS_TERMS, REDIRECT, Spf, SpfQuery, SpfResult, SpfStep, VOID_LOOKUPS};
use crate::facts::{Lookup, LookupRecord, Outcome};
use crate::name::{self, LABEL_OCTETS, Name, RecordType};

/// Maximum number of names in one MX or PTR answer (RFC 7208 §4.6.4).
const NAMES: usize = 10;

/// One evaluation with its counts.
pub(super) struct Evaluation<'a> {
    query: SpfQuery<'a>,
    lookup: &'a dyn Lookup,
    evidence: &'a mut Vec<Arc<LookupRecord>>,
    local_part: &'a str,
    sender_domain: &'a str,
    dns_terms: u32,
    void_lookups: u32,
    elapsed: Duration,
    matched: String,
    steps: Vec<SpfStep>,
}

/// The reason why an evaluation stops: temperror or permerror, with the problem.
struct Stop(SpfResult, String);

fn permerror(problem: impl Into<String>) -> Stop {
    Stop(SpfResult::PermError, problem.into())
}

type Evaluated<T> = Result<T, Stop>;

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        query: &'a SpfQuery<'a>,
        lookup: &'a dyn Lookup,
        evidence: &'a mut Vec<Arc<LookupRecord>>,
    ) -> Self {
        let (local_part, sender_domain) = match query.sender.rsplit_once('@') {
            Some(("", domain)) => ("postmaster", domain),
            Some((local_part, domain)) => (local_part, domain),
            None if query.sender.is_empty() => ("postmaster", query.helo),
            None => ("postmaster", query.sender),
        };
        let (dns_terms, void_lookups, elapsed, matched) = (0, 0, Duration::ZERO, String::new());
        let query = SpfQuery {
            ip: name::normalise(query.ip),
            ..*query
        };
        Self {
            query,
            lookup,
            evidence,
            local_part,
            sender_domain,
            dns_terms,
            void_lookups,
            elapsed,
            matched,
            steps: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Spf {
        let domain = self.sender_domain.to_owned();
        let mut explanation = String::new();
        let (result, problem) = match self.check_host(&domain) {
            Ok((result, exp)) => {
                if let (SpfResult::Fail, Some((target, of))) = (result, exp) {
                    explanation = self.explain(&target, &of).unwrap_or_default();
                }
                (result, String::new())
            }
            Err(Stop(result, problem)) => (result, problem),
        };
        let mechanism = if problem.is_empty() {
            self.matched
        } else {
            String::new()
        };
        let (dns_terms, void_lookups, elapsed) = (self.dns_terms, self.void_lookups, self.elapsed);
        Spf {
            result,
            domain,
            mechanism,
            explanation,
            problem,
            dns_terms,
            void_lookups,
            elapsed,
            steps: self.steps,
        }
    }

    /// The result for a domain, and its `exp` modifier with the domain of the record.
    fn check_host(
        &mut self,
        domain: &str,
    ) -> Evaluated<(SpfResult, Option<(MacroString, String)>)> {
        let Some(record) = self.record(domain)? else {
            return Ok((SpfResult::None, None));
        };
        for directive in &record.directives {
            let matches = self.matches(directive, domain);
            self.step(domain, &directive.text);
            if matches? {
                self.matched.clone_from(&directive.text);
                let result = match directive.qualifier {
                    Qualifier::Pass => SpfResult::Pass,
                    Qualifier::Fail => SpfResult::Fail,
                    Qualifier::SoftFail => SpfResult::SoftFail,
                    Qualifier::Neutral => SpfResult::Neutral,
                };
                return Ok((
                    result,
                    record.explanation.map(|exp| (exp, domain.to_owned())),
                ));
            }
        }
        let Some(redirect) = record.redirect else {
            return Ok((SpfResult::Neutral, None));
        };
        let redirected = self.count_term().and_then(|()| {
            let target = self.expand(&redirect, domain);
            Ok((self.check_host(&target)?, target))
        });
        self.step(domain, REDIRECT);
        let (result, target) = redirected?;
        match result {
            (SpfResult::None, _) => Err(permerror(format!("redirect={target} has no SPF record"))),
            result => Ok(result),
        }
    }

    fn step(&mut self, domain: &str, term: &str) {
        self.steps.push(SpfStep {
            domain: domain.to_owned(),
            term: term.to_owned(),
            dns_terms: self.dns_terms,
            void_lookups: self.void_lookups,
        });
    }

    /// The only SPF record of a domain (§4.4, §4.5).
    fn record(&mut self, domain: &str) -> Evaluated<Option<SpfRecord>> {
        let Some(name) = multi_label(domain) else {
            return Ok(None);
        };
        let records = self.ask(&name, RecordType::TXT)?;
        let texts: Vec<Vec<u8>> = records
            .iter()
            .filter_map(text)
            .filter(|text| is_spf(text))
            .collect();
        match texts.as_slice() {
            [] => Ok(None),
            [one] => parse(one)
                .map(Some)
                .map_err(|problem| permerror(format!("{domain}: {problem}"))),
            _ => Err(permerror(format!("{domain} has {} records", texts.len()))),
        }
    }

    fn matches(&mut self, directive: &Directive, domain: &str) -> Evaluated<bool> {
        match &directive.mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(net) => Ok(net.contains(&self.query.ip)),
            Mechanism::Include(target) => self.include(target, domain),
            Mechanism::A(target, prefixes) => self.a(target.as_ref(), *prefixes, domain),
            Mechanism::Mx(target, prefixes) => self.mx(target.as_ref(), *prefixes, domain),
            Mechanism::Ptr(target) => self.ptr(target.as_ref(), domain),
            Mechanism::Exists(target) => self.exists(target, domain),
        }
    }

    fn include(&mut self, target: &MacroString, domain: &str) -> Evaluated<bool> {
        self.count_term()?;
        let target = self.expand(target, domain);
        match self.check_host(&target)?.0 {
            SpfResult::Pass => Ok(true),
            SpfResult::None => Err(permerror(format!("include:{target} has no SPF record"))),
            _ => Ok(false),
        }
    }

    fn a(
        &mut self,
        target: Option<&MacroString>,
        prefixes: Prefixes,
        domain: &str,
    ) -> Evaluated<bool> {
        self.count_term()?;
        let target = self.target(target, domain);
        let addresses = self.addresses(name::of_octets(&target))?;
        Ok(addresses.iter().any(|a| prefixes.agree(self.query.ip, *a)))
    }

    fn mx(
        &mut self,
        target: Option<&MacroString>,
        prefixes: Prefixes,
        domain: &str,
    ) -> Evaluated<bool> {
        self.count_term()?;
        let target = self.target(target, domain);
        let records = self.ask_counted(name::of_octets(&target), RecordType::MX)?;
        let exchanges: Vec<_> = records
            .into_iter()
            .filter_map(|r| {
                if let RData::MX(mx) = r {
                    Some(mx.exchange)
                } else {
                    None
                }
            })
            .collect();
        if exchanges.len() > NAMES {
            return Err(permerror(format!(
                "{target} has {} MX records, more than {NAMES}",
                exchanges.len()
            )));
        }
        for exchange in exchanges {
            let addresses = self.addresses(Some(exchange))?;
            if addresses.iter().any(|a| prefixes.agree(self.query.ip, *a)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ptr(&mut self, target: Option<&MacroString>, domain: &str) -> Evaluated<bool> {
        self.count_term()?;
        let target = self.target(target, domain);
        let Some(target) = name::of_octets(&target) else {
            return Ok(false);
        };
        Ok(self
            .validated_names()
            .iter()
            .any(|name| name::is_within(name, &target)))
    }

    fn exists(&mut self, target: &MacroString, domain: &str) -> Evaluated<bool> {
        self.count_term()?;
        let target = self.expand(target, domain);
        Ok(!self
            .ask_counted(name::of_octets(&target), RecordType::A)?
            .is_empty())
    }

    /// The PTR names that lead back to the client address; a failed lookup omits a name (§5.5).
    fn validated_names(&mut self) -> Vec<Name> {
        let Ok(records) = self.ask(&name::reverse(self.query.ip), RecordType::PTR) else {
            return Vec::new();
        };
        let names = records.into_iter().filter_map(|r| {
            if let RData::PTR(ptr) = r {
                Some(ptr.0)
            } else {
                None
            }
        });
        let names: Vec<_> = names.take(NAMES).collect();
        names
            .into_iter()
            .filter(|n| self.resolves_to_client(n))
            .collect()
    }

    fn resolves_to_client(&mut self, name: &Name) -> bool {
        let records = self.ask(name, self.family()).unwrap_or_default();
        records.iter().any(|r| address(r) == Some(self.query.ip))
    }

    /// The addresses of a host in the client's family; a lookup without data is counted (§4.6.4).
    fn addresses(&mut self, host: Option<Name>) -> Evaluated<Vec<IpAddr>> {
        let records = self.ask_counted(host, self.family())?;
        Ok(records.iter().filter_map(address).collect())
    }

    fn family(&self) -> RecordType {
        if self.query.ip.is_ipv4() {
            RecordType::A
        } else {
            RecordType::AAAA
        }
    }

    fn target(&mut self, target: Option<&MacroString>, domain: &str) -> String {
        target.map_or_else(|| domain.to_owned(), |target| self.expand(target, domain))
    }

    fn expand(&mut self, target: &MacroString, domain: &str) -> String {
        let validated = self.validated_for(target, domain);
        target.expand_domain(&self.values(domain, &validated))
    }

    fn values<'v>(&'v self, domain: &'v str, validated: &'v str) -> Values<'v> {
        let (local_part, sender_domain) = (self.local_part, self.sender_domain);
        let SpfQuery {
            ip, helo, receiver, ..
        } = self.query;
        Values {
            ip,
            helo,
            local_part,
            sender_domain,
            domain,
            receiver,
            validated,
        }
    }

    /// The value of `%{p}`: the domain itself, a name within it, any validated name, or "unknown" (§7.3).
    fn validated_for(&mut self, target: &MacroString, domain: &str) -> String {
        if !target.asks_for_validated_name() {
            return String::new();
        }
        let names = self.validated_names();
        let domain = name::of_octets(domain).unwrap_or_default();
        let best = names
            .iter()
            .find(|n| **n == domain)
            .or_else(|| names.iter().find(|n| name::is_within(n, &domain)));
        best.or(names.first())
            .map_or_else(|| "unknown".to_owned(), name::display)
    }

    /// The explanation; `None` after any failure (§6.2).
    fn explain(&mut self, target: &MacroString, domain: &str) -> Option<String> {
        let target = self.expand(target, domain);
        let records = self.ask(&name::of_octets(&target)?, RecordType::TXT).ok()?;
        let [record] = records
            .iter()
            .filter_map(text)
            .collect::<Vec<_>>()
            .try_into()
            .ok()?;
        let record = String::from_utf8(record)
            .ok()
            .filter(|text| text.is_ascii())?;
        let explanation = MacroString::parse(&record, true)?;
        let validated = self.validated_for(&explanation, domain);
        Some(explanation.expand(&self.values(domain, &validated)))
    }

    fn count_term(&mut self) -> Evaluated<()> {
        self.dns_terms += 1;
        if self.dns_terms > DNS_TERMS {
            return Err(permerror(format!(
                "more than {DNS_TERMS} terms with DNS lookups"
            )));
        }
        Ok(())
    }

    /// Performs the lookup of a mechanism; an answer without data is a void lookup.
    fn ask_counted(
        &mut self,
        host: Option<Name>,
        record_type: RecordType,
    ) -> Evaluated<Vec<RData>> {
        let records = match host {
            Some(name) => self.ask(&name, record_type)?,
            None => Vec::new(),
        };
        if records.is_empty() {
            self.void_lookups += 1;
            if self.void_lookups > VOID_LOOKUPS {
                return Err(permerror(format!("more than {VOID_LOOKUPS} void lookups")));
            }
        }
        Ok(records)
    }

    fn ask(&mut self, name: &Name, record_type: RecordType) -> Evaluated<Vec<RData>> {
        let question = self.lookup.ask(name, record_type);
        let (outcome, records) = (question.outcome, question.answers.clone());
        self.elapsed += question.elapsed;
        self.evidence.push(question);
        match outcome {
            Outcome::Data | Outcome::NoData | Outcome::NxDomain => Ok(records),
            failure => {
                let problem = format!("{record_type} of {}: {failure}", name::display(name));
                Err(Stop(SpfResult::TempError, problem))
            }
        }
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(a) => Some(a.0.into()),
        _ => None,
    }
}

/// The strings of a TXT record joined (§3.3).
fn text(data: &RData) -> Option<Vec<u8>> {
    match data {
        RData::TXT(txt) => Some(
            txt.txt_data
                .iter()
                .flat_map(|s| s.iter().copied())
                .collect(),
        ),
        _ => None,
    }
}

/// A domain that can have a record: at least two labels of 1 to 63 octets (§4.3).
fn multi_label(domain: &str) -> Option<Name> {
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    let labels = bare
        .split('.')
        .all(|label| (1..=LABEL_OCTETS).contains(&label.len()));
    (labels && bare.contains('.'))
        .then(|| name::of_octets(bare))
        .flatten()
}
