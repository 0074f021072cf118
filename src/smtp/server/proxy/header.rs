//! The PROXY header, which the crate ppp parses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use ppp::{HeaderResult, PartialResult, v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ProxyMode;

/// The maximum length of a header: the fixed part of version 2 and a kilobyte of addresses and TLVs. Version 1 has at
/// most 107 octets.
const HEADER_OCTETS: usize = 16 + 1024;
const V1_OCTETS: usize = 107;
const V1_PREFIX: &[u8] = b"PROXY";

/// Time limit of the header (Postfix: five seconds).
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// Time after which a silent client counts as one without a proxy, if the header is optional.
const PROXY_OPTIONAL: Duration = Duration::from_millis(500);

/// The meaning of the first octets of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The beginning of a header; more is needed.
    Incomplete,
    /// No header.
    Absent,
    /// A header with the client address, or `None` for the peer of the socket (LOCAL, UNKNOWN).
    Header(Option<SocketAddr>),
    /// A malformed header, with the reason.
    Malformed(String),
}

/// Examines the first octets, and removes a complete header.
pub(crate) fn begin(input: &mut BytesMut) -> Beginning {
    let is_prefix = |known: &[u8]| input.starts_with(known) || known.starts_with(input);
    if input.is_empty() {
        return Beginning::Incomplete;
    }
    if !is_prefix(V1_PREFIX) && !is_prefix(v2::PROTOCOL_PREFIX) {
        return Beginning::Absent;
    }
    // A header of version 1 is one line. Before its end, ppp would take a partial port for a wrong one; after a bare
    // LF, it would expect another line end.
    let mut seen = &input[..];
    if input.starts_with(V1_PREFIX) {
        seen = &input[..input.len().min(V1_OCTETS)];
        match memchr::memchr(b'\n', seen) {
            Some(end) => seen = &seen[..=end],
            None if seen.len() < V1_OCTETS => return Beginning::Incomplete,
            None => {}
        }
    }
    let (length, beginning) = match HeaderResult::parse(seen) {
        HeaderResult::V1(Ok(header)) => (
            header.header.len(),
            Beginning::Header(of_v1(&header.addresses)),
        ),
        HeaderResult::V2(Ok(header)) => (header.header.len(), of_v2(&header)),
        HeaderResult::V2(partial) if partial.is_incomplete() && input.len() < HEADER_OCTETS => {
            return Beginning::Incomplete;
        }
        HeaderResult::V1(_) if input.len() < V1_PREFIX.len() => return Beginning::Incomplete,
        HeaderResult::V1(Err(error)) => (0, Beginning::Malformed(error.to_string())),
        HeaderResult::V2(Err(error)) => (0, Beginning::Malformed(error.to_string())),
    };
    let _ = input.split_to(length);
    beginning
}

fn of_v1(addresses: &v1::Addresses) -> Option<SocketAddr> {
    match addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(tcp) => Some(SocketAddr::new(
            IpAddr::V4(tcp.source_address),
            tcp.source_port,
        )),
        v1::Addresses::Tcp6(tcp) => Some(SocketAddr::new(
            IpAddr::V6(tcp.source_address),
            tcp.source_port,
        )),
    }
}

fn of_v2(header: &v2::Header<'_>) -> Beginning {
    if header.command == v2::Command::Local {
        return Beginning::Header(None);
    }
    match header.addresses {
        v2::Addresses::Unspecified => Beginning::Header(None),
        v2::Addresses::IPv4(tcp) => Beginning::Header(Some(SocketAddr::new(
            IpAddr::V4(tcp.source_address),
            tcp.source_port,
        ))),
        v2::Addresses::IPv6(tcp) => Beginning::Header(Some(SocketAddr::new(
            IpAddr::V6(tcp.source_address),
            tcp.source_port,
        ))),
        v2::Addresses::Unix(_) => {
            Beginning::Malformed("a Unix socket is not a client address".to_owned())
        }
    }
}

/// Reads the header. Returns the client address, or `None` without a proxy or for the peer of the socket.
pub(crate) async fn client(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    mode: ProxyMode,
) -> Result<Option<SocketAddr>, String> {
    if mode == ProxyMode::Off {
        return Ok(None);
    }
    let named = timeout(PROXY_TIMEOUT, header(stream, input, mode)).await;
    named.unwrap_or_else(|_| Err("the client sent no header".to_owned()))
}

async fn header(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    mode: ProxyMode,
) -> Result<Option<SocketAddr>, String> {
    loop {
        match begin(input) {
            Beginning::Header(client) => return Ok(client),
            Beginning::Malformed(why) => return Err(why),
            Beginning::Absent if mode == ProxyMode::Required => {
                return Err("the header is missing".to_owned());
            }
            Beginning::Absent => return Ok(None),
            Beginning::Incomplete => {}
        }
        let open = mode == ProxyMode::Optional && input.is_empty();
        let limit = if open { PROXY_OPTIONAL } else { PROXY_TIMEOUT };
        match timeout(limit, stream.read_buf(input)).await {
            Ok(Ok(read)) if read > 0 => {}
            Err(_) if open => return Ok(None),
            _ => return Err("the connection ended within the header".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(octets: &[u8], expected: &Beginning, left: &[u8]) {
        // The result is the same for all packet borders.
        for cut in 1..octets.len() {
            let mut input = BytesMut::from(&octets[..cut]);
            let first = begin(&mut input);
            if first != Beginning::Incomplete {
                assert_eq!(&first, expected, "after {cut} octets");
                continue;
            }
            input.extend_from_slice(&octets[cut..]);
            assert_eq!(&begin(&mut input), expected, "cut at {cut}");
            assert_eq!(input, left, "cut at {cut}");
        }
    }

    fn client(text: &str) -> Beginning {
        Beginning::Header(Some(text.parse().expect("an address")))
    }

    fn v2_header(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut octets = v2::PROTOCOL_PREFIX.to_vec();
        octets.extend([command, family]);
        octets.extend(u16::try_from(addresses.len()).expect("short").to_be_bytes());
        octets.extend(addresses);
        octets.extend(b"EHLO x\r\n");
        octets
    }

    #[test]
    fn version_1() {
        check(
            b"PROXY TCP4 192.0.2.10 198.51.100.25 40000 25\r\nEHLO x\r\n",
            &client("192.0.2.10:40000"),
            b"EHLO x\r\n",
        );
        check(
            b"PROXY TCP6 2001:db8::7 2001:db8::25 40000 25\r\n",
            &client("[2001:db8::7]:40000"),
            b"",
        );
        check(
            b"PROXY UNKNOWN\r\nEHLO x\r\n",
            &Beginning::Header(None),
            b"EHLO x\r\n",
        );
    }

    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 10, 198, 51, 100, 25, 0x9c, 0x40, 0, 25];
        check(
            &v2_header(0x21, 0x11, &v4),
            &client("192.0.2.10:40000"),
            b"EHLO x\r\n",
        );
        // A TLV after the addresses is ignored.
        let with_tlv = [&v4[..], &[0x04, 0, 1, 0]].concat();
        check(
            &v2_header(0x21, 0x11, &with_tlv),
            &client("192.0.2.10:40000"),
            b"EHLO x\r\n",
        );
        check(
            &v2_header(0x20, 0x00, &[]),
            &Beginning::Header(None),
            b"EHLO x\r\n",
        );
        check(
            &v2_header(0x20, 0x11, &v4),
            &Beginning::Header(None),
            b"EHLO x\r\n",
        );
    }

    #[test]
    fn malformed_headers() {
        let first = |octets: &[u8]| begin(&mut BytesMut::from(octets));
        assert_eq!(first(b"EHLO x\r\n"), Beginning::Absent);
        assert_eq!(
            first(b"\r\n"),
            Beginning::Incomplete,
            "the first octets of version 2"
        );
        assert_eq!(first(b"PRO"), Beginning::Incomplete);
        for bad in [
            &b"PROXY TCP4 192.0.2.10\r\n"[..],
            b"PROXY TCP4 a b c d\r\n",
            b"PROXY FOO 1 2 3 4\r\n",
            &[b'P'; 200],
        ] {
            let got = first(bad);
            assert!(
                matches!(got, Beginning::Malformed(_) | Beginning::Absent),
                "{got:?}"
            );
        }
        let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        assert!(matches!(first(&endless), Beginning::Malformed(_)));
        // The line ends at its first LF, whatever follows.
        for cut in [20, 40] {
            let bare = &b"PROXY UNKNOWN 1 2 3\nT\nEHLO x\r\nMAIL FROM:<>"[..cut];
            assert!(
                matches!(first(bare), Beginning::Malformed(_)),
                "{:?}",
                first(bare)
            );
        }
        let unix = v2_header(0x21, 0x31, &[0; 216]);
        assert!(matches!(first(&unix), Beginning::Malformed(_)));
    }
}
