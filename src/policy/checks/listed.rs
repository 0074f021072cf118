//! `dnsbl`, `rhsbl-helo` and `rhsbl-sender`: no block list has the client address, the HELO name, or the domain of the
//! envelope sender (RFC 5782).

use std::net::{IpAddr, Ipv4Addr};

use crate::facts::{Facts, Listing, Observations, Subject};
use crate::name::{self, Name};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, complaint, unavailable,
};
use crate::stage::Stage;

const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "zones",
        kind: Kind::Zones,
        default: "[]",
        doc: "the zones of the lists, which the scenario serves",
    },
    Parameter {
        name: "errors",
        kind: Kind::Choice(&["ignore", "report"]),
        default: "ignore",
        doc: "the meaning of a list that does not answer: not listed (Postfix), or a temporary failure",
    },
    Parameter {
        name: "values",
        kind: Kind::Networks,
        default: "127.0.0.0/8 but 127.255.255.0/24",
        doc: "the answers that mean a listing, such as 127.0.0.2 or 127.0.0.0/29",
    },
    Parameter {
        name: "threshold",
        kind: Kind::Count,
        default: "1",
        doc: "the number of lists that must have an entry (postscreen)",
    },
];

/// `error` is sent if `errors = "report"` and a list does not answer.
pub(super) static CLIENT: Check = Check {
    name: "dnsbl",
    topic: Topic::List,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "no block list has the client address",
    basis: "RFC 5782 §2.1; Postfix reject_rbl_client; Spamhaus: 127.255.255.x is an error, not a listing",
    beyond: "beyond RFC 5321, which has no block lists",
    parameters: PARAMETERS,
    fail: &["554 5.7.1 Service unavailable; Client host [{ip}] blocked using {zone}; {txt}"],
    error: &["450 4.7.1 Service unavailable; block list {zone} cannot answer"],
    needs: |settings| Observations {
        lists: zones(settings),
        ..Observations::default()
    },
    build: |settings| build(settings, Subject::Client),
};

pub(super) static HELO: Check = Check {
    name: "rhsbl-helo",
    topic: Topic::List,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "no block list has the HELO name",
    basis: "RFC 5782 §2.2; Postfix reject_rhsbl_helo, Microsoft S8001",
    beyond: "beyond RFC 5321, which has no block lists",
    parameters: PARAMETERS,
    fail: &["554 5.7.1 Service unavailable; Helo command [{helo}] blocked using {zone}; {txt}"],
    error: &["450 4.7.1 Service unavailable; block list {zone} cannot answer"],
    needs: |settings| Observations {
        helo_lists: zones(settings),
        ..Observations::default()
    },
    build: |settings| build(settings, Subject::Helo),
};

pub(super) static SENDER: Check = Check {
    name: "rhsbl-sender",
    topic: Topic::List,
    stage: Stage::Mail,
    timing: Timing::Stage,
    checks: "no block list has the domain of the reverse-path",
    basis: "RFC 5782 §2.2; Postfix reject_rhsbl_sender",
    beyond: "beyond RFC 5321, which has no block lists",
    parameters: PARAMETERS,
    fail: &["554 5.7.1 Service unavailable; Sender address [{sender}] blocked using {zone}; {txt}"],
    error: &["450 4.7.1 Service unavailable; block list {zone} cannot answer"],
    needs: |settings| Observations {
        sender_lists: zones(settings),
        ..Observations::default()
    },
    build: |settings| build(settings, Subject::Sender),
};

fn zones(settings: &Settings) -> Vec<Name> {
    settings
        .words("zones", &[])
        .iter()
        .filter_map(|zone| name::absolute(zone))
        .collect()
}

fn build(settings: &Settings, subject: Subject) -> Judge {
    let zones = zones(settings);
    let report = settings.choice("errors", "ignore") == "report";
    let (values, threshold) = (
        settings.networks("values"),
        settings.count("threshold", 1).max(1),
    );
    let counts = move |listing: &Listing| {
        let code = |code: &Ipv4Addr| {
            values.is_empty() || values.iter().any(|net| net.contains(&IpAddr::V4(*code)))
        };
        listing.codes.iter().any(code)
    };
    Box::new(move |facts| {
        let relevant = || {
            facts
                .listings
                .iter()
                .filter(|l| l.subject == subject && zones.contains(&l.zone))
        };
        let listing: Vec<_> = relevant().filter(|l| counts(l)).collect();
        if let Some(first) = listing
            .first()
            .filter(|_| listing.len() as u64 >= threshold)
        {
            return listed(facts, first);
        }
        match relevant().find(|l| report && l.is_unknown()) {
            Some(listing) => silent(listing),
            None if relevant().next().is_none() => Finding::NotApplicable,
            None => Finding::Satisfied,
        }
    })
}

fn listed(facts: &Facts, listing: &Listing) -> Finding {
    let zone = name::display(&listing.zone);
    let codes: Vec<_> = listing.codes.iter().map(ToString::to_string).collect();
    let subject = match listing.subject {
        Subject::Client => facts.client_address.to_string(),
        Subject::Helo => facts
            .helo
            .as_ref()
            .map(|h| h.argument.clone())
            .unwrap_or_default(),
        Subject::Sender => facts.sender.clone().unwrap_or_default(),
    };
    let why = format!("{zone} lists {subject} ({})", codes.join(", "));
    let mut complaint = complaint(
        why,
        [
            Change::Delist {
                zone: listing.zone.clone(),
                entry: listing.entry.clone(),
                listed: subject,
            },
            Change::AskReceiver(facts.client_address),
        ],
    );
    complaint.quotes = vec![("zone", zone), ("txt", listing.text.clone())];
    Finding::Violated(complaint)
}

fn silent(listing: &Listing) -> Finding {
    let zone = name::display(&listing.zone);
    let cause = listing.error.map_or_else(
        || listing.outcome.to_string(),
        |code| format!("it answers with the error code {code}"),
    );
    let Finding::Unavailable(mut complaint) = unavailable(
        format!("whether {zone} lists the client is unknown: {cause}"),
        [Change::MendDns(listing.zone.clone())],
    ) else {
        return Finding::NotApplicable;
    };
    complaint.quotes.push(("zone", zone));
    Finding::Unavailable(complaint)
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    const ASK: &str = "zones = [\"bl.test\"]";
    const REPORT: &str = "zones = [\"bl.test\"]\nerrors = \"report\"";

    #[test]
    fn dnsbl() {
        let check = |world: &str, settings: &str| {
            case(Case {
                check: "dnsbl",
                world,
                settings,
                ..Case::default()
            })
        };
        let owner = "10.2.0.192.bl.test A";
        check("", ASK).is(SATISFIED);
        check("", "").is(NOT_APPLICABLE);
        check(&format!("{owner} 127.0.0.2"), ASK)
            .is(VIOLATED)
            .because("bl.test lists 192.0.2.10 (127.0.0.2)");
        check(&format!("{owner} 192.0.2.1"), ASK).is(SATISFIED);
        for code in ["127.255.255.252", "127.255.255.254", "127.255.255.255"] {
            check(&format!("{owner} {code}"), ASK).is(SATISFIED);
            check(&format!("{owner} {code}"), REPORT)
                .is(UNAVAILABLE)
                .because(code);
        }
        check(
            &format!("{owner} 127.0.0.4"),
            &format!("{ASK}\nvalues = [\"127.0.0.2\"]"),
        )
        .is(SATISFIED);
        check(
            &format!("{owner} 127.0.0.2"),
            &format!("{ASK}\nvalues = [\"127.0.0.2\"]"),
        )
        .is(VIOLATED);
        let two = "zones = [\"bl.test\", \"other.test\"]\nthreshold = 2";
        check(&format!("{owner} 127.0.0.2"), two).is(SATISFIED);
        check(
            &format!("{owner} 127.0.0.2\n10.2.0.192.other.test A 127.0.0.9"),
            two,
        )
        .is(VIOLATED);
        check(&format!("{owner} SERVFAIL"), ASK).is(SATISFIED);
        check(&format!("{owner} SERVFAIL"), REPORT)
            .is(UNAVAILABLE)
            .because("SERVFAIL");
    }

    #[test]
    fn an_ipv6_client_is_asked_by_nibbles() {
        let world =
            "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test A 127.0.0.3";
        case(Case {
            check: "dnsbl",
            client: "2001:db8::7",
            world,
            settings: ASK,
            ..Case::default()
        })
        .is(VIOLATED);
    }

    #[test]
    fn names() {
        let helo = |world| {
            case(Case {
                check: "rhsbl-helo",
                world,
                settings: ASK,
                ..Case::default()
            })
        };
        helo("mail.example.test.bl.test A 127.0.1.2").is(VIOLATED);
        helo("").is(SATISFIED);
        helo("mail.example.test.bl.test A timeout").is(SATISFIED);
        let sender = |world| {
            case(Case {
                check: "rhsbl-sender",
                sender: Some("a@from.test"),
                world,
                settings: ASK,
                ..Case::default()
            })
        };
        sender("from.test.bl.test A 127.0.1.2").is(VIOLATED);
        sender("").is(SATISFIED);
        case(Case {
            check: "rhsbl-sender",
            sender: Some(""),
            settings: ASK,
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }
}
