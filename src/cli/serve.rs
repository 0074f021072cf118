//! `martinet serve`: runs a world until it is stopped.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::args::{ExitAfter, Format, HttpAt, Serve};
use super::live::{PRINT_INTERVAL, SessionPrinter};
use super::print;
use super::ready::Ready;
use super::signals::Signals;
use crate::error::Error;
use crate::harness::{self, Builder, Retention, World, Worlds};
use crate::http;
use crate::journal::Log;
use crate::scenario::Listener;
use crate::smtp::{Protocol, SessionEntry, StartTls};
use crate::tls::Tls;

pub(super) async fn run(mut options: Box<Serve>) -> Result<bool, Error> {
    bind(&mut options);
    log(&options)?;
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for notice in notices(&options)
        .into_iter()
        .chain(mailpit_variables(variables))
    {
        tracing::warn!("{notice}");
    }
    // HTTP is bound before the world starts, so that a port in use does not leave a half-started server.
    let http = match options.http {
        HttpAt::At(address) => Some(harness::bind_tcp("HTTP", address).await?),
        HttpAt::Off => None,
    };
    let mut builder = World::builder()
        .scenario(&options.play.scenario)
        .smtp(options.smtp)
        .dns(options.dns)
        .keep(Retention::within(options.keep));
    if let Some(receiver) = &options.play.receiver {
        builder = builder.receiver(receiver);
    }
    if let Some(placement) = &options.exchanges {
        builder = builder.exchanges(placement.clone());
    }
    if let Some(Ok(address)) = options.advertise.as_deref().map(str::parse) {
        builder = builder.advertise(address);
    }
    if let Some(journal) = &options.journal {
        builder = builder.journal(journal);
    }
    let worlds = Worlds::new(listeners(builder, &options)?.start().await?);
    let world = worlds.main();
    if let Some(directory) = &options.tls_dir {
        write_whole(&directory.join("ca.pem"), world.ca_pem())?;
    }

    let ready = Ready::new(
        world,
        &options,
        http.as_ref().and_then(|h| h.local_addr().ok()),
    );
    let shutdown = CancellationToken::new();
    let api = http.map(|listener| {
        let guard = guard(&options);
        tokio::spawn(http::serve(
            vec![listener],
            Arc::clone(&worlds),
            guard,
            shutdown.clone(),
        ))
    });
    let signals = Signals::listen()?;
    if let Some(file) = &options.ready_file {
        write_whole(file, &ready.json())?;
    }
    match options.format {
        Format::Json => print(&ready.json()),
        Format::Human => print(&ready.human(world)),
    }

    let sessions = Arc::clone(world.sessions());
    let mut printer = SessionPrinter::new(options.format == Format::Json);
    tokio::select! {
        () = until_stopped(signals, options.exit_after, &sessions) => {}
        () = printer.follow(&sessions) => {}
    }
    shutdown.cancel();
    worlds.close().await;
    printer.catch_up(&sessions);
    if let Some(api) = api {
        let _ = api.await;
    }
    Ok(true)
}

/// Moves the servers on 127.0.0.1 to the address of `--bind`. An option with another address has precedence.
fn bind(options: &mut Serve) {
    let Some(ip) = options.bind else {
        return;
    };
    let http = match &mut options.http {
        HttpAt::At(address) => Some(address),
        HttpAt::Off => None,
    };
    let addresses = [&mut options.smtp, &mut options.dns]
        .into_iter()
        .chain(http);
    for address in addresses.filter(|address| address.ip() == IpAddr::from(Ipv4Addr::LOCALHOST)) {
        address.set_ip(ip);
    }
}

/// Finds variables of Mailpit, which a container that replaces Mailpit may still set.
fn mailpit_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    const REPLACEMENTS: [(&str, &str); 6] = [
        ("MP_SMTP_BIND_ADDR", "MARTINET_SMTP"),
        ("MP_UI_BIND_ADDR", "MARTINET_HTTP"),
        ("MP_UI_AUTH", "MARTINET_HTTP_AUTH"),
        ("MP_DATABASE", "MARTINET_JOURNAL"),
        ("MP_SMTP_TLS_CERT", "MARTINET_TLS_CERT"),
        ("MP_SMTP_TLS_KEY", "MARTINET_TLS_KEY"),
    ];
    let mut names: Vec<_> = names.filter(|name| name.starts_with("MP_")).collect();
    names.sort();
    let notice = |name: String| match REPLACEMENTS.iter().find(|(variable, _)| *variable == name) {
        Some((_, replacement)) => {
            format!("{name} is a variable of Mailpit and has no effect here; use {replacement}")
        }
        None => format!("{name} is a variable of Mailpit and has no effect here"),
    };
    names.into_iter().map(notice).collect()
}

/// Adds the listeners other than plain SMTP.
fn listeners(mut builder: Builder, options: &Serve) -> Result<Builder, Error> {
    builder = builder
        .proxy(options.proxy)
        .connections(options.connections);
    if options.starttls {
        builder = builder.starttls(StartTls::Offered);
    }
    if let Some(networks) = &options.xclient_from {
        builder = builder.xclient_from(Arc::clone(networks));
    }
    if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
        let read = |file: &Path| {
            std::fs::read_to_string(file)
                .map_err(|e| Error::io(format!("cannot read {}", file.display()), e))
        };
        builder = builder.tls(Tls::own(&read(certificate)?, &read(key)?)?);
    }
    if let Some(address) = options.smtps {
        builder = builder.listen(Listener {
            address,
            implicit_tls: true,
            ..Listener::default()
        });
    }
    if let Some(address) = options.lmtp {
        builder = builder.listen(Listener {
            address,
            protocol: Protocol::Lmtp,
            ..Listener::default()
        });
    }
    Ok(builder)
}

/// Sends log events to standard error.
fn log(options: &Serve) -> Result<(), Error> {
    let expected = |_| {
        Error::unexpected(
            "a level, or filters such as martinet=debug",
            format!("{:?}", options.log),
        )
    };
    let filter = EnvFilter::try_new(&options.log).map_err(expected)?;
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _ = match options.log_format {
        Format::Human => events.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => {
            let events = events.json().flatten_event(true);
            events.with_span_list(false).try_init()
        }
    };
    Ok(())
}

/// Warnings about servers that other machines can reach.
fn notices(options: &Serve) -> Vec<String> {
    let http = match options.http {
        HttpAt::At(address) => Some(("HTTP", address)),
        HttpAt::Off => None,
    };
    let open = options.http_auth.is_empty() && options.http_token.is_empty();
    let listeners = [("SMTP", options.smtp), ("DNS", options.dns)]
        .into_iter()
        .chain(http);
    let reachable = listeners.filter(|(_, address)| !address.ip().is_loopback());
    let notice = |(what, address)| {
        let more = if what == "HTTP" && open {
            ", and requires no credentials (--http-auth, --http-token)"
        } else {
            ""
        };
        format!(
            "{what} on {address} can be reached from other machines{more}; martinet is for tests only"
        )
    };
    reachable.map(notice).collect()
}

fn guard(options: &Serve) -> http::Options {
    let credentials = options.http_auth.iter().chain(&options.http_token);
    let credentials = credentials.cloned().collect();
    http::Options {
        credentials,
        hosts: options.http_host.clone(),
        origins: options.http_origin.clone(),
        worlds: http::Placement {
            address: options.worlds_bind.or(options.bind),
            ports: options.worlds_ports.clone(),
            advertise: options.advertise.clone(),
            xclient: options.xclient_from.clone(),
        },
    }
}

/// Writes a file so that a reader sees all of it or nothing.
fn write_whole(file: &Path, text: &str) -> Result<(), Error> {
    let temporary = file.with_extension("tmp");
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, file));
    written.map_err(|e| Error::io(format!("cannot write {}", file.display()), e))
}

/// Waits for a signal, or until `exit_after` is reached.
pub(super) async fn until_stopped(
    mut signals: Signals,
    exit_after: Option<ExitAfter>,
    sessions: &Log<SessionEntry>,
) {
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
                tokio::time::sleep(PRINT_INTERVAL).await;
            },
        }
    };
    tokio::select! {
        () = signals.received() => {}
        () = enough => {}
    }
}

/// The number of sessions that have ended; sessions dropped from the log count.
fn ended(log: &Log<SessionEntry>) -> u64 {
    let kept = log.entries().iter().filter(|e| e.is_closed()).count() as u64;
    kept + log.counts().dropped
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: &[&str]) {
        let arguments =
            Arguments::try_parse_from(format!("martinet serve {words}").split_whitespace())
                .expect("arguments");
        let Command::Serve(options) = arguments.command else {
            panic!("{words}")
        };
        assert_eq!(notices(&options), expected, "{words}");
    }

    #[test]
    fn reports_who_else_can_reach_the_server() {
        check("", &[]);
        check("--smtp [::1]:25 --dns 127.0.0.2:53 --http off", &[]);
        check(
            "--smtp 0.0.0.0:25",
            &["SMTP on 0.0.0.0:25 can be reached from other machines; martinet is for tests only"],
        );
        let http = "HTTP on [::]:8025 can be reached from other machines";
        let open = ", and requires no credentials (--http-auth, --http-token)";
        check(
            "--http [::]:8025",
            &[&format!("{http}{open}; martinet is for tests only")],
        );
        check(
            "--http [::]:8025 --http-token t",
            &[&format!("{http}; martinet is for tests only")],
        );
    }
}
