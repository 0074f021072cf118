//! The command in namespaces: preparation, environment, and shutdown.

mod expected;

use std::ffi::OsString;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Uid, getpgrp, tcgetpgrp};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::args::{HttpAt, Run, SourceAddress};
use super::super::live::{self, SessionPrinter};
use super::super::{matrix, ready};
use super::super::{print, wait_for};
use crate::dns::Outside;
use crate::error::Error;
use crate::expect::Expectation;
use crate::harness::{self, World, Worlds};
use crate::http;
use crate::run::{self, DNS, Files, Inside, Layout, Rotation, Sealed, Tier, User};
use crate::scenario::{self, Listener, ReceiverProfile, Scenario};
use crate::smtp::{Accepted, ClientSource};
use expected::Expected;

/// HTTP within the network.
const INNER_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8025);
/// Time that a command has to end after SIGTERM or SIGHUP.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn run(options: &Run) -> Result<u8, Error> {
    let scenario = scenario::load_scenario(&options.play.scenario)?;
    let receiver = options
        .play
        .receiver
        .as_deref()
        .unwrap_or(&scenario.receiver);
    let receiver = scenario::load_receiver(receiver)?;
    let (source, random) = match options.source {
        None => (None, None),
        Some(SourceAddress::At(address)) => (Some(address), None),
        Some(SourceAddress::Random(seed)) => (None, Some(Random::new(&scenario, seed)?)),
    };
    let layout = Layout::of(&scenario, source)?;
    let mut expectations = options.expect.clone();
    if options.verify {
        expectations.extend(expected::of_scenario(&scenario, &receiver)?);
    }
    // A socket stays in the network in which it was created, so the page is reachable from the machine.
    let outer = match options.http {
        HttpAt::At(address) if !options.probe => Some(bind_outside(address)?),
        _ => None,
    };
    let tier = run::seal()?;
    let sealed = Sealed::begin(
        tier == Tier::Container,
        &command(options),
        outer.as_ref().map(AsRawFd::as_raw_fd),
    );
    let sealed = sealed.map_err(|error| run::explained(tier, &error))?;
    let layout = match tier {
        Tier::Container if options.source.is_some() => {
            let expected =
                "no --source in a container, where the client address is that of the scenario";
            return Err(Error::unexpected(expected, "--source"));
        }
        Tier::Container => Layout::in_container(&scenario),
        _ => layout,
    };
    let setup = Setup {
        options,
        scenario,
        receiver,
        layout,
        random,
        expectations,
        outer,
        tier,
    };
    wait_for(setup.run(sealed))
}

/// The command, or a shell.
fn command(options: &Run) -> Vec<OsString> {
    if !options.command.is_empty() {
        return options.command.clone();
    }
    vec![std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())]
}

/// Binds HTTP before the network is sealed. The runtime with one thread is dropped afterwards, because only a process
/// with a single thread can create a user namespace.
fn bind_outside(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    let failed = |e| Error::io("cannot listen for HTTP", e);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| Error::io("cannot start the runtime", e))?;
    runtime.block_on(async {
        let listener = harness::bind_tcp("HTTP", address).await?;
        listener.into_std().map_err(failed)
    })
}

const NOT_SEALED: &str = "  This network is not sealed: it is that of the container. /etc/resolv.conf names martinet until the command has ended.\n";

/// Everything that is known before the network is created.
struct Setup<'o> {
    options: &'o Run,
    scenario: Scenario,
    receiver: ReceiverProfile,
    layout: Layout,
    random: Option<Random>,
    expectations: Vec<Expectation>,
    outer: Option<std::net::TcpListener>,
    tier: Tier,
}

impl Setup<'_> {
    async fn run(mut self, mut sealed: Sealed) -> Result<u8, Error> {
        let tier = self.tier;
        let explained = |error| run::explained(tier, &error);
        if tier != Tier::Container {
            run::set_up(&self.layout).await.map_err(explained)?;
        }
        let user = user(tier, self.options.user.as_deref())?;
        if self.options.probe {
            let inside = self.inside(user, "");
            if tier == Tier::Container {
                ports_are_free(self.layout.receiver)
                    .await
                    .map_err(explained)?;
            }
            sealed.prepare(&inside).map_err(explained)?;
            sealed.end();
            print(&format!("{}: {}\n", tier.name(), tier.reason()));
            return Ok(0);
        }
        let outer = self.outer.take();
        let address = outer
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let mut rotation = None;
        let mut notices = None;
        if let Some(Random { addresses, seed }) = &self.random {
            let started = Rotation::start(&self.layout, addresses.clone(), *seed).await;
            let (started, sender) = started.map_err(explained)?;
            (rotation, notices) = (Some(started), Some(sender));
        }
        let world = self.world(notices).await;
        let worlds = Worlds::new(match tier {
            Tier::Container => world.map_err(explained)?,
            _ => world?,
        });
        let inner = harness::bind_tcp("HTTP", INNER_HTTP).await?;
        let shutdown = CancellationToken::new();
        let mut listeners = vec![inner];
        if let Some(outer) = outer {
            let outer = tokio::net::TcpListener::from_std(outer);
            listeners.push(outer.map_err(|e| Error::io("cannot listen for HTTP", e))?);
        }
        let inside = self.inside(user, worlds.main().ca_pem());
        sealed.prepare(&inside).map_err(explained)?;
        eprint!("{}", self.started(worlds.main(), address));
        let expectations = std::mem::take(&mut self.expectations);
        let expected = Expected::begin(worlds.main(), expectations);
        // Creating the routes takes 10 ms. Clients that connect meanwhile wait in the queue of the listener.
        let (served, stop) = (Arc::clone(&worlds), shutdown.clone());
        let started = move || {
            let serving = http::serve(listeners, served, http::Options::default(), stop);
            tokio::spawn(serving);
        };
        let mut code = follow(sealed, worlds.main(), started).await;
        drop(rotation);
        if let Some((report, met)) = expected.verified() {
            eprint!("{report}");
            code = if met { code } else { code.map(|_| 1) };
        }
        shutdown.cancel();
        worlds.close().await;
        code
    }

    async fn world(&self, notices: Option<mpsc::Sender<Accepted>>) -> Result<World, Error> {
        let receiver = self.layout.receiver;
        let mut scenario = self.scenario.clone();
        for listener in &mut scenario.listeners {
            // Ports on the machine's loopback address become ports of the receiver's address.
            if listener.address.ip().is_loopback() && listener.address.port() != 0 {
                listener.address.set_ip(receiver);
            }
            listener.client = None;
        }
        // martinet is the only nameserver in the network, so programs expect it to answer like a resolver.
        scenario.dns.outside.get_or_insert(Outside::NxDomain);
        let mut builder = World::builder()
            .with_scenario(scenario)
            .with_receiver(self.receiver.clone())
            .dns(DNS)
            .smtp(SocketAddr::new(receiver, run::SMTP));
        if self.tier != Tier::Container {
            builder = builder.client(ClientSource::Socket);
        }
        if let Some(notices) = notices {
            builder = builder.announce(notices);
        }
        if let Some(placement) = &self.layout.placement {
            return builder.exchanges(placement.clone()).start().await;
        }
        for address in self.layout.exchanges.iter().skip(1) {
            builder = builder.listen(Listener {
                address: SocketAddr::new(*address, run::SMTP),
                ..Listener::default()
            });
        }
        builder.start().await
    }

    fn inside(&self, user: Option<User>, ca_pem: &str) -> Inside {
        let files = Files::new(&self.layout.hostname, ca_pem);
        let smtp = SocketAddr::new(self.layout.receiver, run::SMTP);
        let set = |name: &str, value: String| (name.to_owned(), Some(value));
        let mut environment = vec![
            set("MARTINET", format!("http://{INNER_HTTP}")),
            set("MARTINET_SMTP", smtp.to_string()),
            set("RES_OPTIONS", "edns0 trust-ad".to_owned()),
            ("LOCALDOMAIN".to_owned(), None),
            ("HOSTALIASES".to_owned(), None),
        ];
        if let Some(bundle) = &files.bundle {
            environment.push(set("SSL_CERT_FILE", bundle.display().to_string()));
        }
        if let Some(name) = user.as_ref().and_then(|user| user.name.clone()) {
            if let Ok(Some(known)) = nix::unistd::User::from_name(&name) {
                environment.push(set("HOME", known.dir.display().to_string()));
            }
            environment.push(set("USER", name.clone()));
            environment.push(set("LOGNAME", name));
        }
        Inside {
            files,
            hostname: self.layout.hostname.clone(),
            contained: self.tier == Tier::Container,
            user,
            environment,
        }
    }

    fn started(&self, world: &World, http: Option<SocketAddr>) -> String {
        use std::fmt::Write as _;
        let Layout {
            exchanges,
            clients,
            sources,
            ..
        } = &self.layout;
        let list = |items: Vec<String>| items.join(", ");
        let table = ready::table(&ready::exchanges(world), &self.receiver.name);
        // If there is a table, it shows the addresses.
        let shown = if table.is_empty() { exchanges.len() } else { 1 };
        let exchanges = exchanges
            .iter()
            .take(shown)
            .map(|ip| SocketAddr::new(*ip, run::SMTP).to_string());
        let mut text = format!(
            "martinet run: {} ({}), receiver {}\n  SMTP     {}\n  DNS      {DNS}\n",
            self.scenario.name,
            self.tier.name(),
            self.receiver.name,
            list(exchanges.collect()),
        );
        if self.tier == Tier::Container {
            text.push_str(&format!("  clients  {}\n", live::origin(&world.client())));
        } else {
            let clients = clients.iter().map(ToString::to_string);
            let sources = match &self.random {
                Some(random) => random.to_string(),
                None => list(sources.iter().map(ToString::to_string).collect()),
            };
            let _ = writeln!(
                text,
                "  clients  {}\n  source   {sources}",
                list(clients.collect())
            );
        }
        if let Some(http) = http {
            let _ = writeln!(text, "  page     http://{http}/ (from this machine)");
        }
        text.push_str(&table);
        if self.tier == Tier::Container {
            text.push_str(NOT_SEALED);
            return text;
        }
        let not_in_force = match &self.scenario.client {
            ClientSource::Socket => return text,
            ClientSource::Fixed(_) => "fixed client address",
            ClientSource::Map(_) => "map of client addresses",
            ClientSource::Pool { .. } => "pool of client addresses",
        };
        let _ = writeln!(
            text,
            "  The {not_in_force} of the scenario has no effect in run: the client address is that of the connection."
        );
        text
    }
}

/// Checks that the ports which a container must leave to martinet are free.
async fn ports_are_free(receiver: IpAddr) -> Result<(), Error> {
    let smtp = SocketAddr::new(receiver, run::SMTP);
    drop(harness::bind_tcp("SMTP", smtp).await?);
    drop(harness::bind_dns(DNS).await?);
    Ok(())
}

/// The source addresses of `--source random`.
struct Random {
    addresses: Vec<IpAddr>,
    seed: u64,
}

impl Random {
    fn new(scenario: &Scenario, seed: Option<u64>) -> Result<Self, Error> {
        let addresses = run::random_sources(scenario);
        if addresses.is_empty() {
            let expected = "--source random with a scenario that has clients";
            return Err(Error::unexpected(expected, "no [[pool]]"));
        }
        // A new hasher of the standard library has random keys.
        let chosen = || RandomState::new().build_hasher().finish() % 1_000_000;
        Ok(Self {
            addresses,
            seed: seed.unwrap_or_else(chosen),
        })
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addresses, seed } = self;
        let shown = matrix::clients(addresses);
        write!(f, "random, seed {seed}, of {shown}")
    }
}

/// The user of the command.
fn user(tier: Tier, wanted: Option<&str>) -> Result<Option<User>, Error> {
    match tier {
        Tier::User { .. } if wanted == Some("root") => Ok(None),
        Tier::Container if !Uid::effective().is_root() => Ok(None),
        Tier::User { uid, gid, ranges } => match wanted {
            None => Ok(Some(User {
                uid,
                gid,
                name: None,
            })),
            Some(_) if ranges => known_user(wanted),
            Some(other) => Err(Error::unexpected(
                "--user root in a user namespace, which has no other user",
                other,
            )),
        },
        Tier::Root | Tier::Container => known_user(wanted),
    }
}

/// A user of the machine: the requested one, or the user who called sudo. `None` means root.
fn known_user(wanted: Option<&str>) -> Result<Option<User>, Error> {
    let sudo = || {
        std::env::var("SUDO_UID")
            .ok()?
            .parse()
            .ok()
            .map(Uid::from_raw)
    };
    let found = match (wanted, sudo()) {
        (Some(name), _) => nix::unistd::User::from_name(name),
        (None, Some(uid)) => nix::unistd::User::from_uid(uid),
        (None, None) => return Ok(None),
    };
    let found = found.map_err(|e| Error::io("cannot look up the user", e.into()))?;
    let Some(found) = found else {
        return Err(Error::unexpected(
            "the name of a user",
            wanted.unwrap_or("SUDO_UID"),
        ));
    };
    Ok((!found.uid.is_root()).then(|| User {
        uid: found.uid.as_raw(),
        gid: found.gid.as_raw(),
        name: Some(found.name),
    }))
}

/// Starts the command, calls `started`, waits for the command to end, prints sessions, and forwards signals.
async fn follow(sealed: Sealed, world: &World, started: impl FnOnce()) -> Result<u8, Error> {
    let mut signals = Signals::listen()?;
    let (mut control, wait) = sealed.go()?;
    started();
    let mut ended = tokio::task::spawn_blocking(wait);
    let sessions = Arc::clone(world.sessions());
    let mut printer = SessionPrinter::to_stderr();
    let mut deadline = None;
    let code = loop {
        let too_late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            code = &mut ended => break code.unwrap_or(1),
            number = signals.next() => {
                if number == SIGTERM || number == SIGHUP {
                    deadline = deadline.or_else(|| Some(tokio::time::Instant::now() + GRACE));
                }
                if !(from_terminal(number) && in_foreground()) {
                    control.signal(number);
                }
            }
            () = too_late => {
                drop(control);
                break ended.await.map_or(1, |_| 128 + SIGTERM);
            }
            () = printer.follow(&sessions) => {}
        }
    };
    expected::wait_for_sessions_to_end(world).await;
    printer.catch_up(&sessions);
    Ok(code)
}

const SIGHUP: u8 = nix::sys::signal::Signal::SIGHUP as u8;
const SIGINT: u8 = nix::sys::signal::Signal::SIGINT as u8;
const SIGQUIT: u8 = nix::sys::signal::Signal::SIGQUIT as u8;
const SIGTERM: u8 = nix::sys::signal::Signal::SIGTERM as u8;

/// Whether the terminal sends this signal for a key.
fn from_terminal(number: u8) -> bool {
    number == SIGINT || number == SIGQUIT
}

/// Whether the terminal sends its signals to the command too.
fn in_foreground() -> bool {
    let terminal = std::fs::File::open(Path::new("/dev/tty"));
    terminal.is_ok_and(|terminal| {
        terminal.is_terminal() && tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp())
    })
}

/// The signals that are forwarded.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|e| Error::io("cannot wait for signals", e));
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.hangup.recv() => SIGHUP,
            _ = self.interrupt.recv() => SIGINT,
            _ = self.quit.recv() => SIGQUIT,
            _ = self.terminate.recv() => SIGTERM,
        }
    }
}
