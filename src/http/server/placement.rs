//! Where worlds that are created over HTTP listen, and how addresses are shown to those who must connect to them.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

/// Where worlds that are created over HTTP listen, and who may use XCLIENT there.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// Their address; 127.0.0.1 if `None`.
    pub address: Option<IpAddr>,
    /// Their ports; free ports if `None`.
    pub ports: Option<RangeInclusive<u16>>,
    /// The host name or address to show for servers on 0.0.0.0 or `::`; that of the request if `None`.
    pub advertise: Option<String>,
    /// The networks that may use XCLIENT; those of the receiver if `None`.
    pub xclient: Option<Arc<[IpNet]>>,
}

impl Placement {
    /// The address that the DNS has for servers on 0.0.0.0 or `::`; `None` if a host name or nothing is advertised.
    pub fn advertised(&self) -> Option<IpAddr> {
        self.advertise.as_ref()?.parse().ok()
    }
}

/// An address as a client should use it: a server on 0.0.0.0 or `::` is shown with `host`, if there is one.
pub fn shown(address: SocketAddr, host: Option<&str>) -> String {
    match host {
        Some(host) if address.ip().is_unspecified() => match host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, address.port()).to_string(),
            Err(_) => format!("{host}:{}", address.port()),
        },
        _ => address.to_string(),
    }
}

/// Splits an address into host, without brackets, and port.
pub(crate) fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port.parse().ok()?))
}

/// The host of a Host header field, without its port.
pub(crate) fn host_of(field: &str) -> &str {
    match field.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => {
            host.trim_start_matches('[').trim_end_matches(']')
        }
        _ => field.trim_start_matches('[').trim_end_matches(']'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_the_client_can_reach() {
        for (address, host, expected) in [
            ("127.0.0.1:25", Some("mail"), "127.0.0.1:25"),
            ("0.0.0.0:25", None, "0.0.0.0:25"),
            ("0.0.0.0:25", Some("mail"), "mail:25"),
            ("0.0.0.0:25", Some("192.0.2.1"), "192.0.2.1:25"),
            ("[::]:25", Some("::1"), "[::1]:25"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(shown(address, host), expected);
        }
        for (field, expected) in [
            ("mail:8025", "mail"),
            ("mail", "mail"),
            ("[::1]:8025", "::1"),
            ("[::1]", "::1"),
            ("192.0.2.1:80", "192.0.2.1"),
        ] {
            assert_eq!(host_of(field), expected);
        }
        assert_eq!(host_and_port("[::1]:25"), Some(("::1".to_owned(), 25)));
    }
}
