//! Answering: the algorithm of RFC 1034 §4.3.2 over a snapshot, with wildcards (RFC 4592), negative answers
//! (RFC 2308) and the faults of the scenario.

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::HINFO;
use hickory_proto::rr::{RData, Record};

use super::fault::falsified;
use super::zone::{Answer, Zone, Zones};
use super::{Action, Transport};
use crate::name::{Name, RecordType};

/// Most CNAMEs followed for one question; a loop ends here too.
const CNAME_LINKS: usize = 16;

impl Zones {
    /// Answers one question of class IN, faults included. CNAMEs are chased within the zones (RFC 2317 delegations
    /// lead into another zone of the snapshot). A name outside every zone gets REFUSED with AA clear.
    pub fn answer(&self, name: &Name, record_type: RecordType, transport: Transport) -> Answer {
        let fault = self.faults.iter().find(|fault| fault.fires(name, record_type, transport));
        let Some(fault) = fault else { return self.truth(name, record_type) };
        let mut answer = self.misbehave(fault.action, name, record_type);
        answer.fault = Some(fault.action.word());
        answer
    }

    fn misbehave(&self, action: Action, name: &Name, record_type: RecordType) -> Answer {
        let plain = |rcode, authoritative| Answer { authoritative, ..Answer::of(rcode) };
        match action {
            Action::NxDomain => self.negative(ResponseCode::NXDomain, name),
            Action::NoData => self.negative(ResponseCode::NoError, name),
            Action::ServFail => plain(ResponseCode::ServFail, false),
            Action::Refused => plain(ResponseCode::Refused, false),
            Action::Lame => plain(ResponseCode::NoError, false),
            Action::Drop => Answer { dropped: true, ..plain(ResponseCode::ServFail, false) },
            Action::Truncate => Answer { truncated: true, ..plain(ResponseCode::NoError, true) },
            Action::Delay(delay) => Answer { delay, ..self.truth(name, record_type) },
            Action::WrongAnswer => {
                let mut answer = self.truth(name, record_type);
                for record in &mut answer.answers {
                    record.data = falsified(record.data.clone());
                }
                answer
            }
        }
    }

    fn negative(&self, rcode: ResponseCode, name: &Name) -> Answer {
        let soa = self.zone(name).and_then(Zone::negative_soa);
        Answer { authoritative: true, authority: soa.into_iter().collect(), ..Answer::of(rcode) }
    }

    fn truth(&self, name: &Name, record_type: RecordType) -> Answer {
        let Some(mut zone) = self.zone(name) else { return Answer::of(ResponseCode::Refused) };
        let mut answer = Answer { authoritative: true, ..Answer::of(ResponseCode::NoError) };
        let mut current = name.clone();
        for _ in 0..CNAME_LINKS {
            match step(zone, &current, record_type, &mut answer) {
                Next::Done => break,
                Next::Follow(target) => {
                    current = target;
                    let Some(next) = self.zone(&current) else { break };
                    zone = next;
                }
            }
        }
        self.add_addresses(&mut answer);
        answer
    }

    /// Addresses of the hosts that MX, NS and SRV records name (RFC 1035 §3.3.9, RFC 2782).
    fn add_addresses(&self, answer: &mut Answer) {
        let target = |record: &Record| match &record.data {
            RData::MX(mx) => Some(mx.exchange.clone()),
            RData::NS(ns) => Some(ns.0.clone()),
            RData::SRV(srv) => Some(srv.target.clone()),
            _ => None,
        };
        for name in answer.answers.iter().chain(&answer.authority).filter_map(target) {
            let node = self.zone(&name).and_then(|zone| zone.node(&name)).unwrap_or_default();
            let addresses = node.iter().filter(|r| matches!(r.record_type(), RecordType::A | RecordType::AAAA));
            for address in addresses {
                if !answer.additional.contains(address) {
                    answer.additional.push(address.clone());
                }
            }
        }
    }
}

enum Next {
    Done,
    Follow(Name),
}

/// One step within one zone.
fn step(zone: &Zone, name: &Name, record_type: RecordType, answer: &mut Answer) -> Next {
    if let Some(cut) = zone.cut(name) {
        // A referral: the data stands elsewhere (RFC 1034 §4.3.2 3b). AA stays where a CNAME led here.
        answer.authoritative = !answer.answers.is_empty();
        answer.authority.extend(cut.iter().filter(|r| r.record_type() == RecordType::NS).cloned());
        return Next::Done;
    }
    let (records, exists) = match zone.node(name) {
        Some(records) => (records, true),
        None => match zone.wildcard(name) {
            Some(records) => (records, true),
            None => (&[][..], false),
        },
    };
    if !exists {
        answer.rcode = ResponseCode::NXDomain;
        answer.authority.extend(zone.negative_soa());
        return Next::Done;
    }
    let owned = |record: &Record| Record::from_rdata(name.clone(), record.ttl, record.data.clone());
    if record_type == RecordType::ANY {
        answer.answers.push(refused_any(name));
        return Next::Done;
    }
    let before = answer.answers.len();
    answer.answers.extend(records.iter().filter(|r| r.record_type() == record_type).map(owned));
    if answer.answers.len() > before {
        return Next::Done;
    }
    let alias = records.iter().find_map(|r| match &r.data {
        RData::CNAME(target) => Some((r, target.0.clone())),
        _ => None,
    });
    match alias {
        Some((record, target)) => {
            answer.answers.push(owned(record));
            Next::Follow(target)
        }
        None => {
            answer.authority.extend(zone.negative_soa());
            Next::Done
        }
    }
}

/// The answer to ANY: a record that says it is not answered (RFC 8482 §4.2).
fn refused_any(name: &Name) -> Record {
    let data = HINFO::new("RFC8482".to_owned(), String::new());
    Record::from_rdata(name.clone(), 3600, RData::HINFO(data))
}

impl Answer {
    fn of(rcode: ResponseCode) -> Self {
        Self {
            rcode,
            authoritative: false,
            truncated: false,
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            dropped: false,
            delay: Duration::ZERO,
            fault: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::dns::{Fault, parse_master};
    use crate::name;

    const ZONE: &str = "
mail      A     192.0.2.10
          AAAA  2001:db8::10
          TXT   \"v=spf1 -all\"
alias     CNAME mail
far       CNAME host.other.test.
lost      CNAME nowhere.elsewhere.test.
loop      CNAME loop2
loop2     CNAME loop
@         MX    10 mail
a.ent     A     192.0.2.11
*.wild    TXT   \"wild\"
host.wild A     192.0.2.12
sub       NS    ns.sub
ns.sub    A     192.0.2.53
Case      A     192.0.2.13
";

    fn name(text: &str) -> Name {
        name::absolute(text).expect("a name")
    }

    fn zones(faults: Vec<Fault>) -> Zones {
        let zone = |origin: &str, text| {
            let records = parse_master(text, &name(origin), 300).expect("a zone");
            Zone::new(name(origin), records.into_iter().map(|(_, r)| r).collect())
        };
        Zones::new(vec![zone("example.test", ZONE), zone("other.test", "host A 192.0.2.99")], faults)
    }

    /// RCODE, AA, then the answer section, `|`, and the types of the authority section.
    fn said(answer: &Answer) -> String {
        let data = |r: &Record| format!(" {} {}", r.record_type(), r.data);
        let answers: String = answer.answers.iter().map(data).collect();
        let authority: String = answer.authority.iter().map(|r| format!(" {}", r.record_type())).collect();
        let aa = if answer.authoritative { " aa" } else { "" };
        format!("{:?}{aa}{answers} |{authority}", answer.rcode)
    }

    #[track_caller]
    fn check(question: &str, expected: &str) {
        let (owner, record_type) = question.split_once(' ').expect("name and type");
        let answer = zones(Vec::new()).answer(&name(owner), record_type.parse().expect("a type"), Transport::Udp);
        assert_eq!(said(&answer), expected, "{question}");
    }

    #[test]
    fn rfc1034_answers() {
        check("mail.example.test A", "NoError aa A 192.0.2.10 |");
        check("MAIL.Example.Test AAAA", "NoError aa AAAA 2001:db8::10 |");
        check("case.example.test A", "NoError aa A 192.0.2.13 |");
        check("example.test MX", "NoError aa MX 10 mail.example.test. |");
        check("alias.example.test A", "NoError aa CNAME mail.example.test. A 192.0.2.10 |");
        check("far.example.test A", "NoError aa CNAME host.other.test. A 192.0.2.99 |");
        check("lost.example.test A", "NoError aa CNAME nowhere.elsewhere.test. |");
        check("alias.example.test CNAME", "NoError aa CNAME mail.example.test. |");
        check("www.unknown.test A", "Refused |");
        check("sub.example.test A", "NoError | NS");
        check("deep.sub.example.test A", "NoError | NS");
        check("mail.example.test ANY", "NoError aa HINFO RFC8482  |");
    }

    #[test]
    fn rfc2308_negative_answers() {
        check("nobody.example.test A", "NXDomain aa | SOA");
        check("mail.example.test MX", "NoError aa | SOA");
        check("ent.example.test A", "NoError aa | SOA");
        check("alias.example.test MX", "NoError aa CNAME mail.example.test. | SOA");
        let answer = zones(Vec::new()).answer(&name("nobody.example.test"), RecordType::A, Transport::Udp);
        assert_eq!(answer.authority[0].ttl, 60, "the lesser of the SOA's TTL and its minimum");
    }

    #[test]
    fn rfc4592_wildcards() {
        check("x.wild.example.test TXT", "NoError aa TXT wild |");
        check("x.y.wild.example.test TXT", "NoError aa TXT wild |");
        check("x.wild.example.test A", "NoError aa | SOA");
        check("host.wild.example.test TXT", "NoError aa | SOA");
        check("x.host.wild.example.test TXT", "NXDomain aa | SOA");
        check("wild.example.test TXT", "NoError aa | SOA");
        let answer = zones(Vec::new()).answer(&name("X.wild.example.test"), RecordType::TXT, Transport::Udp);
        assert_eq!(answer.answers[0].name.to_ascii(), "X.wild.example.test.", "the owner is the name asked for");
    }

    #[test]
    fn a_cname_loop_ends() {
        let answer = zones(Vec::new()).answer(&name("loop.example.test"), RecordType::A, Transport::Udp);
        assert_eq!(answer.answers.len(), CNAME_LINKS);
    }

    #[test]
    fn referrals_and_mx_bring_addresses() {
        let additional = |owner, t| zones(Vec::new()).answer(&name(owner), t, Transport::Udp).additional.len();
        assert_eq!(additional("sub.example.test", RecordType::A), 1);
        assert_eq!(additional("example.test", RecordType::MX), 2);
    }

    fn fault(suffix: bool, owner: &str, action: Action) -> Fault {
        let (record_type, transport) = (None, None);
        Fault { name: name(owner), suffix, record_type, transport, times: None, action, fired: AtomicU32::new(0) }
    }

    #[track_caller]
    fn check_fault(action: Action, expected: &str) {
        let zones = zones(vec![fault(false, "mail.example.test", action)]);
        let answer = zones.answer(&name("mail.example.test"), RecordType::A, Transport::Udp);
        assert_eq!(said(&answer), expected);
        assert_eq!(answer.fault, Some(action.word()));
        assert_eq!(answer.dropped, action == Action::Drop);
        assert_eq!(answer.truncated, action == Action::Truncate);
    }

    #[test]
    fn faults() {
        check_fault(Action::NxDomain, "NXDomain aa | SOA");
        check_fault(Action::NoData, "NoError aa | SOA");
        check_fault(Action::ServFail, "ServFail |");
        check_fault(Action::Refused, "Refused |");
        check_fault(Action::Lame, "NoError |");
        check_fault(Action::Drop, "ServFail |");
        check_fault(Action::Truncate, "NoError aa |");
        check_fault(Action::Delay(Duration::from_secs(3)), "NoError aa A 192.0.2.10 |");
        check_fault(Action::WrongAnswer, "NoError aa A 192.0.2.255 |");
    }

    #[test]
    fn a_fault_meets_only_its_questions() {
        let zones = zones(vec![
            Fault {
                record_type: Some(RecordType::TXT),
                times: Some(2),
                ..fault(true, "example.test", Action::ServFail)
            },
            Fault { transport: Some(Transport::Tcp), ..fault(false, "example.test", Action::Refused) },
            fault(false, "case.example.test", Action::Truncate),
        ]);
        let rcode = |owner, t, transport| zones.answer(&name(owner), t, transport).rcode;
        assert_eq!(rcode("mail.example.test", RecordType::A, Transport::Udp), ResponseCode::NoError);
        assert_eq!(rcode("example.test", RecordType::TXT, Transport::Udp), ResponseCode::NoError);
        for expected in [ResponseCode::ServFail, ResponseCode::ServFail, ResponseCode::NoError] {
            assert_eq!(rcode("mail.example.test", RecordType::TXT, Transport::Udp), expected);
        }
        assert_eq!(rcode("example.test", RecordType::MX, Transport::Udp), ResponseCode::NoError);
        assert_eq!(rcode("example.test", RecordType::MX, Transport::Tcp), ResponseCode::Refused);
        assert!(zones.answer(&name("case.example.test"), RecordType::A, Transport::Udp).truncated);
        assert!(!zones.answer(&name("case.example.test"), RecordType::A, Transport::Tcp).truncated);
    }
}
