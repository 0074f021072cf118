//! `sender-not-reserved`: no mail host of the sender's domain has a reserved address.

use super::helo_not_reserved::{NETWORKS, move_to, networks, quoting};
use crate::facts::{Observations, SenderObservations};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{Check, Finding, Judge, Settings, Timing, Topic, unavailable, violated};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "sender-not-reserved",
    topic: Topic::SenderDomain,
    stage: Stage::Mail,
    timing: Timing::Stage,
    checks: "no MX host of the reverse-path's domain, or the domain itself without MX records, has an address in reserved address space",
    basis: "RFC 6890, RFC 5321 §5.1; Postfix check_sender_mx_access with a CIDR table, which ignores DNS failures (temp = \"ignore\")",
    beyond: "beyond RFC 5321 §3.6.2, which asks only that the domain resolves",
    parameters: &[NETWORKS],
    fail: &["550 5.7.1 <{sender}>: Sender address rejected: {what} is in reserved address space"],
    error: &["450 4.7.1 <{sender}>: Sender address rejected: cannot look up its mail hosts"],
    needs: |_| Observations {
        sender: SenderObservations {
            mx_addresses: true,
            ..SenderObservations::DOMAIN
        },
        ..Observations::default()
    },
    build,
};

fn build(settings: &Settings) -> Judge {
    let reserved = networks(settings);
    Box::new(move |facts| {
        let Some(sender) = &facts.sender_domain else {
            return Finding::NotApplicable;
        };
        let is_reserved = |address| reserved.iter().any(|net| net.contains(address));
        for host in &sender.mx_hosts {
            if let Some(address) = host.addresses.iter().find(|address| is_reserved(*address)) {
                let name = name::display(&host.name);
                let what = match host.name == sender.domain {
                    true => name,
                    false => format!("MX host {name}"),
                };
                let finding = violated(
                    format!("{what} has the address {address}, which is in reserved address space"),
                    [
                        move_to(&host.name, address, facts.client_address),
                        Change::AddMx(sender.domain.clone()),
                        Change::AskReceiver(facts.client_address),
                    ],
                );
                return quoting(finding, format!("{what} [{address}]"));
            }
        }
        let outcomes = sender.mx_hosts.iter().map(|host| host.outcome);
        match outcomes
            .chain([sender.mx])
            .find(|outcome| outcome.is_temporary())
        {
            Some(failure) => unavailable(
                format!(
                    "whether mail hosts of {} are in reserved address space is unknown: {failure}",
                    name::display(&sender.domain)
                ),
                [Change::MendDns(sender.domain.clone())],
            ),
            None => Finding::Satisfied,
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn mail_hosts_of_the_sender() {
        let check = |world: &str, settings| {
            case(Case {
                check: "sender-not-reserved",
                sender: Some("a@from.test"),
                world,
                settings,
                ..Case::default()
            })
        };
        let mx = "from.test MX a.test b.test\na.test A 192.0.2.1\n";
        check(&format!("{mx}b.test A 192.0.2.2"), "").is(SATISFIED);
        check(&format!("{mx}b.test A 127.0.0.1"), "")
            .is(VIOLATED)
            .because("MX host b.test has the address 127.0.0.1")
            .remedied_by("b.test");
        check(&format!("{mx}b.test AAAA ::1"), "").is(VIOLATED);
        check(
            &format!("{mx}b.test A 127.0.0.1"),
            "networks = [\"203.0.113.9\"]",
        )
        .is(SATISFIED);
        check(&format!("{mx}b.test A SERVFAIL"), "").is(UNAVAILABLE);
        check(&format!("{mx}b.test A NXDOMAIN"), "").is(SATISFIED);
        check("from.test MX timeout", "").is(UNAVAILABLE);
        // Whether the domain itself is the mail host is unknown.
        check("from.test MX SERVFAIL\nfrom.test A 10.0.0.1", "").is(UNAVAILABLE);
        check("from.test MX .", "").is(SATISFIED);
        check("from.test A 10.0.0.1", "")
            .is(VIOLATED)
            .because("from.test has the address 10.0.0.1")
            .remedied_by("MX record for from.test");
        check("from.test A 192.0.2.1", "").is(SATISFIED);
        check("", "").is(SATISFIED);
    }

    #[test]
    fn the_null_sender_has_no_domain() {
        case(Case {
            check: "sender-not-reserved",
            sender: Some(""),
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }
}
