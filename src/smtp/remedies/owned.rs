//! The names and addresses that an operator can own: remedies propose no others.

use std::net::IpAddr;

use crate::name::{self, Name};

/// Whether an operator could own the name. Special-use names (RFC 6761) and public suffixes have no owner, but the
/// names that RFC 2606 reserves for tests and examples represent real names in a scenario.
pub(super) fn can_be_owned(name: &Name) -> bool {
    const NOBODYS: &[&str] = &[
        "localhost",
        "localdomain",
        "invalid",
        "local",
        "onion",
        "alt",
        "internal",
        "home.arpa",
        "resolver.arpa",
        "ipv4only.arpa",
        "10.in-addr.arpa",
        "168.192.in-addr.arpa",
        "127.in-addr.arpa",
        "254.169.in-addr.arpa",
    ];
    let text = name::display(name).to_ascii_lowercase();
    let below = |suffix: &str| {
        text.strip_suffix(suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    // 16.172.in-addr.arpa to 31.172.in-addr.arpa.
    let private = (16..32).any(|octet| below(&format!("{octet}.172.in-addr.arpa")));
    let owned = is_reverse(name) || name::organisational_domain(name).is_some();
    owned && !private && !NOBODYS.iter().any(|suffix| below(suffix))
}

pub(super) fn is_reverse(name: &Name) -> bool {
    ["in-addr.arpa", "ip6.arpa"]
        .iter()
        .filter_map(|arpa| name::absolute(arpa))
        .any(|arpa| name::is_within(name, &arpa))
}

/// Whether a mail server on the Internet can have the address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            !(v6.is_loopback() || v6.is_unspecified() || first & 0xfe00 == 0xfc00)
                && first & 0xffc0 != 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_somebody_can_own() {
        for (text, expected) in [
            ("mail.example.com", true),
            ("example.com", true),
            ("mail.example.test", true),
            ("10.2.0.192.in-addr.arpa", true),
            ("1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", true),
            ("9.15.172.in-addr.arpa", true),
            ("9.32.172.in-addr.arpa", true),
            ("com", false),
            ("co.uk", false),
            ("localhost", false),
            ("mail.localhost", false),
            ("mail.localdomain", false),
            ("printer.local", false),
            ("notlocal.test", true),
            ("1.0.0.10.in-addr.arpa", false),
            ("1.1.168.192.in-addr.arpa", false),
            ("1.0.0.127.in-addr.arpa", false),
            ("9.16.172.in-addr.arpa", false),
            ("9.31.172.in-addr.arpa", false),
        ] {
            let name = name::absolute(text).expect("a name");
            assert_eq!(can_be_owned(&name), expected, "{text}");
        }
    }

    #[test]
    fn addresses_that_the_world_sees() {
        for (text, expected) in [
            ("192.0.2.10", true),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("169.254.0.1", false),
            ("0.0.0.0", false),
            ("2001:db8::1", true),
            ("::1", false),
            ("::", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("fe80::1", false),
            ("febf::1", false),
        ] {
            assert_eq!(
                is_public(text.parse().expect("an address")),
                expected,
                "{text}"
            );
        }
    }
}
