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
