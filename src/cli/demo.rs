//! `martinet demo`: plays the examples of the README over real sockets and explains them on one screen.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::args::Demo;
use super::signals::Signals;
use super::{paint, print, serve};
use crate::error::Error;
use crate::harness::{self, World, Worlds};
use crate::http;
use crate::name;
use crate::play::find_receiver;
use crate::scenario::{self, plain_message};
use crate::smtp::client::{Delivery, deliver};
use crate::smtp::{ClientSource, SessionRecord};

/// Maximum time to wait for a reply, and for the end of a session.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of the Exchange server in each of its scenarios.
const CONNECTIONS: usize = 6;
/// Maximum width of prose.
const COLUMNS: usize = 80;

pub(super) async fn run(options: Demo) -> Result<bool, Error> {
    let http = match options.serve {
        true => Some(harness::bind_tcp("HTTP", ([127, 0, 0, 1], 0).into()).await?),
        false => None,
    };
    let world = World::builder().scenario("one-to-one").start().await?;
    print(&format!(
        "{}martinet{:#} refuses mail on purpose. Its SMTP server is {}, its DNS server {}.\n",
        paint::HEADING,
        paint::HEADING,
        world.smtp_addr(),
        world.dns_addr()
    ));
    let as_expected = Demonstration::new(&world).play().await?;
    match http {
        Some(listener) => run_until_signal(world, listener).await?,
        None => {
            world.stop().await;
            print(&further_commands());
        }
    }
    Ok(as_expected)
}

/// Keeps the world running until a signal arrives.
async fn run_until_signal(world: World, listener: TcpListener) -> Result<(), Error> {
    let at = listener
        .local_addr()
        .map_err(|e| Error::io("cannot read a local address", e))?;
    let signals = Signals::listen()?;
    let heading = paint::HEADING;
    print(&format!(
        "\n{heading}The server stays.{heading:#} Send mail to {}, ask {} over DNS, and see what became of it\n\
         on the page http://{at}/, or by curl http://{at}/api/v1/sessions. Ctrl-C stops it.\n",
        world.smtp_addr(),
        world.dns_addr()
    ));
    let sessions = Arc::clone(world.sessions());
    let worlds = Worlds::new(world);
    let shutdown = CancellationToken::new();
    let api = tokio::spawn(http::serve(
        vec![listener],
        Arc::clone(&worlds),
        http::Options::default(),
        shutdown.clone(),
    ));
    serve::until_stopped(signals, None, &sessions).await;
    shutdown.cancel();
    worlds.close().await;
    let _ = api.await;
    Ok(())
}

fn further_commands() -> String {
    let (heading, dim) = (paint::HEADING, paint::DIM);
    let rows = [
        (
            "martinet demo --serve",
            "the same, and the server keeps running",
        ),
        (
            "martinet serve --scenario office365",
            "SMTP on 1025, DNS on 1053, HTTP on 8025",
        ),
        (
            "http://127.0.0.1:8025/",
            "shows each session, and why it is refused",
        ),
        ("README.md", "tests in Rust, Python, Node, Go and Java"),
    ];
    let mut out = format!("\n{heading}Next steps:{heading:#}\n");
    for (what, does) in rows {
        let _ = writeln!(out, "  {what:<36} {dim}{does}{dim:#}");
    }
    out
}

/// The three parts of the demonstration, played in one world.
struct Demonstration<'a> {
    world: &'a World,
    sessions: u64,
    /// Whether every verdict was as the scenarios expect.
    as_expected: bool,
}

/// One session and its result.
struct Played {
    record: SessionRecord,
    accepted: bool,
    reply: String,
}

impl<'a> Demonstration<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            sessions: 0,
            as_expected: true,
        }
    }

    async fn play(mut self) -> Result<bool, Error> {
        chapter("1. One server, one address, one name");
        self.one(
            "192.0.2.10",
            "mail.example.test",
            &[("helo-equals-ptr", true)],
        )
        .await?;

        self.world
            .set_scenario(scenario::load_scenario("office365")?)?;
        chapter("2. Office 365: many addresses say the same name in EHLO");
        self.one(
            "207.46.163.150",
            "na01-bn1-obe.outbound.protection.outlook.com",
            &[("helo-equals-ptr", false), ("fcrdns", true)],
        )
        .await?;

        chapter("3. Exchange 2003: one server that sends from any of its three addresses");
        self.exchange2003().await?;
        for (remedy, scenario) in [
            (
                "With a PTR record to the EHLO name for each address",
                "exchange2003-ptr-per-ip",
            ),
            (
                "With address translation (NAT) to one address",
                "exchange2003-nat",
            ),
        ] {
            self.world
                .set_scenario(scenario::load_scenario(scenario)?)?;
            let mut accepted = 0;
            for _ in 0..CONNECTIONS {
                accepted += usize::from(self.connect("mail.branded.test").await?.accepted);
            }
            self.as_expected &= accepted == CONNECTIONS;
            let style = verdict(accepted == CONNECTIONS).0;
            print(&format!(
                "   {remedy}: {style}{accepted} of {CONNECTIONS} accepted{style:#}.\n"
            ));
        }
        Ok(self.as_expected)
    }

    /// Sends as one client to several receivers, each of which is expected to accept or to refuse it.
    async fn one(
        &mut self,
        client: &str,
        helo: &str,
        receivers: &[(&str, bool)],
    ) -> Result<(), Error> {
        let address: IpAddr = client
            .parse()
            .map_err(|_| Error::unexpected("an address", client))?;
        self.world.set_client(ClientSource::Fixed(address))?;
        print(&format!("   {client} says EHLO {helo}.\n"));
        for (receiver, expected) in receivers {
            self.world.set_receiver(scenario::load_receiver(receiver)?);
            let played = self.connect(helo).await?;
            self.as_expected &= played.accepted == *expected;
            let (style, verdict) = verdict(played.accepted);
            print(&format!(
                "   {style}{verdict}{style:#} by the receiver {receiver}: {}",
                wrapped(
                    &format!("{}.", why(&played)),
                    17 + verdict.len() + receiver.len() + 8
                )
            ));
            print(&format!(
                "     {}",
                wrapped(&format!("It replies: {}", played.reply), 5)
            ));
        }
        Ok(())
    }

    /// Sends as the branded Exchange server to the strict receiver, which refuses some of its connections.
    async fn exchange2003(&mut self) -> Result<(), Error> {
        self.world
            .set_scenario(scenario::load_scenario("exchange2003-branding")?)?;
        self.world
            .set_receiver(scenario::load_receiver("helo-equals-ptr")?);
        print("   It always says EHLO mail.branded.test, to the receiver helo-equals-ptr.\n");
        let mut accepted = 0;
        for connection in 1..=CONNECTIONS {
            let played = self.connect("mail.branded.test").await?;
            accepted += usize::from(played.accepted);
            let (style, verdict) = verdict(played.accepted);
            print(&format!(
                "   connection {connection} from {}, PTR {:<18} {style}{verdict}{style:#}\n",
                played.record.client_address,
                ptr_name(&played.record),
            ));
        }
        self.as_expected &= (1..CONNECTIONS).contains(&accepted);
        Ok(())
    }

    /// Plays one session as a sender does: looks up MX, connects, and sends.
    async fn connect(&mut self, helo: &str) -> Result<Played, Error> {
        let scenario = self.world.scenario();
        let recipient = scenario.recipient();
        let receiver = find_receiver(self.world, &recipient)
            .await
            .map_err(Error::other)?;
        let delivery = Delivery {
            helo: helo.to_owned(),
            from: scenario.sender.clone(),
            to: vec![recipient],
            message: plain_message(&scenario.sender),
            timeout: TIMEOUT,
            ..Delivery::default()
        };
        let dialogue = deliver(receiver, &delivery)
            .await
            .map_err(|e| Error::io(format!("session with {receiver}"), e))?;
        self.sessions += 1;
        let ended = self.world.sessions().wait(|log| {
            log.entry(self.sessions)
                .map(|entry| entry.snapshot())
                .filter(|record| record.closed_by.is_some())
        });
        let record = tokio::time::timeout(TIMEOUT, ended)
            .await
            .map_err(|_| Error::other("the session did not end"))?;
        let reply = dialogue.last.as_ref().and_then(|r| r.wire_lines().next());
        Ok(Played {
            record,
            accepted: dialogue.refused.is_none(),
            reply: reply.unwrap_or_default(),
        })
    }
}

fn chapter(title: &str) {
    print(&format!(
        "\n{}{title}{:#}\n",
        paint::HEADING,
        paint::HEADING
    ));
}

fn verdict(accepted: bool) -> (anstyle::Style, &'static str) {
    if accepted {
        (paint::ACCEPTED, "accepted")
    } else {
        (paint::REFUSED, "refused")
    }
}

/// The reason of a verdict: the demand that was met, or the finding of the receiver.
fn why(played: &Played) -> String {
    let facts = &played.record.facts;
    if let Some(refusal) = played.record.refusals.first() {
        return refusal.why.clone();
    }
    let same = facts.relation.as_ref().is_some_and(|r| r.equals_any);
    match facts.iprev.as_ref() {
        Some(_) if same => format!(
            "the PTR name of {} is {}, as the client says",
            facts.client_address,
            ptr_name(&played.record)
        ),
        Some(iprev) => iprev.explanation.clone(),
        None => "nothing was looked up".to_owned(),
    }
}

fn ptr_name(record: &SessionRecord) -> String {
    let names = record.facts.iprev.as_ref().map(|iprev| &iprev.ptr_names);
    let first = names.and_then(|names| names.first());
    first.map_or_else(|| "none".to_owned(), name::display)
}

/// Wraps a sentence: the first line begins at `column`, the others are indented. Long names are not broken.
fn wrapped(text: &str, column: usize) -> String {
    const INDENT: &str = "     ";
    let (mut out, mut column) = (String::new(), column);
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && column + 1 + word.len() > COLUMNS {
            let _ = write!(out, "\n{INDENT}{word}");
            column = INDENT.len() + word.len();
        } else {
            let space = if index > 0 { " " } else { "" };
            let _ = write!(out, "{space}{word}");
            column += space.len() + word.len();
        }
    }
    out.push('\n');
    out
}
