//! The verdicts of a session and its transactions: every row of the table in `martinet::verdict`.

use martinet::World;
use martinet::expect::{Sessions, Source, Verdict};
use martinet::scenario::parse_receiver;
use martinet::smtp::{ClientSource, ProxyMode, SessionRecord};
use martinet::verdict::ClosedBy;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A receiver in which every source of a refusal refuses.
const RECEIVER: &str = r#"
title = "t"
smtp.max_recipients = 2
smtp.size = 1000
smtp.command_timeout = "300ms"
[[rule]]
check = "helo-fqdn"
[[script]]
stage = "helo"
helo = "scripted.test"
reply = "554 5.7.1 by a script"
[[script]]
stage = "helo"
helo = "raw.test"
raw = "450 4.7.1 by octets"
[[script]]
stage = "eod"
sender = "mute@*"
instead = "close"
[[script]]
stage = "eod"
sender = "accepts@*"
raw = "250 2.0.0 taken"
"#;

const MESSAGE: &str = "DATA|Subject: x\r\n\r\nx\r\n.";

/// How a client ends the session.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ClientEnd {
    /// It sends QUIT.
    Quit,
    /// It closes the connection.
    Lost,
    /// It waits until the receiver closes.
    Waits,
    /// The world stops.
    Stopped,
}

async fn start(proxy: ProxyMode) -> World {
    World::builder()
        .with_receiver(parse_receiver("r.toml", RECEIVER).expect("a receiver"))
        .client(ClientSource::Fixed([192, 0, 2, 10].into()))
        .proxy(proxy)
        .start()
        .await
        .expect("a world")
}

/// Sends lines, each after the reply to the line before; `|` separates them.
async fn play(world: &World, dialogue: &str, client_end: ClientEnd) -> SessionRecord {
    let id = world.sessions().last() + 1;
    let stream = TcpStream::connect(world.smtp_addr()).await;
    let mut stream = BufReader::new(stream.expect("a connection"));
    let lines = dialogue.split('|').filter(|line| !line.is_empty());
    if !dialogue.starts_with("PROXY") {
        read_reply(&mut stream).await;
    }
    for line in lines {
        let octets = format!("{line}\r\n");
        stream.write_all(octets.as_bytes()).await.expect("written");
        read_reply(&mut stream).await;
    }
    match client_end {
        ClientEnd::Quit => {
            stream.write_all(b"QUIT\r\n").await.expect("written");
            read_reply(&mut stream).await;
        }
        ClientEnd::Lost => drop(stream),
        ClientEnd::Waits => while !read_reply(&mut stream).await.is_empty() {},
        ClientEnd::Stopped => world.close().await,
    }
    let ended = world
        .sessions()
        .wait(|log| log.entry(id).filter(|entry| entry.is_closed()));
    ended.await.snapshot()
}

/// The last line of a reply; empty if the connection is closed.
async fn read_reply(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(0) | Err(_) => return String::new(),
            Ok(_) if line.as_bytes().get(3) == Some(&b'-') => {}
            Ok(_) => return line,
        }
    }
}

/// The first refusal as `source code enhanced stage`.
fn refusal(record: &SessionRecord) -> String {
    record.refusals().first().map_or(String::new(), |refusal| {
        let enhanced = refusal.enhanced().unwrap_or_default();
        let code = refusal.reply.code();
        format!("{} {code} {enhanced} {}", refusal.source, refusal.stage)
    })
}

#[track_caller]
fn compare(
    row: &str,
    record: &SessionRecord,
    verdict: Verdict,
    refused: &str,
    transactions: &[Verdict],
) {
    let found: Vec<_> = record.transactions().iter().map(|t| t.verdict).collect();
    assert_eq!(
        (record.verdict(), refusal(record).as_str(), found.as_slice()),
        (verdict, refused, transactions),
        "{row}\n{}",
        record.story()
    );
    // Sessions can be found by their verdict, and by that of each transaction.
    let mut patterns = vec![Sessions {
        verdict: Some(verdict),
        ..Sessions::default()
    }];
    patterns.extend(
        transactions
            .iter()
            .map(|v| Sessions::any().with_transaction(*v)),
    );
    if let Some(first) = record.refusals().first() {
        patterns.push(Sessions {
            verdict: Some(verdict),
            source: Some(first.source),
            stage: Some(first.stage),
            code: Some(first.reply.code().get()),
            enhanced: first.enhanced(),
            ..Sessions::default()
        });
    }
    for pattern in patterns {
        assert!(pattern.matches(record), "{row}: {pattern}");
    }
}

/// A dialogue, how the client ends it, the verdict of the session, its refusal, and the verdicts of its transactions.
type Row = (String, ClientEnd, Verdict, &'static str, &'static [Verdict]);

const HELO: &str = "EHLO mail.example.test";
const MAIL: &str = "MAIL FROM:<a@example.test>";
const RCPT: &str = "RCPT TO:<b@contoso.test>";

/// A transaction that is open.
fn open() -> String {
    format!("{HELO}|{MAIL}|{RCPT}")
}

/// A transaction with a message.
fn sent() -> String {
    format!("{}|{MESSAGE}", open())
}

/// A transaction with a recipient that requests its reply.
fn magic(local: &str) -> String {
    format!("{HELO}|{MAIL}|RCPT TO:<{local}@contoso.test>")
}

/// Nothing was refused, and no message acknowledged.
fn nothing_happened() -> Vec<Row> {
    use ClientEnd::{Lost, Quit};
    use Verdict::None;
    vec![
        // Nothing was refused, and no message acknowledged.
        (String::new(), Lost, None, "", &[]),
        (String::new(), Quit, None, "", &[]),
        (HELO.into(), Quit, None, "", &[]),
        (open(), Lost, None, "", &[None]),
        (format!("{}|RSET", open()), Quit, None, "", &[None]),
        (format!("{}|DATA", open()), Lost, None, "", &[None]),
        (sent().replace("<a@", "<mute@"), Lost, None, "", &[None]),
        (magic("close"), Lost, None, "", &[None]),
    ]
}

/// A message was acknowledged.
fn accepted() -> Vec<Row> {
    use ClientEnd::{Lost, Quit, Waits};
    use Verdict::{Accept, None};
    vec![
        // A message was acknowledged.
        (sent(), Quit, Accept, "", &[Accept]),
        (sent(), Lost, Accept, "", &[Accept]),
        (sent(), Waits, Accept, "", &[Accept]),
        (
            sent().replace("<a@", "<accepts@"),
            Quit,
            Accept,
            "",
            &[Accept],
        ),
        (
            format!("{}|{MAIL}|{RCPT}", sent()),
            Quit,
            Accept,
            "",
            &[Accept, None],
        ),
    ]
}

/// A rule, a script or a recipient refuses.
fn refused_by_choice() -> Vec<Row> {
    use ClientEnd::{Quit, Waits};
    use Verdict::{Defer, Reject};
    vec![
        // A rule.
        (
            "EHLO short".into(),
            Quit,
            Reject,
            "rule 504 5.5.2 helo",
            &[],
        ),
        // Scripts.
        (
            "EHLO scripted.test".into(),
            Quit,
            Reject,
            "script 554 5.7.1 helo",
            &[],
        ),
        (
            "EHLO raw.test".into(),
            Quit,
            Defer,
            "script 450 4.7.1 helo",
            &[],
        ),
        // Recipients that request it.
        (
            magic("550-5.1.1"),
            Quit,
            Reject,
            "recipient 550 5.1.1 rcpt",
            &[Reject],
        ),
        (magic("421"), Waits, Defer, "recipient 421  rcpt", &[Defer]),
        (
            format!("{}|{MESSAGE}", magic("eod-451-4.3.0")),
            Quit,
            Defer,
            "recipient 451 4.3.0 eod",
            &[Defer],
        ),
    ]
}

/// The SMTP server itself refuses: sequence, syntax, limits, timeouts. In the last row, a recipient refuses after a message was accepted.
fn refused_by_the_protocol() -> Vec<Row> {
    use ClientEnd::{Quit, Waits};
    use Verdict::{Accept, Defer, Reject};
    vec![
        // The SMTP server itself: sequence, syntax, limits, timeouts.
        (
            format!("{HELO}|{RCPT}"),
            Quit,
            Reject,
            "protocol 503 5.5.1 rcpt",
            &[],
        ),
        (
            format!("XYZZY|{}", sent()),
            Quit,
            Reject,
            "protocol 500 5.5.2 helo",
            &[Accept],
        ),
        (
            format!("{HELO}|{MAIL} SIZE=9999"),
            Quit,
            Reject,
            "protocol 552 5.3.4 mail",
            &[Reject],
        ),
        (
            format!(
                "{}|RCPT TO:<c@contoso.test>|RCPT TO:<d@contoso.test>|{MESSAGE}",
                open()
            ),
            Quit,
            Defer,
            "protocol 452 4.5.3 rcpt",
            &[Defer],
        ),
        (
            format!("{}|DATA|{}\r\n.", open(), ["x"; 600].join("\r\n")),
            Quit,
            Reject,
            "protocol 552 5.3.4 eod",
            &[Reject],
        ),
        (String::new(), Waits, Defer, "protocol 421 4.4.2 helo", &[]),
        (
            format!("{}|{MAIL}", sent()),
            Waits,
            Defer,
            "protocol 421 4.4.2 rcpt",
            &[Accept, Defer],
        ),
        // One message accepted, one refused.
        (
            format!("{}|{MAIL}|RCPT TO:<550-5.1.1@contoso.test>", sent()),
            Quit,
            Reject,
            "recipient 550 5.1.1 rcpt",
            &[Accept, Reject],
        ),
    ]
}

#[tokio::test]
async fn each_row_of_the_table() {
    let world = start(ProxyMode::Off).await;
    let rows = [
        nothing_happened(),
        accepted(),
        refused_by_choice(),
        refused_by_the_protocol(),
    ];
    for (dialogue, client_end, verdict, refused, transactions) in rows.into_iter().flatten() {
        let record = play(&world, &dialogue, client_end).await;
        let row = format!("{dialogue} {client_end:?}");
        compare(&row, &record, verdict, refused, transactions);
    }
    let counted: Vec<_> = world.metrics().ended.counts().collect();
    assert_eq!(
        counted,
        [("accept", 5), ("defer", 6), ("reject", 8), ("none", 8)],
        "the metrics follow"
    );
}

#[tokio::test]
async fn a_bad_proxy_header_is_a_refusal() {
    let world = start(ProxyMode::Required).await;
    let record = play(&world, "PROXY NONSENSE", ClientEnd::Waits).await;
    let refused = "protocol 421 4.3.0 connect";
    compare("PROXY", &record, Verdict::Defer, refused, &[]);
    assert_eq!(record.closed_by(), Some(ClosedBy::Proxy));
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_a_deferred_session() {
    let world = World::builder().scenario("one-to-one").connections(1);
    let world = world.start().await.expect("a world");
    let first = tokio::net::TcpStream::connect(world.smtp_addr()).await;
    let first = first.expect("a connection");
    first.readable().await.expect("a greeting");
    let record = play(&world, "EHLO mail.example.test", ClientEnd::Waits).await;
    let refused = "protocol 421 4.7.0 connect";
    compare("the second", &record, Verdict::Defer, refused, &[]);
    assert_eq!(record.closed_by(), Some(ClosedBy::Connections));
    assert_eq!(record.client_address().to_string(), "192.0.2.10");
    let lines: Vec<_> = record.transcript_lines().map(|line| line.text).collect();
    assert_eq!(lines, ["421 4.7.0 Error: too many connections"]);
    let counted: Vec<_> = world.metrics().ended.counts().collect();
    assert_eq!(
        counted,
        [("accept", 0), ("defer", 1), ("reject", 0), ("none", 0)],
        "the metrics follow"
    );
    assert_eq!(world.mail_counts().refusals.get(), 1);
}

#[tokio::test]
async fn a_world_that_stops_refuses_only_open_transactions() {
    for (dialogue, verdict, refused, transactions) in [
        ("EHLO mail.example.test", Verdict::None, "", vec![]),
        (
            "EHLO mail.example.test|MAIL FROM:<a@example.test>",
            Verdict::Defer,
            "protocol 421 4.3.2 rcpt",
            vec![Verdict::Defer],
        ),
    ] {
        let world = start(ProxyMode::Off).await;
        let record = play(&world, dialogue, ClientEnd::Stopped).await;
        compare(dialogue, &record, verdict, refused, &transactions);
    }
}

#[tokio::test]
async fn a_repeated_refusal_is_recorded_once() {
    let receiver = "title = \"t\"\n[[rule]]\ncheck = \"ptr-exists\"\nstage = \"connect\"";
    let world = World::builder()
        .scenario("no-ptr")
        .with_receiver(parse_receiver("r.toml", receiver).expect("a receiver"))
        .start()
        .await
        .expect("a world");
    let record = play(&world, "EHLO a.test|MAIL FROM:<a@a.test>", ClientEnd::Quit).await;
    assert_eq!(record.refusals().len(), 1, "{}", record.story());
    assert_eq!(record.refusals()[0].source, Source::Rule);
    assert_eq!(record.verdict(), Verdict::Reject);
}
