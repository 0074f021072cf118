//! The receivers: each a real program, and martinet with the profile of that program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use martinet::scenario::{ReceiverProfile, Scenario, load_receiver, parse_scenario};
use martinet::smtp::ClientSource;
use tokio::net::TcpStream;

use crate::foreign::Foreign;
use crate::worlds::World;
use crate::{exim, postfix};

/// Where the receivers listen.
const HOST_4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 25));
const HOST_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25));
/// Where the one resolver listens, as lab.sh writes it into resolv.conf.
const DNS: ([u8; 4], u16) = ([198, 51, 100, 53], 53);
/// How long a lookup is waited for, as lab.sh and the configuration of Exim have it.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(1);
/// How long a daemon may take until it listens.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// The profiles, and the port of the real program; martinet listens one above.
const PROFILES: [(&str, u16); 4] = [
    ("postfix-strict", 2500),
    ("postfix-no-delay", 2510),
    ("exim-reverse-host-lookup", 2520),
    ("exim-verify-helo", 2530),
];

/// A real receiver and martinet in its place.
pub struct Receiver {
    /// The name of the profile.
    pub profile: ReceiverProfile,
    port: u16,
    world: martinet::World,
}

impl Receiver {
    /// Where the real program listens, for a client of this family.
    pub fn real(&self, client: IpAddr) -> SocketAddr {
        SocketAddr::new(if client.is_ipv4() { HOST_4 } else { HOST_6 }, self.port)
    }

    /// Where martinet listens.
    pub fn ours(&self, client: IpAddr) -> SocketAddr {
        SocketAddr::new(self.real(client).ip(), self.port + 1)
    }
}

/// A running program, ended when dropped; its children end with the namespace.
pub struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Mistakes that a session may make: the real programs are configured likewise.
const MAX_ERRORS: usize = 100;

/// Starts martinet with every profile, and the DNS server that the real receivers ask. They stand for one round of worlds.
pub async fn start(worlds: &[World]) -> Vec<Receiver> {
    let scenario = scenario(worlds);
    let mut receivers = Vec::new();
    for (name, port) in PROFILES {
        let mut profile = load_receiver(name).expect("a built-in receiver");
        profile.dns_timeout = LOOKUP_PATIENCE;
        let receiver = Arc::get_mut(&mut profile.receiver).expect("nobody else has the receiver");
        receiver.settings.max_errors = MAX_ERRORS;
        receiver.settings.xclient.clear();
        let mut builder = martinet::World::builder()
            .with_scenario(scenario.clone())
            .with_receiver(profile.clone())
            .client(ClientSource::Socket)
            .smtp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port + 1));
        if receivers.is_empty() {
            builder = builder.dns(DNS.into());
        }
        let world = builder.start().await.expect("a world starts");
        receivers.push(Receiver {
            profile,
            port,
            world,
        });
    }
    receivers
}

/// Ends a round: the ports are free for the next one.
pub async fn stop(receivers: Vec<Receiver>) {
    for receiver in receivers {
        receiver.world.stop().await;
    }
}

/// Starts the real programs; they stand for all rounds.
pub async fn real(foreign: &Foreign, lab: &Path) -> Vec<Daemon> {
    let daemons = daemons(foreign, lab)
        .into_iter()
        .flatten()
        .map(Daemon)
        .collect();
    for (_, port) in PROFILES {
        listening(SocketAddr::new(HOST_4, port)).await;
        listening(SocketAddr::new(HOST_6, port)).await;
    }
    daemons
}

/// The real programs, in the order of the profiles; the second Postfix is a service of the first.
fn daemons(foreign: &Foreign, lab: &Path) -> [Option<Child>; 4] {
    let [postfix, no_delay, reverse, verify] = PROFILES.map(|(_, port)| port);
    let delayed = [
        "smtpd_delay_reject=yes",
        "smtpd_sender_restrictions=reject_unknown_sender_domain",
    ];
    let master = postfix::start(
        foreign,
        lab,
        &[(postfix, &delayed), (no_delay, &["smtpd_delay_reject=no"])],
    );
    let lookup = exim::start(
        foreign,
        lab,
        reverse,
        "",
        "  require verify = reverse_host_lookup\n  accept",
    );
    let helo = exim::start(foreign, lab, verify, "helo_verify_hosts = *", "  accept");
    [Some(master), None, Some(lookup), Some(helo)]
}

async fn listening(address: SocketAddr) {
    let connects = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let listens = tokio::time::timeout(START_PATIENCE, connects).await;
    listens.unwrap_or_else(|_| panic!("nothing listens on {address}"));
}

/// One scenario of all worlds: the root zone, so that no name lies outside it.
fn scenario(worlds: &[World]) -> Scenario {
    let mut zone = String::new();
    let mut faults = String::new();
    for world in worlds {
        zone += &world.records;
        faults += &world.faults;
    }
    zone += "mx.martinet.test. A 198.51.100.25\nmx.martinet.test. AAAA 2001:db8::25\n";
    zone += "localhost. A 127.0.0.1\nlocalhost. AAAA ::1\n";
    let text = format!(
        "title = \"random worlds\"\n[client]\nfrom = \"socket\"\n[[zone]]\norigin = \".\"\ntext = '''\n{zone}'''\n{faults}"
    );
    parse_scenario("worlds", &text).unwrap_or_else(|error| panic!("{error}"))
}
