//! `helo-literal-match`: an address literal in the HELO is the client's own address.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::{Facts, HeloKind};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, literal, nothing, violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-literal-match",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "an address literal in the HELO is the client address",
    basis: "Haraka literal_mismatch, Exim verify = helo, qpsmtpd is_forged_literal",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO and forbids refusing on that ground",
    parameters: &[
        Parameter {
            name: "mode",
            kind: Kind::Choice(&[
                "exact",
                "network",
                "network-or-private",
                "network-or-shared",
            ]),
            default: "exact",
            doc: "exact; network: the same /24 (IPv6: /64); network-or-private: a private address passes too (Haraka 3); network-or-shared: an address in 100.64.0.0/10 passes as well (RFC 6598, SpamAssassin)",
        },
        Parameter {
            name: "about",
            kind: Kind::Choice(&["literals", "bare-addresses", "both"]),
            default: "literals",
            doc: "literals; bare-addresses: addresses without brackets (SpamAssassin helo_ip_mismatch); both",
        },
        Parameter {
            name: "ipv6",
            kind: Kind::Flag,
            default: "true",
            doc: "whether IPv6 addresses are compared (SpamAssassin: no)",
        },
    ],
    fail: &["550 5.7.1 HELO IP literal {helo} does not match your IP address {ip}"],
    error: &["450 4.7.1 HELO IP literal {helo} cannot be judged now"],
    needs: nothing,
    build,
};

fn build(settings: &Settings) -> Judge {
    let mode = settings.choice("mode", "exact");
    let network = mode != "exact";
    let exempt: fn(IpAddr) -> bool = match mode {
        "network-or-private" => is_private,
        "network-or-shared" => |address| is_private(address) || is_shared(address),
        _ => |_| false,
    };
    let about: &'static [HeloKind] = match settings.choice("about", "literals") {
        "bare-addresses" => &[HeloKind::BareIp],
        "both" => &[HeloKind::Literal, HeloKind::BareIp],
        _ => &[HeloKind::Literal],
    };
    let ipv6 = settings.flag("ipv6", true);
    Box::new(move |facts| match &facts.helo {
        Some(helo) if !ipv6 && (facts.client_address.is_ipv6() || helo.argument.contains(':')) => {
            Finding::NotApplicable
        }
        _ => judge(facts, about, network, exempt),
    })
}

fn judge(facts: &Facts, about: &[HeloKind], network: bool, exempt: fn(IpAddr) -> bool) -> Finding {
    let Some(helo) = facts.helo.as_ref().filter(|h| about.contains(&h.kind)) else {
        return Finding::NotApplicable;
    };
    let Some(address) = helo.address else {
        return Finding::NotApplicable;
    };
    let client = facts.client_address;
    if address == client || (network && same_network(address, client)) || exempt(address) {
        return Finding::Satisfied;
    }
    let why = format!("the HELO is {address}, but the client address is {client}");
    violated(
        why,
        [
            Change::SayHelo(Some(literal(client))),
            Change::SendFrom(address),
        ],
    )
}

/// Whether two addresses share a /24 (IPv4) or a /64 (IPv6).
pub(super) fn same_network(one: IpAddr, other: IpAddr) -> bool {
    let prefix = if one.is_ipv4() { 24 } else { 64 };
    IpNet::new(one, prefix).is_ok_and(|net| net.contains(&other))
}

/// Whether an address is in the address space that carriers share (RFC 6598).
fn is_shared(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [100, 64..128, ..]))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, NOT_APPLICABLE, SATISFIED, VIOLATED, case};

    #[test]
    fn helo_literal_match() {
        let check = |helo, settings| {
            case(Case {
                check: "helo-literal-match",
                helo: Some(helo),
                settings,
                ..Case::default()
            })
        };
        check("[192.0.2.10]", "").is(SATISFIED);
        check("[192.0.2.11]", "")
            .is(VIOLATED)
            .remedied_by("send EHLO [192.0.2.10]");
        check("[192.0.2.11]", "mode = \"network\"").is(SATISFIED);
        check("[10.0.0.1]", "mode = \"network\"").is(VIOLATED);
        check("[10.0.0.1]", "mode = \"network-or-private\"").is(SATISFIED);
        check("[100.64.0.1]", "mode = \"network-or-private\"").is(VIOLATED);
        check("[100.64.0.1]", "mode = \"network-or-shared\"").is(SATISFIED);
        check("[10.0.0.1]", "mode = \"network-or-shared\"").is(SATISFIED);
        check("[100.128.0.1]", "mode = \"network-or-shared\"").is(VIOLATED);
        check("[IPv6:::ffff:192.0.2.10]", "").is(SATISFIED);
        check("[IPv6:2001:db8::7]", "").is(VIOLATED);
        check("mail.example.test", "").is(NOT_APPLICABLE);
        check("198.51.100.7", "").is(NOT_APPLICABLE);
        let bare = "about = \"bare-addresses\"\nmode = \"network\"";
        check("198.51.100.7", bare).is(VIOLATED);
        check("192.0.2.99", bare).is(SATISFIED);
        check("[198.51.100.7]", bare).is(NOT_APPLICABLE);
        check("[198.51.100.7]", "about = \"both\"").is(VIOLATED);
        check("198.51.100.7", "about = \"both\"").is(VIOLATED);
        check("192.0.2.10", "about = \"both\"").is(SATISFIED);
        check("[IPv6:2001:db8::7]", "ipv6 = false").is(NOT_APPLICABLE);
        check("[192.0.2.11]", "ipv6 = false").is(VIOLATED);
    }
}
