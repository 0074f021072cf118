//! `martinet capture` through Unbound, an independent resolver, on loopback: its only source is martinet's DNS server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use martinet::scenario;

use crate::capture::{ROUND_TRIPS, captured, round_trip, served};
use crate::skipped::skip;

/// Zones that Unbound answers from built-in data unless its configuration has `nodefault` for them.
const OWN: &[&str] = &[
    "test.",
    "invalid.",
    "onion.",
    "10.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
];

/// A running Unbound, stopped when dropped.
struct Unbound {
    address: SocketAddr,
    directory: PathBuf,
    child: Child,
}

impl Unbound {
    /// Starts Unbound with an authority as the server of all names, or returns what is missing.
    fn start(name: &str, authority: SocketAddr) -> Result<Self, String> {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign");
        let roots = [unpacked.clone(), PathBuf::from("/")];
        let mut paths = roots.iter().map(|root| root.join("usr/sbin/unbound"));
        let path = paths
            .find(|path| path.exists())
            .ok_or("no usr/sbin/unbound")?;
        let directory =
            std::env::temp_dir().join(format!("martinet-unbound-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|e| e.to_string())?;
        let address = free();
        let file = directory.join("unbound.conf");
        std::fs::write(&file, configuration(&directory, address, authority))
            .map_err(|e| e.to_string())?;
        let own = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = ["usr/lib", "lib"].map(|place| unpacked.join(place).join(&own));
        let libraries = std::env::join_paths(libraries).map_err(|e| e.to_string())?;
        let log = std::fs::File::create(directory.join("log")).map_err(|e| e.to_string())?;
        let child = Command::new(path)
            .args(["-d", "-c"])
            .arg(&file)
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut unbound = Self {
            address,
            directory,
            child,
        };
        unbound.wait()?;
        Ok(unbound)
    }

    /// Waits until it answers for one of its own names.
    fn wait(&mut self) -> Result<(), String> {
        let request = b"\x4d\x54\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01";
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let timeout = Some(Duration::from_millis(100));
        socket
            .set_read_timeout(timeout)
            .map_err(|e| e.to_string())?;
        let (began, mut response) = (Instant::now(), [0; 512]);
        while began.elapsed() < Duration::from_secs(30) {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                return Err(format!("unbound ended: {status}: {log}"));
            }
            let sent = socket.send_to(request, self.address);
            if sent.is_ok() && socket.recv(&mut response).is_ok() {
                return Ok(());
            }
        }
        Err("unbound does not answer".to_owned())
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A port of loopback that is free for UDP and TCP.
fn free() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = udp.local_addr().expect("an address");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn configuration(directory: &Path, address: SocketAddr, authority: SocketAddr) -> String {
    let own: String = OWN
        .iter()
        .map(|zone| format!(" local-zone: \"{zone}\" nodefault\n"))
        .collect();
    let at = directory.display();
    format!(
        "server:\n interface: 127.0.0.1@{}\n access-control: 127.0.0.0/8 allow\n do-ip6: no\n num-threads: 1\n chroot: \"\"\n username: \"\"\n directory: \"{at}\"\n pidfile: \"{at}/pid\"\n use-syslog: no\n verbosity: 1\n do-not-query-localhost: no\n module-config: \"iterator\"\n qname-minimisation: no\n rrset-roundrobin: no\n{own}\
         remote-control:\n control-enable: no\n\
         stub-zone:\n name: \".\"\n stub-addr: 127.0.0.1@{}\n stub-prime: no\n",
        address.port(),
        authority.port()
    )
}

/// Every receiver gives the same verdict when an independent resolver with a cache is in between.
#[tokio::test(flavor = "multi_thread")]
async fn scenarios_captured_through_unbound_get_the_same_verdicts() {
    let profiles = scenario::list_receivers().expect("receivers");
    for name in ROUND_TRIPS {
        let (world, original) = served(name).await;
        let unbound = match Unbound::start(name, world.dns_addr()) {
            Ok(unbound) => unbound,
            Err(why) => return skip(&format!("capture through Unbound: {why}")),
        };
        round_trip(&profiles, name, &original, unbound.address).await;
    }
}

/// Servers that do not answer, or answer with an error RCODE, are failures through a resolver too, never absence.
#[tokio::test(flavor = "multi_thread")]
async fn failures_through_unbound_are_faults() {
    for name in ["ptr-timeout", "ptr-servfail", "forward-servfail"] {
        let (world, original) = served(name).await;
        let unbound = match Unbound::start(&format!("failing-{name}"), world.dns_addr()) {
            Ok(unbound) => unbound,
            Err(why) => return skip(&format!("capture through Unbound: {why}")),
        };
        let client = original.clients().into_iter().next().expect("a client");
        let captured = captured(
            unbound.address,
            client.address,
            &client.helo,
            &original.sender,
        )
        .await;
        assert!(captured.failures > 0, "{name}");
        let is_fault = ["drop", "servfail"].map(|action| format!("do   = \"{action}\""));
        assert!(
            is_fault.iter().any(|fault| captured.text.contains(fault)),
            "{name}: {}",
            captured.text
        );
    }
}
