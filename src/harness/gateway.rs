//! The default gateways of the machine from `/proc/net`. On other systems than Linux the list is empty.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The default gateways of the network namespace of this process.
pub(super) fn default_gateways() -> Vec<IpAddr> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (v4, v6) = (read("/proc/net/route"), read("/proc/net/ipv6_route"));
    let v4 = v4.lines().filter_map(of_route).map(IpAddr::from);
    v4.chain(v6.lines().filter_map(of_ipv6_route).map(IpAddr::from))
        .collect()
}

/// The gateway in a line of `/proc/net/route` with a default route. The fields are interface, destination, gateway,
/// flags, reference count, use, metric, mask; addresses are numbers in the machine's byte order.
fn of_route(line: &str) -> Option<Ipv4Addr> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let address = |field: &str| {
        let number = u32::from_str_radix(field, 16).ok()?;
        Some(Ipv4Addr::from(number.to_ne_bytes()))
    };
    let [destination, gateway, mask] =
        [1, 2, 7].map(|place| fields.get(place).and_then(|f| address(f)));
    let everywhere = destination?.is_unspecified() && mask?.is_unspecified();
    gateway.filter(|gateway| everywhere && !gateway.is_unspecified())
}

/// The gateway in a line of `/proc/net/ipv6_route` with a default route. The fields are destination, its prefix length,
/// source, its prefix length, next hop.
fn of_ipv6_route(line: &str) -> Option<Ipv6Addr> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let address = |field: &str| Some(Ipv6Addr::from(u128::from_str_radix(field, 16).ok()?));
    let everywhere = address(fields.first()?)?.is_unspecified() && *fields.get(1)? == "00";
    address(fields.get(4)?).filter(|gateway| everywhere && !gateway.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_of_default_routes() {
        let line = |destination: [u8; 4], gateway: [u8; 4], mask: [u8; 4]| {
            let [destination, gateway, mask] = [destination, gateway, mask].map(u32::from_ne_bytes);
            format!("eth0\t{destination:08X}\t{gateway:08X}\t0003\t0\t0\t0\t{mask:08X}\t0\t0\t0  ")
        };
        let (any, gateway) = ([0; 4], [172, 17, 0, 1]);
        for (line, expected) in [
            (line(any, gateway, any), Some(Ipv4Addr::from(gateway))),
            (line(any, any, any), None),
            (line([10, 0, 0, 0], gateway, [255, 0, 0, 0]), None),
            (line(any, gateway, [128, 0, 0, 0]), None),
            (
                "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU".to_owned(),
                None,
            ),
            (String::new(), None),
        ] {
            assert_eq!(of_route(&line), expected, "{line}");
        }
        let zeros = "0".repeat(32);
        let gateway = "fd000000000000000000000000000001";
        let line = |destination: &str, prefix: &str, hop: &str| {
            format!(
                "{destination} {prefix} {zeros} 00 {hop} 00000400 00000003 00000000 00000003     eth0"
            )
        };
        for (line, expected) in [
            (line(&zeros, "00", gateway), "fd00::1".parse().ok()),
            (line(&zeros, "00", &zeros), None),
            (line(&zeros, "01", gateway), None),
            (
                line("fd000000000000000000000000000000", "40", gateway),
                None,
            ),
            (zeros.clone(), None),
        ] {
            assert_eq!(of_ipv6_route(&line), expected, "{line}");
        }
    }
}
