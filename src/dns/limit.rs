//! Limits for clients outside loopback.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use parking_lot::Mutex;

/// Maximum number of networks. Beyond it, all are removed, and each starts with a full allowance.
const NETWORKS: usize = 10_000;
/// One in this number of responses over the limit is sent with TC and without records, so that a client whose address
/// was spoofed can repeat the query over TCP.
const SLIP: u64 = 2;

/// The treatment of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// The answer.
    Answer,
    /// TC without records.
    Truncated,
    /// No answer.
    Nothing,
}

/// The allowance of each client network, and the number of connections of each client.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    networks: Mutex<HashMap<IpAddr, Bucket>>,
    connections: Mutex<HashMap<IpAddr, u32>>,
}

#[derive(Debug)]
struct Bucket {
    /// The number of responses that can still be sent.
    left: f64,
    at: Instant,
    refused: u64,
}

impl Limiter {
    /// Takes one UDP response from the allowance of the network, which is that of one second.
    pub(super) fn response(&self, client: IpAddr, per_second: u32, now: Instant) -> Allowance {
        if per_second == 0 || client.to_canonical().is_loopback() {
            return Allowance::Answer;
        }
        let most = f64::from(per_second);
        let mut networks = self.networks.lock();
        if networks.len() >= NETWORKS {
            networks.clear();
        }
        let bucket = networks.entry(network(client)).or_insert(Bucket {
            left: most,
            at: now,
            refused: 0,
        });
        let refilled = now.saturating_duration_since(bucket.at).as_secs_f64() * most;
        (bucket.left, bucket.at) = ((bucket.left + refilled).min(most), now);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Allowance::Answer;
        }
        bucket.refused += 1;
        if bucket.refused.is_multiple_of(SLIP) {
            Allowance::Truncated
        } else {
            Allowance::Nothing
        }
    }

    /// Takes one connection of a client. Returns false if it has the maximum.
    pub(super) fn connect(&self, client: IpAddr, most: u32) -> bool {
        if client.to_canonical().is_loopback() {
            return true;
        }
        let mut connections = self.connections.lock();
        let open = connections.entry(client).or_default();
        let free = most == 0 || *open < most;
        *open += u32::from(free);
        free
    }

    /// Returns a connection.
    pub(super) fn disconnect(&self, client: IpAddr) {
        let mut connections = self.connections.lock();
        if let Some(open) = connections.get_mut(&client) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                connections.remove(&client);
            }
        }
    }
}

/// The network that shares an allowance: an IPv4 /24, an IPv6 /56.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 72 << 72).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(client: &str, per_second: u32, expected: [usize; 3]) {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let client = client.parse().expect("an address");
        let allowances: Vec<_> = (0..10)
            .map(|_| limiter.response(client, per_second, now))
            .collect();
        let count = |wanted| allowances.iter().filter(|a| **a == wanted).count();
        let counts = [Allowance::Answer, Allowance::Truncated, Allowance::Nothing].map(count);
        assert_eq!(counts, expected, "{client} at {per_second}/s");
    }

    #[test]
    fn responses_over_the_rate() {
        check("198.51.100.1", 4, [4, 3, 3]);
        check("2001:db8::1", 4, [4, 3, 3]);
        check("198.51.100.1", 0, [10, 0, 0]);
        check("127.0.0.1", 4, [10, 0, 0]);
        check("127.9.9.9", 4, [10, 0, 0]);
        check("::1", 4, [10, 0, 0]);
        check("::ffff:127.0.0.1", 4, [10, 0, 0]);
    }

    #[test]
    fn the_allowance_belongs_to_a_network_and_recovers() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let ask = |client: &str, at| limiter.response(client.parse().expect("an address"), 2, at);
        assert_eq!(ask("198.51.100.1", now), Allowance::Answer);
        assert_eq!(ask("198.51.100.2", now), Allowance::Answer);
        assert_eq!(ask("198.51.100.3", now), Allowance::Nothing);
        assert_eq!(
            ask("198.51.101.3", now),
            Allowance::Answer,
            "another network"
        );
        assert_eq!(
            ask("198.51.100.1", now + Duration::from_millis(500)),
            Allowance::Answer
        );
        assert_eq!(
            ask("198.51.100.1", now + Duration::from_millis(501)),
            Allowance::Truncated
        );
    }

    #[test]
    fn connections() {
        let limiter = Limiter::default();
        let [far, near] =
            ["198.51.100.1", "127.0.0.1"].map(|a| a.parse::<IpAddr>().expect("an address"));
        let taken = |client| (0..5).filter(|_| limiter.connect(client, 2)).count();
        assert_eq!((taken(far), taken(near)), (2, 5));
        limiter.disconnect(far);
        assert_eq!(taken(far), 1);
    }
}
