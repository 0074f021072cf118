//! NSD and Knot, installed by `scripts/test.sh` or by the machine, on ports of loopback.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::exchange::over_udp;
use crate::zones::Zone;

/// How long a server may take to start.
const BEGIN: Duration = Duration::from_secs(30);

/// A running server, stopped when dropped.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts NSD, or returns what is missing.
    pub fn nsd(directory: &Path, zones: &[Zone]) -> Result<Self, String> {
        let address = free();
        let at = directory.display();
        // By default NSD adds the zone's NS set to every answer, and its rate limit drops some.
        let mut text = format!(
            "server:\n server-count: 1\n ip-address: 127.0.0.1@{}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{at}\"\n database: \"\"\n pidfile: \"{at}/nsd.pid\"\n zonelistfile: \"{at}/nsd.list\"\n xfrdfile: \"{at}/nsd.state\"\n xfrdir: \"{at}\"\n rrl-ratelimit: 0\n minimal-responses: yes\nremote-control:\n control-enable: no\n",
            address.port()
        );
        for zone in zones {
            write!(text, "zone:\n name: {0}\n zonefile: {0}zone\n", zone.origin)
                .expect("a string takes text");
        }
        let configuration = directory.join("nsd.conf");
        std::fs::write(&configuration, text).expect("a file");
        let arguments = ["-d", "-c", configuration.to_str().expect("a path")];
        Self::start("nsd", "usr/sbin/nsd", &arguments, address, directory)
    }

    /// Starts Knot, or returns what is missing.
    pub fn knot(directory: &Path, zones: &[Zone]) -> Result<Self, String> {
        let address = free();
        let at = directory.display();
        let mut text = format!(
            "server:\n  rundir: \"{at}\"\n  listen: 127.0.0.1@{}\n  udp-workers: 1\n  tcp-workers: 1\ndatabase:\n  storage: \"{at}/knot\"\ntemplate:\n  - id: default\n    storage: \"{at}\"\n    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\nzone:\n",
            address.port()
        );
        for zone in zones {
            write!(text, "  - domain: {0}\n    file: {0}zone\n", zone.origin)
                .expect("a string takes text");
        }
        let configuration = directory.join("knot.conf");
        std::fs::write(&configuration, text).expect("a file");
        let arguments = ["-c", configuration.to_str().expect("a path")];
        Self::start("knot", "usr/sbin/knotd", &arguments, address, directory)
    }

    fn start(
        name: &'static str,
        program: &str,
        arguments: &[&str],
        address: SocketAddr,
        directory: &Path,
    ) -> Result<Self, String> {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign");
        let roots = [unpacked.clone(), PathBuf::from("/")];
        let Some(path) = roots
            .iter()
            .map(|root| root.join(program))
            .find(|path| path.exists())
        else {
            return Err(format!("no {program} below {}", unpacked.display()));
        };
        let own = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = [
            unpacked.join("usr/lib").join(&own),
            unpacked.join("lib").join(&own),
        ];
        let libraries = std::env::join_paths(libraries).expect("paths without colons");
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).expect("a file");
        let child = Command::new(path)
            .args(arguments)
            .env("LD_LIBRARY_PATH", libraries)
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(Self {
            name,
            address,
            child,
            log,
        })
    }

    /// Repeats a query until the server answers for a zone.
    pub fn wait(&mut self, origin: &str) {
        use hickory_proto::op::{Message, MessageType, OpCode, Query};
        let mut message = Message::new(1, MessageType::Query, OpCode::Query);
        let name = hickory_proto::rr::Name::from_ascii(origin).expect("a name");
        message.add_query(Query::query(name, hickory_proto::rr::RecordType::SOA));
        let octets = message.to_vec().expect("a message");
        let began = Instant::now();
        loop {
            let reply = over_udp(self.address, &octets, Duration::from_millis(200));
            let reply = reply
                .ok()
                .and_then(|octets| Message::from_vec(&octets).ok());
            if reply.is_some_and(|m| m.answers.len() == 1) {
                return;
            }
            let ended = self.child.try_wait().expect("a child").is_some();
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(
                !ended && began.elapsed() < BEGIN,
                "{} does not answer: {}",
                self.name,
                log()
            );
        }
    }
}

impl Drop for Server {
    /// NSD and Knot end their children themselves when they get a signal.
    fn drop(&mut self) {
        let process = Pid::from_raw(self.child.id().cast_signed());
        let _ = kill(process, Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// A port that is free for UDP and TCP.
fn free() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = udp.local_addr().expect("an address");
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
