//! `helo-literal-allowed` and `helo-bad-ip`: whether address literals are accepted, and which.

use std::net::IpAddr;

use crate::facts::HeloKind;
use crate::policy::Change;
use crate::policy::check::{Check, Finding, Timing, Topic, literal, nothing, violated};
use crate::stage::Stage;

pub(super) static ALLOWED: Check = Check {
    name: "helo-literal-allowed",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO is not an address literal",
    basis: "qpsmtpd strict, is_address_literal",
    beyond: "beyond RFC 5321 §4.1.3, which allows a literal for a host without a name",
    parameters: &[],
    fail: &["550 5.7.1 RFC 2821 allows an address literal, but we do not"],
    error: &["450 4.7.1 RFC 2821 allows an address literal, but we do not"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| match &facts.helo {
            Some(helo) if helo.kind == HeloKind::Literal => violated(
                format!("the HELO {} is an address literal", helo.argument),
                [super::helo_syntax::better(facts)],
            ),
            Some(_) => Finding::Satisfied,
            None => Finding::NotApplicable,
        })
    },
};

pub(super) static BAD_IP: Check = Check {
    name: "helo-bad-ip",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "an address literal in the HELO is not in reserved, private or documentation address space",
    basis: "rspamd HFILTER_HELO_BADIP; RFC 6890",
    beyond: "beyond RFC 5321 §4.1.4, which forbids refusing for this reason",
    parameters: &[],
    fail: &["550 5.7.1 HELO address {helo} is reserved"],
    error: &["450 4.7.1 HELO address {helo} is reserved"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| {
            let Some(helo) = facts.helo.as_ref().filter(|h| h.kind == HeloKind::Literal) else {
                return Finding::NotApplicable;
            };
            match helo.address {
                Some(address) if is_reserved(address) => {
                    let remedy = Change::SayHelo(Some(literal(facts.client_address)));
                    violated(
                        format!("{address} is reserved, so it cannot send mail"),
                        [remedy],
                    )
                }
                _ => Finding::Satisfied,
            }
        })
    },
};

fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_broadcast()
                || a == 0
                || a >= 224
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (b == 18 || b == 19))
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || (a == 0x2001 && b == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, NOT_APPLICABLE, SATISFIED, VIOLATED, case};

    #[test]
    fn literals() {
        let allowed = |helo: &str| {
            case(Case {
                check: "helo-literal-allowed",
                helo: Some(helo),
                ..Case::default()
            })
        };
        allowed("mail.example.test").is(SATISFIED);
        allowed("192.0.2.10").is(SATISFIED);
        allowed("[192.0.2.10]").is(VIOLATED);
        let bad_ip = |helo: &str| {
            case(Case {
                check: "helo-bad-ip",
                helo: Some(helo),
                ..Case::default()
            })
        };
        for reserved in [
            "[10.0.0.1]",
            "[127.0.0.1]",
            "[192.0.2.10]",
            "[100.64.0.1]",
            "[0.0.0.0]",
            "[224.0.0.1]",
            "[198.18.0.1]",
            "[198.19.255.255]",
            "[100.127.255.255]",
            "[255.255.255.255]",
            "[IPv6:::]",
            "[IPv6:fd00::1]",
            "[IPv6:fe80::1]",
            "[IPv6:ff02::1]",
            "[IPv6:2001:db8::1]",
            "[IPv6:::1]",
        ] {
            bad_ip(reserved).is(VIOLATED);
        }
        for public in [
            "[8.8.8.8]",
            "[8.18.0.1]",
            "[8.100.0.1]",
            "[100.63.0.1]",
            "[100.128.0.1]",
            "[198.17.0.1]",
            "[198.20.0.1]",
            "[223.255.255.255]",
            "[IPv6:2a01:111:f400::1]",
            "[IPv6:2001:4860::1]",
            "[IPv6:2a01:db8::1]",
        ] {
            bad_ip(public).is(SATISFIED);
        }
        bad_ip("mail.example.test").is(NOT_APPLICABLE);
    }
}
