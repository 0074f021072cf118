//! `ptr-country-and-ip` and `ipv6-ptr`: demands of single operators on the PTR name.

use crate::facts::{Facts, IprevResult, Keywords, generic_pattern};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{Check, Finding, Timing, Topic, ptr_names, unavailable, violated};
use crate::stage::Stage;

pub(super) static COUNTRY: Check = Check {
    name: "ptr-country-and-ip",
    topic: Topic::Ptr,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "the first PTR name does not contain both the client address and a country code",
    basis: "Compuserve DE",
    beyond: "beyond RFC 5321, which says nothing about PTR names",
    parameters: &[],
    fail: &["554 Refused. Your reverse DNS entry contains your IP address and a country code."],
    error: &["421 Refused. Your reverse DNS entry does not resolve."],
    needs: ptr_names,
    build: |_| Box::new(country),
};

fn country(facts: &Facts) -> Finding {
    let Some(iprev) = &facts.iprev else {
        return Finding::NotApplicable;
    };
    if iprev.reverse.is_temporary() {
        let why = format!(
            "the PTR name of {} is unknown: the lookup ended with {}",
            facts.client_address, iprev.reverse
        );
        return unavailable(why, [Change::MendDns(name::reverse(facts.client_address))]);
    }
    let Some(ptr) = iprev.ptr_names.first().map(name::display) else {
        return Finding::NotApplicable;
    };
    // Two-letter top-level domains are country codes (RFC 1591 §2).
    let country = ptr
        .rsplit('.')
        .next()
        .is_some_and(|top| top.len() == 2 && top.chars().all(|c| c.is_ascii_alphabetic()));
    match generic_pattern(&ptr, facts.client_address, 4, Keywords::Ignored).filter(|_| country) {
        None => Finding::Satisfied,
        Some(_) => {
            let remedy = Change::PointPtr {
                address: facts.client_address,
                target: super::ptr_exists::named(facts),
            };
            violated(
                format!(
                    "the PTR name {ptr} contains {} and a country code",
                    facts.client_address
                ),
                [remedy],
            )
        }
    }
}

pub(super) static IPV6: Check = Check {
    name: "ipv6-ptr",
    topic: Topic::Iprev,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "an IPv6 client has a PTR name that leads back; IPv4 clients pass",
    basis: "Gmail's IPv6 sending guidelines; Microsoft EOP 4.7.25",
    beyond: "beyond RFC 5321, which does not require reverse DNS",
    parameters: &[],
    fail: &["550 5.7.1 [{ip}] does not meet IPv6 sending guidelines regarding PTR records"],
    error: &[
        "450 4.7.25 Service unavailable, sending IPv6 address [{ip}] must have reverse DNS record.",
    ],
    needs: ptr_names,
    build: |_| {
        Box::new(|facts| {
            let Some(iprev) = facts
                .iprev
                .as_ref()
                .filter(|_| facts.client_address.is_ipv6())
            else {
                return Finding::NotApplicable;
            };
            let reverse = || name::reverse(facts.client_address);
            match iprev.result {
                IprevResult::Pass => Finding::Satisfied,
                IprevResult::Temperror => {
                    unavailable(iprev.explanation.clone(), [Change::MendDns(reverse())])
                }
                _ => {
                    let target = super::ptr_exists::named(facts);
                    violated(
                        iprev.explanation.clone(),
                        [Change::PointPtr {
                            address: facts.client_address,
                            target,
                        }],
                    )
                }
            }
        })
    },
};

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn ptr_country_and_ip() {
        let check = |ptr: &str| {
            let world = format!("10.2.0.192.in-addr.arpa PTR {ptr}");
            case(Case {
                check: "ptr-country-and-ip",
                world: &world,
                ..Case::default()
            })
        };
        check("192-0-2-10.isp.de").is(VIOLATED);
        check("192-0-2-10.isp.com").is(SATISFIED);
        check("mail.isp.de").is(SATISFIED);
        check("SERVFAIL").is(UNAVAILABLE);
        case(Case {
            check: "ptr-country-and-ip",
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }

    #[test]
    fn ipv6_ptr() {
        let check = |client, world: &str| {
            case(Case {
                check: "ipv6-ptr",
                client,
                world,
                ..Case::default()
            })
        };
        let reverse =
            "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR";
        check("192.0.2.10", "").is(NOT_APPLICABLE);
        check("2001:db8::7", "").is(VIOLATED);
        check(
            "2001:db8::7",
            &format!("{reverse} m.test\nm.test AAAA 2001:db8::7"),
        )
        .is(SATISFIED);
        check("2001:db8::7", &format!("{reverse} timeout")).is(UNAVAILABLE);
    }
}
