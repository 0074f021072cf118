//! The receivers: real programs, and martinet with their profiles.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use martinet::scenario::{ReceiverProfile, Scenario, parse_receiver, parse_scenario};
use martinet::smtp::ClientSource;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::foreign::Foreign;
use crate::worlds::World;
use crate::{exim, haraka, opensmtpd, postfix, sendmail};

/// Where the receivers listen.
pub const HOST_4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 25));
const HOST_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25));
/// Where the resolver listens; lab.sh writes the same address into resolv.conf.
pub const DNS: ([u8; 4], u16) = ([198, 51, 100, 53], 53);
/// The timeout of a lookup, as set by lab.sh and in the configuration of Exim.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a daemon may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A foreign program, and its profiles.
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its files, below the root of foreign programs.
    pub needs: &'static [&'static str],
    /// The profiles, and the port of the real program for each; martinet listens one port above.
    pub profiles: &'static [(&'static str, u16)],
    /// Maximum number of sessions at the same time.
    pub at_a_time: usize,
    /// Whether its DNS timeout can be set, so that worlds with names that time out can be played.
    pub can_time_out: bool,
    /// Lines that replace those with the same keys in the profiles, to match the configuration of the real program.
    pub settings: &'static str,
    /// Text to append to the profiles.
    pub tables: &'static str,
    /// Starts it, with its own directory.
    pub start: fn(&Foreign, &Path) -> Vec<Child>,
}

impl Program {
    /// The text of a profile with the settings and tables of the program.
    fn adapted(&self, profile: &str) -> String {
        let keys: Vec<_> = self
            .settings
            .lines()
            .filter_map(|line| line.split_once(" ="))
            .collect();
        let replaced = |line: &&str| {
            keys.iter()
                .any(|(key, _)| line.starts_with(&format!("{key} =")))
        };
        let kept: Vec<_> = profile.lines().filter(|line| !replaced(line)).collect();
        format!("{}{}\n{}", self.settings, kept.join("\n"), self.tables)
    }
}

/// A number of mistakes that no session reaches; the real programs have the same setting.
pub const MANY_ERRORS: &str = "smtp.max_errors = 100\n";

/// Limits that a session of [`crate::limits`] reaches.
pub const LOW_LIMITS: &str = "\
smtp.max_errors = 3
smtp.max_recipients = 2
smtp.size = 4000
smtp.command_timeout = \"2s\"
smtp.data_timeout = \"2s\"
";

/// Programs whose limits are low.
pub const LIMITED: [Program; 2] = [postfix::LIMITED, exim::LIMITED];

/// Programs that offer STARTTLS, and AUTH where that takes no other program.
pub const SECURED: [Program; 2] = [postfix::SECURED, exim::SECURED];

/// Every program that is compared.
pub const PROGRAMS: [Program; 5] = [
    postfix::PROGRAM,
    exim::PROGRAM,
    opensmtpd::PROGRAM,
    sendmail::PROGRAM,
    haraka::PROGRAM,
];

/// The programs that are installed, and why the others are missing. `MARTINET_PROGRAMS=exim,postfix` selects programs.
pub fn here(programs: impl IntoIterator<Item = Program>) -> (Vec<(Program, Foreign)>, Vec<String>) {
    let wanted = std::env::var("MARTINET_PROGRAMS").unwrap_or_default();
    let is_wanted =
        |program: &Program| wanted.is_empty() || wanted.split(',').any(|name| name == program.name);
    let (mut here, mut missing) = (Vec::new(), Vec::new());
    for program in programs.into_iter().filter(is_wanted) {
        match Foreign::find(program.needs) {
            Ok(foreign) => here.push((program, foreign)),
            Err(why) => missing.push(format!("the comparison with {}: {why}", program.name)),
        }
    }
    (here, missing)
}

/// A real receiver and martinet with its profile.
pub struct Receiver {
    /// The name of the profile.
    pub profile: ReceiverProfile,
    /// Whether worlds with names that time out are played.
    pub can_time_out: bool,
    /// Limits the number of sessions with the real program.
    pub places: Semaphore,
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
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts martinet with every profile, and the DNS server for the real receivers. They run for one round of worlds.
pub async fn start(programs: &[(Program, Foreign)], worlds: &[World]) -> Vec<Receiver> {
    let scenario = scenario(&worlds.iter().collect::<Vec<_>>());
    let mut receivers = Vec::new();
    let profiles = programs.iter().flat_map(|(program, _)| {
        let each = program.profiles.iter();
        each.map(move |(name, port)| (program, name, port))
    });
    for (program, name, port) in profiles {
        let path = format!(
            "{}/scenarios/receivers/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = program.adapted(&std::fs::read_to_string(&path).expect("a profile"));
        let mut profile = parse_receiver(name, &text).unwrap_or_else(|error| panic!("{error}"));
        profile.dns_timeout = LOOKUP_TIMEOUT;
        let receiver = Arc::get_mut(&mut profile.receiver).expect("nobody else has the receiver");
        receiver.settings.xclient.clear();
        let mut builder = martinet::World::builder()
            .with_scenario(scenario.clone())
            .with_receiver(profile.clone())
            .client(ClientSource::Socket)
            .smtp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), *port + 1));
        if receivers.is_empty() {
            builder = builder.dns(DNS.into());
        }
        let world = builder.start().await.expect("a world starts");
        receivers.push(Receiver {
            profile,
            can_time_out: program.can_time_out,
            places: Semaphore::new(program.at_a_time),
            port: *port,
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

/// Starts the real programs; they run for all rounds.
pub async fn real(programs: &[(Program, Foreign)], lab: &Path) -> Vec<Daemon> {
    let mut daemons = Vec::new();
    for (program, foreign) in programs {
        let directory = lab.join(program.name);
        std::fs::create_dir_all(&directory).expect("a directory");
        daemons.extend((program.start)(foreign, &directory).into_iter().map(Daemon));
    }
    for (_, port) in programs.iter().flat_map(|(program, _)| program.profiles) {
        listening(SocketAddr::new(HOST_4, *port)).await;
        listening(SocketAddr::new(HOST_6, *port)).await;
    }
    daemons
}

/// Waits until a server listens.
pub async fn listening(address: SocketAddr) {
    let connects = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let listens = tokio::time::timeout(START_TIMEOUT, connects).await;
    listens.unwrap_or_else(|_| panic!("nothing listens on {address}"));
}

/// The scenario of all worlds: it has the root zone, so that no name is outside.
pub fn scenario(worlds: &[&World]) -> Scenario {
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
