//! `martinet serve`: a world until stopped.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::args::{ExitAfter, Format, HttpAt, Serve};
use super::paint::{self, Explanation};
use super::print;
use crate::error::Error;
use crate::harness::{self, Builder, World};
use crate::http;
use crate::journal::Log;
use crate::scenario::Listener;
use crate::smtp::{Protocol, SessionEntry, SessionRecord, StartTls};
use crate::tls::Tls;

pub(super) async fn run(options: Serve) -> Result<bool, Error> {
    log();
    // The HTTP address is bound before the world starts, so that a port in use leaves nothing half-started.
    let http = match options.http {
        HttpAt::At(address) => Some(harness::bind_tcp("HTTP", address).await?),
        HttpAt::Off => None,
    };
    let mut builder = World::builder().scenario(&options.scenario).smtp(options.smtp).dns(options.dns);
    if let Some(receiver) = &options.receiver {
        builder = builder.receiver(receiver);
    }
    let world = listeners(builder, &options)?.start().await?;
    if let Some(directory) = &options.tls_dir {
        write_whole(&directory.join("ca.pem"), world.authorities())?;
    }

    let ready = Ready::new(&world, &options, http.as_ref().and_then(|h| h.local_addr().ok()));
    let shutdown = CancellationToken::new();
    let api = http.map(|listener| tokio::spawn(http::serve(listener, Arc::clone(world.sessions()), shutdown.clone())));
    if let Some(file) = &options.ready_file {
        write_whole(file, &ready.json())?;
    }
    match options.format {
        Format::Json => print(&ready.json()),
        Format::Human => print(&ready.human(&world)),
    }

    let sessions = Arc::clone(world.sessions());
    let mut narrator = Narrator { silent: options.format == Format::Json, seen: 0, running: Vec::new() };
    tokio::select! {
        stopped = until_stopped(options.exit_after, &sessions) => stopped?,
        () = narrator.follow(&sessions) => {}
    }
    shutdown.cancel();
    world.stop().await;
    narrator.catch_up(&sessions);
    if let Some(api) = api {
        let _ = api.await;
    }
    Ok(true)
}

/// What is listened for beside plain SMTP.
fn listeners(mut builder: Builder, options: &Serve) -> Result<Builder, Error> {
    builder = builder.proxy(options.proxy).connections(options.connections);
    if options.starttls {
        builder = builder.starttls(StartTls::Offered);
    }
    if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
        let read = |file: &Path| {
            std::fs::read_to_string(file).map_err(|e| Error::io(format!("cannot read {}", file.display()), e))
        };
        builder = builder.tls(Tls::own(&read(certificate)?, &read(key)?)?);
    }
    if let Some(address) = options.smtps {
        builder = builder.listen(Listener { address, implicit_tls: true, ..Listener::default() });
    }
    if let Some(address) = options.lmtp {
        builder = builder.listen(Listener { address, protocol: Protocol::Lmtp, ..Listener::default() });
    }
    Ok(builder)
}

/// Log events go to standard error, at the level that `MARTINET_LOG` says (`martinet=debug`); warnings by default.
fn log() {
    let filter = EnvFilter::try_from_env("MARTINET_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

/// Where the listeners are.
struct Ready {
    smtp: String,
    dns: String,
    http: String,
    scenario: String,
    receiver: String,
    /// The further listeners, each with its word.
    further: Vec<(String, String)>,
}

impl Ready {
    fn new(world: &World, options: &Serve, http: Option<std::net::SocketAddr>) -> Self {
        let asked = [options.smtps.map(|_| "smtps"), options.lmtp.map(|_| "lmtp")];
        let own = world.scenario().listeners.len();
        let words = (1..=own).map(|n| format!("listener{n}")).chain(asked.into_iter().flatten().map(str::to_owned));
        let addresses = world.listeners().iter().map(ToString::to_string);
        Self {
            further: words.zip(addresses).collect(),
            smtp: world.smtp_addr().to_string(),
            dns: world.dns_addr().to_string(),
            http: http.map_or_else(|| "off".to_owned(), |a| a.to_string()),
            scenario: world.scenario().name.clone(),
            receiver: world.receiver().name.clone(),
        }
    }

    fn json(&self) -> String {
        let Self { smtp, dns, http, scenario, receiver, further } = self;
        let mut line =
            serde_json::json!({ "smtp": smtp, "dns": dns, "http": http, "scenario": scenario, "receiver": receiver });
        for (word, address) in further {
            line[word] = address.clone().into();
        }
        format!("{line}\n")
    }

    fn human(&self, world: &World) -> String {
        let (bold, dim) = (paint::HEADING, paint::DIM);
        let each = |(word, address): &(String, String)| format!("  {dim}{}{dim:#}  {address}\n", word.to_uppercase());
        let further: String = self.further.iter().map(each).collect();
        let http = if self.http == "off" { "off".to_owned() } else { format!("http://{}/api/v1/sessions", self.http) };
        format!(
            "{bold}{}{bold:#}: {}\n{bold}{}{bold:#}: {}\n  {dim}SMTP{dim:#}  {}\n  {dim}DNS{dim:#}   {} (UDP and TCP)\n  {dim}HTTP{dim:#}  {http}\n{further}{dim}For tests only: it refuses mail on purpose. Ctrl-C stops it.{dim:#}\n",
            self.scenario,
            world.scenario().title,
            self.receiver,
            world.receiver().title,
            self.smtp,
            self.dns,
        )
    }
}

/// Writes a file so that a reader sees all of it or nothing.
fn write_whole(file: &Path, text: &str) -> Result<(), Error> {
    let beside = file.with_extension("tmp");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|e| Error::io(format!("cannot write {}", file.display()), e))
}

async fn until_stopped(exit_after: Option<ExitAfter>, sessions: &Log<SessionEntry>) -> Result<(), Error> {
    let no_signals = |e| Error::io("cannot wait for signals", e);
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let enough = async {
        match exit_after {
            None => std::future::pending().await,
            Some(ExitAfter::Time(time)) => tokio::time::sleep(time).await,
            Some(ExitAfter::Sessions(wanted)) => loop {
                let changed = sessions.changed();
                if ended(sessions) >= wanted {
                    break;
                }
                changed.await;
                tokio::time::sleep(BREATH).await;
            },
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = enough => {}
    }
    Ok(())
}

/// How many sessions have ended; what the log dropped had ended long before.
fn ended(log: &Log<SessionEntry>) -> u64 {
    let kept = log.entries().iter().filter(|e| e.is_closed()).count() as u64;
    kept + log.counts().dropped
}

/// How long to let changes gather before looking: under load there are tens of thousands a second.
const BREATH: Duration = Duration::from_millis(10);

/// Prints each session when it has ended.
struct Narrator {
    silent: bool,
    /// The last session that was seen to begin.
    seen: u64,
    running: Vec<Arc<SessionEntry>>,
}

impl Narrator {
    async fn follow(&mut self, sessions: &Log<SessionEntry>) {
        if self.silent {
            return std::future::pending().await;
        }
        loop {
            let changed = sessions.changed();
            self.catch_up(sessions);
            changed.await;
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Tells every session that has ended since the last time.
    fn catch_up(&mut self, sessions: &Log<SessionEntry>) {
        if self.silent {
            return;
        }
        self.running.extend(sessions.after(self.seen));
        self.seen = self.running.last().map_or(self.seen, |e| e.id.max(self.seen));
        let ended: Vec<_> = self.running.extract_if(.., |e| e.is_closed()).collect();
        for entry in &ended {
            print(&format!("\n{}", story(&entry.snapshot())));
        }
    }
}

fn story(record: &SessionRecord) -> String {
    let refusal = record.refusals.first();
    Explanation {
        verdict: record.verdict,
        stage: refusal.map_or(record.closed, |r| r.stage.name()),
        rule: refusal.map_or("", |r| r.rule),
        who: &format!("session {}", record.id),
        client: record.client_address.to_string(),
        hello: &record.hello,
        allowed: &record.allowed,
        why: refusal.map_or("", |r| &r.why),
        reply: record.reply.clone(),
        evidence: &record.evidence,
        remedies: refusal.map_or(&[], |r| &r.remedies),
    }
    .text()
}
