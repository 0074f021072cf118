//! `greylist` and `unverifiable-per-ip`: rules about earlier sessions of the client.

use std::time::Duration;

use crate::facts::{Facts, HeloObservations, Observations, Seen};
use crate::policy::check::{Check, Finding, Kind, Parameter, Settings, Timing, Topic, complaint};
use crate::policy::{Behaviour, Change};
use crate::stage::Stage;

/// Default time for which a new client is deferred (RFC 6647 §5: at least one minute).
const DELAY: Duration = Duration::from_secs(5 * 60);

pub(super) static GREYLIST: Check = Check {
    name: "greylist",
    topic: Topic::Greylist,
    stage: Stage::Rcpt,
    timing: Timing::Stage,
    checks: "the same client tried the same sender and recipient at least `delay` before",
    basis: "RFC 6647; milter-greylist, postgrey; postscreen's deep tests (key = \"client\", reconnect = true)",
    beyond: "within RFC 5321 §4.5.4.1, which has clients retry after a 4yz reply",
    parameters: &[
        Parameter {
            name: "delay",
            kind: Kind::Duration,
            default: "\"5m\"",
            doc: "the minimum time since the first try",
        },
        Parameter {
            name: "key",
            kind: Kind::Choice(&["triple", "network-triple", "client"]),
            default: "\"triple\"",
            doc: "the key that must be the same: client and envelope, the client's /24 (IPv6: /64) and envelope, or the client",
        },
        Parameter {
            name: "reconnect",
            kind: Kind::Flag,
            default: "false",
            doc: "whether the first try must have been in an earlier session",
        },
    ],
    fail: &["451 4.7.1 Greylisting in action, please come back in {wait}"],
    error: &["451 4.7.1 Greylisting in action, please come back later"],
    needs: |_| Observations {
        greylist: true,
        ..Observations::default()
    },
    build: |settings| {
        let (delay, reconnect) = (
            settings.duration("delay", DELAY),
            settings.flag("reconnect", false),
        );
        let key = seen_by(settings);
        Box::new(move |facts| {
            let Some(seen) = key(facts) else {
                return Finding::NotApplicable;
            };
            if seen.age >= delay && (seen.earlier_session || !reconnect) {
                return Finding::Satisfied;
            }
            let wait = hours(delay.saturating_sub(seen.age));
            let why = format!(
                "first tried {} ago, but {} are required",
                hours(seen.age),
                hours(delay)
            );
            let mut complaint = complaint(
                why,
                [Change::Behave(Behaviour::RetryAfter(
                    delay.saturating_sub(seen.age),
                ))],
            );
            complaint.quotes.push(("wait", wait));
            Finding::Violated(complaint)
        })
    },
};

fn seen_by(settings: &Settings) -> fn(&Facts) -> Option<Seen> {
    match settings.choice("key", "triple") {
        "client" => |facts| facts.greylist.map(|known| known.client),
        "network-triple" => |facts| facts.greylist.map(|known| known.network_triple),
        _ => |facts| facts.greylist.map(|known| known.triple),
    }
}

/// Hours, minutes and seconds in the format of milter-greylist; a fraction of a second is rounded up.
fn hours(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The reply has no enhanced code, as captured.
pub(super) static UNVERIFIABLE: Check = Check {
    name: "unverifiable-per-ip",
    topic: Topic::Other,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "no more than a few HELO names of the client address fail to resolve to it",
    basis: "a captured reply, \"service permits 2 unverifyable sending IPs\"",
    beyond: "beyond RFC 5321 §4.1.4, which forbids refusing because the HELO name does not match the client address",
    parameters: &[Parameter {
        name: "names",
        kind: Kind::Count,
        default: "2",
        doc: "the number that is permitted",
    }],
    fail: &["450 service permits {permitted} unverifyable sending IPs - {helo} is not {ip}"],
    error: &["450 service temporarily cannot verify {helo}"],
    needs: |_| Observations {
        history: true,
        helo: HeloObservations::ADDRESSES,
        ..Observations::default()
    },
    build: |settings| {
        let permitted = settings.count("names", 2);
        Box::new(move |facts| {
            let (Some(history), Some(helo)) = (&facts.history, &facts.helo) else {
                return Finding::NotApplicable;
            };
            let helo_name = helo.argument.to_ascii_lowercase();
            if history.unverified.len() as u64 <= permitted
                || !history.unverified.contains(&helo_name)
            {
                return Finding::Satisfied;
            }
            let why = format!(
                "{} HELO names of {} do not resolve to it: {}",
                history.unverified.len(),
                facts.client_address,
                history.unverified.join(", ")
            );
            let remedy = helo.name().map(|name| Change::PointName {
                name: name.clone(),
                address: facts.client_address,
            });
            let mut complaint = complaint(why, remedy);
            complaint.quotes.push(("permitted", permitted.to_string()));
            Finding::Violated(complaint)
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Greylist, History};
    use crate::policy::checks::test::{Case, SATISFIED, VIOLATED, case};

    #[track_caller]
    fn greylist(settings: &str, expected: &str) {
        fn known(facts: &mut Facts) {
            let seen = |seconds, earlier_session| Seen {
                age: Duration::from_secs(seconds),
                earlier_session,
            };
            let (client, triple, network_triple) =
                (seen(900, false), seen(30, true), seen(400, true));
            facts.greylist = Some(Greylist {
                client,
                triple,
                network_triple,
            });
        }
        case(Case {
            check: "greylist",
            settings,
            conduct: known,
            ..Case::default()
        })
        .is(expected);
    }

    #[test]
    fn rfc6647_first_tries_are_put_off() {
        greylist("", VIOLATED);
        greylist("delay = \"30s\"", SATISFIED);
        greylist("key = \"network-triple\"", SATISFIED);
        greylist("key = \"client\"", SATISFIED);
        greylist("key = \"client\"\nreconnect = true", VIOLATED);
        assert_eq!(hours(Duration::from_millis(3_661_001)), "01:01:02");
    }

    #[test]
    fn unverified_names() {
        fn three(facts: &mut Facts) {
            let unverified = ["a.test", "b.test", "mail.example.test"]
                .map(str::to_owned)
                .to_vec();
            facts.history = Some(History {
                unverified,
                ..History::default()
            });
        }
        let check = |settings, helo, conduct: fn(&mut Facts), expected| {
            let helo = Some(helo);
            case(Case {
                check: "unverifiable-per-ip",
                settings,
                helo,
                conduct,
                ..Case::default()
            })
            .is(expected);
        };
        check(
            "",
            "mail.example.test",
            |facts| facts.history = Some(History::default()),
            SATISFIED,
        );
        check("", "mail.example.test", three, VIOLATED);
        check("", "good.example.test", three, SATISFIED);
        check("names = 3", "mail.example.test", three, SATISFIED);
    }
}
