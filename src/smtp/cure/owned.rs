//! Which names and addresses an operator can have: a remedy speaks of no others.

use std::net::IpAddr;

use crate::name::{self, Name};

/// Whether somebody could own the name. The special-use names of RFC 6761 and its kind belong to nobody; those that
/// RFC 2606 sets aside for tests and examples stand for real ones in a scenario. Nor does anybody own a public suffix.
pub(super) fn is_ours(name: &Name) -> bool {
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

/// Whether a mail host can have the address as the world sees it.
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
