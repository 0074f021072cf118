//! `helo-syntax`: the HELO is a valid domain name or address literal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::facts::{Facts, Helo, HeloKind, hostname_mistake};
use crate::name::{LABEL_OCTETS, NAME_OCTETS};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, nothing, violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-syntax",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO is a valid domain name or address literal",
    basis: "RFC 5321 §2.3.5, §4.1.1.1, §4.1.3; Postfix reject_invalid_helo_hostname, Exim's HELO syntax check",
    beyond: "within RFC 5321 §4.1.4, which has the reply 501 for an unacceptable argument",
    parameters: &[
        Parameter {
            name: "underscore",
            kind: Kind::Flag,
            default: "false",
            doc: "whether _ is valid (Postfix: yes, Exim: no)",
        },
        Parameter {
            name: "trailing_dot",
            kind: Kind::Flag,
            default: "false",
            doc: "whether a trailing dot is accepted",
        },
        Parameter {
            name: "bare_ip",
            kind: Kind::Flag,
            default: "false",
            doc: "whether an address without brackets is accepted (Postfix: yes)",
        },
        Parameter {
            name: "overlong",
            kind: Kind::Flag,
            default: "false",
            doc: "whether names of 254 and 255 octets, which are too long for DNS, are valid (Postfix: yes)",
        },
        Parameter {
            name: "about",
            kind: Kind::Choice(&["all", "literals", "names", "empty"]),
            default: "\"all\"",
            doc: "which arguments are checked: all, those that begin with [, all others, or only the empty argument that syntax.empty_helo accepts",
        },
        Parameter {
            name: "host",
            kind: Kind::Flag,
            default: "true",
            doc: "whether labels that begin or end with a hyphen, and names of only digits, are refused (OpenSMTPD: no)",
        },
        Parameter {
            name: "labels",
            kind: Kind::Flag,
            default: "true",
            doc: "whether labels, lengths and tags are checked (Exim: no, only for letters, digits, - and ., or an address in [])",
        },
    ],
    fail: &["501 5.5.2 <{helo}>: Helo command rejected: Invalid name"],
    error: &["450 4.5.2 <{helo}>: Helo command rejected"],
    needs: nothing,
    build,
};

fn build(settings: &Settings) -> Judge {
    let underscore = settings.flag("underscore", false);
    let trailing_dot = settings.flag("trailing_dot", false);
    let bare_ip = settings.flag("bare_ip", false);
    let about = settings.choice("about", "all");
    let (labels, overlong) = (
        settings.flag("labels", true),
        settings.flag("overlong", false),
    );
    let host = settings.flag("host", true);
    let concerns = move |helo: &Helo| match about {
        "all" => true,
        "literals" => helo.argument.starts_with('['),
        "empty" => helo.argument.is_empty(),
        _ => !helo.argument.starts_with('['),
    };
    Box::new(move |facts| match &facts.helo {
        None => Finding::NotApplicable,
        Some(helo) if !concerns(helo) => Finding::NotApplicable,
        Some(helo) if overlong && helo.is_overlong_name() => Finding::Satisfied,
        Some(helo) => match if !host {
            dns_mistake(&helo.argument, underscore)
        } else if labels {
            mistake(helo, underscore, trailing_dot, bare_ip)
        } else {
            odd_characters(&helo.argument, underscore)
        } {
            None => Finding::Satisfied,
            Some(why) => violated(
                format!("the HELO {:?} is not valid: {why}", helo.argument),
                [better(facts)],
            ),
        },
    })
}

fn mistake(helo: &Helo, underscore: bool, trailing_dot: bool, bare_ip: bool) -> Option<String> {
    match helo.kind {
        HeloKind::Literal => None,
        HeloKind::BareIp => {
            (!bare_ip).then(|| "an address must be in brackets (RFC 5321 §4.1.3)".into())
        }
        HeloKind::Invalid => Some(helo.mistake.clone()),
        HeloKind::Name if helo.argument.ends_with('.') && !trailing_dot => {
            Some("the name ends in a dot".into())
        }
        HeloKind::Name => hostname_mistake(&helo.argument, underscore),
    }
}

/// The reason why OpenSMTPD refuses an argument: empty or overlong labels, or characters that no host name has. A bare
/// IPv4 address is a name.
fn dns_mistake(argument: &str, underscore: bool) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || (underscore && c == '_');
    if let Some(inner) = argument.strip_prefix('[') {
        let (tag, rest) = inner.split_at_checked(5).unwrap_or(("", inner));
        let inner = if tag.eq_ignore_ascii_case("IPv6:") {
            rest
        } else {
            inner
        };
        let address = inner.strip_suffix(']').map(str::parse::<IpAddr>);
        let sound = address.is_some_and(|address| address.is_ok());
        return (!sound).then(|| "the brackets do not contain an address".into());
    }
    let fits = |label: &str| !label.is_empty() && label.len() <= LABEL_OCTETS;
    let sound = argument.len() <= NAME_OCTETS
        && argument
            .split('.')
            .all(|label| fits(label) && label.chars().all(legal));
    (!sound).then(|| "the name is not valid in DNS".into())
}

/// Exim's `check_helo`: an address in brackets, with or without its family, or letters, digits, hyphens and dots.
fn odd_characters(argument: &str, underscore: bool) -> Option<String> {
    if let Some(inner) = argument.strip_prefix('[') {
        let tagged = |tag: &str| {
            inner
                .get(..5)
                .filter(|t| t.eq_ignore_ascii_case(tag))
                .map(|_| &inner[5..])
        };
        let inside = |text: &str| {
            text.strip_suffix(']')
                .map(str::to_owned)
                .unwrap_or_default()
        };
        let legal = match (tagged("IPv6:"), tagged("IPv4:")) {
            (Some(address), _) => inside(address).parse::<Ipv6Addr>().is_ok(),
            (_, Some(address)) => inside(address).parse::<Ipv4Addr>().is_ok(),
            _ => inside(inner).parse::<IpAddr>().is_ok(),
        };
        return (!legal).then(|| "the brackets do not contain an address".into());
    }
    let legal =
        |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || (underscore && c == '_');
    argument
        .chars()
        .find(|c| !legal(*c))
        .map(|c| format!("the name has the character {c:?}"))
}

/// A better HELO name: the client's verified name, its first PTR name, or another one of its names.
pub(super) fn better(facts: &Facts) -> Change {
    let iprev = facts.iprev.as_ref();
    let name = iprev.and_then(|i| i.verified_name.as_ref().or_else(|| i.host_names().next()));
    Change::SayHelo(name.map(crate::name::display))
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, NOT_APPLICABLE, SATISFIED, VIOLATED, case};

    #[test]
    fn names_of_any_form() {
        let check = |helo| {
            case(Case {
                check: "helo-syntax",
                helo: Some(helo),
                settings: "host = false\nunderscore = true",
                ..Case::default()
            })
        };
        let long = "l".repeat(64);
        for legal in [
            "a-.test",
            "123",
            "192.0.2.1",
            "a_b",
            "[192.0.2.1]",
            "[2001:db8::1]",
        ] {
            check(legal).is(SATISFIED);
        }
        for illegal in [
            "a..test",
            ".",
            "a.test.",
            "2001:db8::1",
            "a/b",
            &long,
            "[192.0.2]",
        ] {
            check(illegal).is(VIOLATED);
        }
    }

    #[test]
    fn helo_syntax() {
        let check = |helo, settings| {
            case(Case {
                check: "helo-syntax",
                helo: Some(helo),
                settings,
                ..Case::default()
            })
        };
        check("mail.example.test", "").is(SATISFIED);
        check("localhost", "").is(SATISFIED);
        check("[192.0.2.10]", "").is(SATISFIED);
        check("[IPv6:2001:db8::7]", "").is(SATISFIED);
        check("", "").is(VIOLATED).because("empty");
        check("a..b", "").is(VIOLATED).because("empty label");
        check("[192.0.2.300]", "").is(VIOLATED).because("literal");
        check("under_score.example.test", "").is(VIOLATED);
        check("under_score.example.test", "underscore = true").is(SATISFIED);
        check("mail.example.test.", "").is(VIOLATED).because("dot");
        check("mail.example.test.", "trailing_dot = true").is(SATISFIED);
        check("192.0.2.10", "").is(VIOLATED).because("brackets");
        check("192.0.2.10", "bare_ip = true").is(SATISFIED);
        check("[192.0.2.300]", "about = \"literals\"").is(VIOLATED);
        check("[192.0.2.300]", "about = \"names\"").is(NOT_APPLICABLE);
        check("a..b", "about = \"literals\"").is(NOT_APPLICABLE);
    }

    /// Results of Exim 4.96.
    #[test]
    fn only_characters_are_checked() {
        let check = |helo| {
            case(Case {
                check: "helo-syntax",
                helo: Some(helo),
                settings: "labels = false",
                ..Case::default()
            })
        };
        for legal in [
            "a..b",
            "-",
            "1.2.3",
            "192.0.2.10",
            "a.",
            "[192.0.2.1]",
            "[2001:db8::7]",
            "[IPv4:192.0.2.1]",
        ] {
            check(legal).is(SATISFIED);
        }
        for odd in [
            "a_b.test",
            "2001:db8::7",
            "a b",
            "[192.0.2.1",
            "[]",
            "[IPv6:192.0.2.1]",
            "[m.test]",
            "192.0.2.1]",
        ] {
            check(odd).is(VIOLATED);
        }
    }
}
