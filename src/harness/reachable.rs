//! The addresses of a listener in the DNS, at which senders can reach it. Nobody can connect to 0.0.0.0 or `::`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The addresses for a listener at `listener`. A listener at 0.0.0.0 or `::` has the `advertised` address, or else that
/// of the DNS server, because a sender that queries it can reach it, or else one address of this machine for each
/// family.
pub(super) fn addresses(
    listener: IpAddr,
    dns: IpAddr,
    advertised: Option<IpAddr>,
    own: impl Fn(IpAddr) -> Option<IpAddr>,
) -> Vec<IpAddr> {
    if !listener.is_unspecified() {
        return vec![listener];
    }
    // A socket at `::` also accepts IPv4.
    let takes = |address: &IpAddr| listener.is_ipv6() || address.is_ipv4();
    let specific = |address: &IpAddr| !address.is_unspecified() && takes(address);
    if let Some(known) = [advertised, Some(dns)].into_iter().flatten().find(specific) {
        return vec![known];
    }
    let families = [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ];
    let found: Vec<_> = families.into_iter().filter(takes).filter_map(own).collect();
    match found.as_slice() {
        [] => vec![Ipv4Addr::LOCALHOST.into()],
        _ => found,
    }
}

/// An address of this machine in the family of `any`: the source address for other networks, or else the first address
/// of an interface that is up.
pub(super) fn of_machine(any: IpAddr) -> Option<IpAddr> {
    source(any).or_else(|| of_interface(any))
}

/// The source address of the default route. Connecting a UDP socket sends nothing.
fn source(any: IpAddr) -> Option<IpAddr> {
    let documentation: IpAddr = match any {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(documentation, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    Some(address).filter(is_usable)
}

#[cfg(target_os = "linux")]
fn of_interface(any: IpAddr) -> Option<IpAddr> {
    use nix::ifaddrs::getifaddrs;
    use nix::net::if_::InterfaceFlags;

    let usable = |interface: nix::ifaddrs::InterfaceAddress| {
        let up = interface.flags.contains(InterfaceFlags::IFF_UP);
        let storage = interface.address.filter(|_| up)?;
        let address: IpAddr = match any {
            IpAddr::V4(_) => storage.as_sockaddr_in()?.ip().into(),
            IpAddr::V6(_) => storage.as_sockaddr_in6()?.ip().into(),
        };
        Some(address).filter(is_usable)
    };
    getifaddrs().ok()?.find_map(usable)
}

#[cfg(not(target_os = "linux"))]
fn of_interface(_any: IpAddr) -> Option<IpAddr> {
    None
}

/// Whether a sender can use the address: it is not a loopback address, and does not need an interface.
fn is_usable(address: &IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_unspecified() || address.is_loopback() || link_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listener: &str, dns: &str, advertised: Option<&str>, own: &[&str], expected: &[&str]) {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let own: Vec<_> = own.iter().copied().map(ip).collect();
        let of_family = |any: IpAddr| own.iter().copied().find(|ip| ip.is_ipv4() == any.is_ipv4());
        let found = addresses(ip(listener), ip(dns), advertised.map(ip), of_family);
        let expected: Vec<_> = expected.iter().copied().map(ip).collect();
        assert_eq!(found, expected, "{listener} {dns} {advertised:?} {own:?}");
    }

    #[test]
    fn senders_are_given_an_address_to_connect_to() {
        let own = ["192.0.2.25", "2001:db8::25"];
        check(
            "127.0.0.1",
            "0.0.0.0",
            Some("192.0.2.7"),
            &own,
            &["127.0.0.1"],
        );
        check(
            "0.0.0.0",
            "0.0.0.0",
            Some("192.0.2.7"),
            &own,
            &["192.0.2.7"],
        );
        check("0.0.0.0", "192.0.2.53", None, &own, &["192.0.2.53"]);
        check("0.0.0.0", "127.0.0.1", None, &own, &["127.0.0.1"]);
        check("0.0.0.0", "0.0.0.0", None, &own, &["192.0.2.25"]);
        check("0.0.0.0", "::", None, &own, &["192.0.2.25"]);
        check("::", "::", None, &own, &own);
        check("::", "0.0.0.0", None, &own[1..], &own[1..]);
        check("::", "192.0.2.53", None, &own, &["192.0.2.53"]);
        // A listener at 0.0.0.0 cannot use IPv6.
        check(
            "0.0.0.0",
            "2001:db8::53",
            Some("2001:db8::7"),
            &own,
            &["192.0.2.25"],
        );
        check("0.0.0.0", "0.0.0.0", None, &[], &["127.0.0.1"]);
    }
}
