//! Verifies DKIM and DMARC of a message with mail-auth and the zones of the world.
//!
//! mail-auth queries its cache before its resolver. Here the cache *is* the world: it answers every name through
//! [`Lookup`], including names that do not exist and lookups that fail. mail-auth therefore never uses its own resolver, which has no
//! name server: no query leaves the process, and the futures are ready at the first poll.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{AuthResult, Dkim, Dmarc, Envelope};
use crate::facts::{Lookup, LookupRecord, Outcome, SpfResult};
use crate::name::{self, RecordType};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RData;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DmarcResult, DnsError, DnssecStatus,
    MessageAuthenticator, Parameters, RecordSet, ResolverCache, SpfOutput, Txt,
};

/// Verifies a message; returns the time that the lookups would have taken, one after the other.
pub(in crate::facts) fn observe(
    message: &[u8],
    envelope: &Envelope<'_>,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> (Vec<Dkim>, Dmarc, Duration) {
    let world = World {
        lookup,
        lookups: RefCell::new(Vec::new()),
    };
    let (dkim, dmarc) = match AuthenticatedMessage::parse(message) {
        Some(parsed) => verify(&parsed, envelope, &world),
        None => (Vec::new(), to_dmarc(&DmarcOutput::default(), false)),
    };
    let lookups = world.lookups.into_inner();
    let elapsed = lookups.iter().map(|question| question.elapsed).sum();
    evidence.extend(lookups);
    (dkim, dmarc, elapsed)
}

fn verify(
    message: &AuthenticatedMessage<'_>,
    envelope: &Envelope<'_>,
    world: &World<'_>,
) -> (Vec<Dkim>, Dmarc) {
    let signatures =
        at_once(authenticator().verify_dkim(Parameters::new(message).with_txt_cache(world)));
    let signatures = signatures.unwrap_or_default();
    let spf = to_spf_output(envelope);
    let parameters = DmarcParameters {
        message,
        dkim_output: &signatures,
        dkim2_output: None,
        rfc5321_mail_from_domain: envelope.sender_domain,
        spf_output: &spf,
    };
    let dmarc = at_once(
        authenticator().verify_dmarc(
            Parameters::new(parameters)
                .with_txt_cache(world)
                .with_ipv4_cache(world),
        ),
    );
    let dmarc = dmarc.unwrap_or_default();
    let record = dmarc.dmarc_record().is_some();
    (
        signatures.iter().map(to_dkim).collect(),
        to_dmarc(&dmarc, record),
    )
}

/// mail-auth's verifier with a resolver without name servers.
fn authenticator() -> &'static MessageAuthenticator {
    static AUTHENTICATOR: OnceLock<MessageAuthenticator> = OnceLock::new();
    AUTHENTICATOR.get_or_init(|| {
        let no_servers = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        MessageAuthenticator::new(no_servers, ResolverOpts::default())
            .expect("a resolver without servers needs nothing")
    })
}

/// The output of a future that is ready at once; `None` if it is not.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn to_spf_output(envelope: &Envelope<'_>) -> SpfOutput {
    let result = match envelope.spf.map(|spf| spf.result) {
        Some(SpfResult::Pass) => mail_auth::SpfResult::Pass,
        Some(SpfResult::Fail) => mail_auth::SpfResult::Fail,
        Some(SpfResult::SoftFail) => mail_auth::SpfResult::SoftFail,
        Some(SpfResult::Neutral) => mail_auth::SpfResult::Neutral,
        Some(SpfResult::TempError) => mail_auth::SpfResult::TempError,
        Some(SpfResult::PermError) => mail_auth::SpfResult::PermError,
        Some(SpfResult::None) | None => mail_auth::SpfResult::None,
    };
    SpfOutput::new(envelope.sender_domain.to_owned()).with_result(result)
}

fn to_dkim(output: &DkimOutput<'_>) -> Dkim {
    let (result, why) = match output.result() {
        DkimResult::Pass => (AuthResult::Pass, String::new()),
        DkimResult::Fail(error) => (AuthResult::Fail, error.to_string()),
        // RFC 8601 §2.7.1: a signature with a wrong body hash is a fail; mail-auth reports neutral.
        DkimResult::Neutral(
            error @ mail_auth::Error::Dkim(mail_auth::dkim::DkimError::FailedBodyHashMatch),
        ) => (AuthResult::Fail, error.to_string()),
        DkimResult::Neutral(error) => (AuthResult::Neutral, error.to_string()),
        DkimResult::PermError(error) => (AuthResult::PermError, error.to_string()),
        DkimResult::TempError(error) => (AuthResult::TempError, error.to_string()),
        DkimResult::None => (AuthResult::None, String::new()),
    };
    let (domain, selector) = output
        .signature()
        .map(|s| (s.d.clone(), s.s.clone()))
        .unwrap_or_default();
    Dkim {
        domain,
        selector,
        result,
        why,
    }
}

fn to_dmarc(output: &DmarcOutput, record: bool) -> Dmarc {
    let (spf, dkim) = (output.spf_result(), output.dkim_result());
    let aligned = |result: &DmarcResult| *result == DmarcResult::Pass;
    let temporary = [spf, dkim]
        .iter()
        .any(|r| matches!(r, DmarcResult::TempError(_)));
    let permanent = [spf, dkim]
        .iter()
        .any(|r| matches!(r, DmarcResult::PermError(_)));
    let result = match record {
        true if aligned(spf) || aligned(dkim) => AuthResult::Pass,
        _ if temporary => AuthResult::TempError,
        true => AuthResult::Fail,
        false if permanent => AuthResult::PermError,
        false => AuthResult::None,
    };
    let policy = match output.policy() {
        mail_auth::dmarc::Policy::Reject => "reject",
        mail_auth::dmarc::Policy::Quarantine => "quarantine",
        mail_auth::dmarc::Policy::None | mail_auth::dmarc::Policy::Unspecified => "none",
    };
    let from_domain = output.domain().to_owned();
    Dmarc {
        from_domain,
        record,
        policy,
        result,
        spf_aligned: aligned(spf),
        dkim_aligned: aligned(dkim),
    }
}

/// The zones of the world in place of mail-auth's cache.
struct World<'a> {
    lookup: &'a dyn Lookup,
    lookups: RefCell<Vec<Arc<LookupRecord>>>,
}

impl World<'_> {
    fn txt(&self, key: &str) -> Txt {
        let absent = |code| Txt::Error(mail_auth::Error::Dns(DnsError::RecordNotFound(code)));
        let Some(name) = name::absolute(key) else {
            return absent(ResponseCode::NXDomain);
        };
        let question = self.lookup.ask(&name, RecordType::TXT);
        let answer = match question.outcome {
            Outcome::Data => to_record(key, &question),
            Outcome::NxDomain => absent(ResponseCode::NXDomain),
            Outcome::NoData => absent(ResponseCode::NoError),
            Outcome::ServFail | Outcome::Refused | Outcome::Timeout => Txt::Error(
                mail_auth::Error::Dns(DnsError::Resolver(question.outcome.to_string())),
            ),
        };
        self.lookups.borrow_mut().push(question);
        answer
    }
}

/// The first text that parses as the requested kind of record.
fn to_record(key: &str, question: &LookupRecord) -> Txt {
    let texts = question.answers.iter().filter_map(|data| match data {
        RData::TXT(txt) => Some(txt.txt_data.concat()),
        _ => None,
    });
    let mut mistake = mail_auth::Error::Dns(DnsError::InvalidRecordType);
    for text in texts {
        let record = if key.starts_with("_dmarc.") {
            mail_auth::dmarc::Dmarc::parse(&text).map(|record| Txt::Dmarc(Arc::new(record)))
        } else {
            DomainKey::parse(&text).map(|record| Txt::DomainKey(Arc::new(record)))
        };
        match record {
            Ok(record) => return record,
            Err(error) => mistake = error,
        }
    }
    Txt::Error(mistake)
}

impl ResolverCache<Box<str>, Txt> for World<'_> {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(self.txt(&spelled(name)))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// Used only to decide whether a domain exists (`np=`). The trait cannot express NXDOMAIN, so every domain exists.
impl ResolverCache<Box<str>, RecordSet<Ipv4Addr>> for World<'_> {
    fn get<Q>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(RecordSet {
            rrset: Arc::default(),
            dnssec_status: DnssecStatus::Indeterminate,
        })
    }

    fn remove<Q>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv4Addr>, _: Instant) {}
}

/// The name in a key.
fn spelled(key: &(impl Hash + ?Sized)) -> String {
    let mut spelled = Spelled(Vec::new());
    key.hash(&mut spelled);
    let octets = spelled.0.strip_suffix(&[0xff]).unwrap_or(&spelled.0);
    String::from_utf8_lossy(octets).into_owned()
}

/// The trait passes a key that can only be hashed. `Borrow` guarantees the hash of the `str`, which is its octets and
/// 0xff, so a hasher that records its input returns the name.
struct Spelled(Vec<u8>);

impl Hasher for Spelled {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }
}
