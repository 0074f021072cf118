//! Listeners: PROXY headers, TLS, LMTP, IPv6, client addresses and receivers of a listener; scripts over real sockets.

mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use martinet::World;
use martinet::harness::Builder;
use martinet::scenario::{Listener, parse_receiver};
use martinet::smtp::{ClientSource, Protocol, ProxyMode, StartTls};
use martinet::verdict::ClosedBy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn builder(receiver: &str) -> Builder {
    let profile = parse_receiver(
        "r.toml",
        &format!("title = \"t\"\nsmtp.xclient = []\n{receiver}"),
    )
    .expect("a receiver");
    World::builder()
        .with_receiver(profile)
        .client(ClientSource::Fixed([192, 0, 2, 10].into()))
}

async fn world(receiver: &str) -> World {
    builder(receiver).start().await.expect("a world")
}

struct TestClient<S>(BufReader<S>);

impl TestClient<TcpStream> {
    async fn with(address: std::net::SocketAddr) -> Self {
        Self(BufReader::new(
            TcpStream::connect(address).await.expect("a connection"),
        ))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TestClient<S> {
    async fn say(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).await.expect("written");
    }

    /// The next reply, its lines joined by `|`; or a description of the end of the connection.
    async fn read_reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line).await {
                Ok(0) => return "(closed)".to_owned(),
                Ok(_) => {}
                Err(error) => return format!("({:?})", error.kind()),
            }
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.trim_end().to_owned());
            if !more {
                return lines.join("|");
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.say(format!("{line}\r\n").as_bytes()).await;
        self.read_reply().await
    }

    /// Greeting, EHLO, MAIL, and the reply to a recipient.
    async fn recipient(&mut self, recipient: &str) -> String {
        self.read_reply().await;
        self.ask("EHLO mail.example.test").await;
        self.ask("MAIL FROM:<a@example.test>").await;
        self.ask(&format!("RCPT TO:<{recipient}>")).await
    }
}

#[tokio::test]
async fn rfc2033_lmtp() {
    let listener = Listener {
        protocol: Protocol::Lmtp,
        ..Listener::default()
    };
    let world = builder("").listen(listener).start().await.expect("a world");
    let mut talk = TestClient::with(world.listeners()[0]).await;
    talk.read_reply().await;
    assert_eq!(
        talk.ask("EHLO mail.example.test").await,
        "500 5.5.1 Error: this is LMTP, say LHLO"
    );
    assert!(
        talk.ask("LHLO mail.example.test")
            .await
            .starts_with("250-mx.martinet.test")
    );
    talk.ask("MAIL FROM:<a@example.test>").await;
    for recipient in ["b@contoso.test", "c@contoso.test"] {
        talk.ask(&format!("RCPT TO:<{recipient}>")).await;
    }
    talk.ask("DATA").await;
    assert_eq!(talk.ask("Subject: x\r\n\r\nx\r\n.").await, "250 2.0.0 Ok");
    assert_eq!(
        talk.read_reply().await,
        "250 2.0.0 Ok",
        "one reply for each recipient"
    );
    assert_eq!(talk.ask("NOOP").await, "250 2.0.0 Ok");
    let message = world.messages().entry(1).expect("a message");
    assert!(message.trace.contains("with LMTP id"), "{}", message.trace);
    let mut smtp = TestClient::with(world.smtp_addr()).await;
    smtp.read_reply().await;
    assert_eq!(
        smtp.ask("LHLO mail.example.test").await,
        "502 5.5.1 Error: command not implemented"
    );
}

#[tokio::test]
async fn the_proxy_protocol() {
    let rule = "[[rule]]\ncheck = \"iprev\"\nstage = \"mail\"\nfail = \"550 [{ip}]\"";
    let header = b"PROXY TCP4 198.51.100.1 192.0.2.25 40000 25\r\n";
    let judged = |world: World, header: &'static [u8]| async move {
        let mut talk = TestClient::with(world.smtp_addr()).await;
        talk.say(header).await;
        let greeting = talk.read_reply().await;
        if !greeting.starts_with("220") {
            return greeting;
        }
        talk.ask("EHLO mail.example.test").await;
        talk.ask("MAIL FROM:<a@example.test>").await
    };
    let with = |mode| builder(rule).proxy(mode).start();
    let world = |mode| async move { with(mode).await.expect("a world") };
    assert_eq!(
        judged(world(ProxyMode::Required).await, header).await,
        "550 [198.51.100.1]"
    );
    assert_eq!(
        judged(world(ProxyMode::Optional).await, header).await,
        "550 [198.51.100.1]"
    );
    assert_eq!(
        judged(world(ProxyMode::Optional).await, b"").await,
        "250 2.1.0 Ok",
        "after a short wait"
    );
    assert_eq!(
        judged(world(ProxyMode::Required).await, b"PROXY UNKNOWN\r\n").await,
        "250 2.1.0 Ok"
    );
    assert_eq!(
        judged(world(ProxyMode::Required).await, b"EHLO x\r\n").await,
        "421 4.3.0 Server local error"
    );
    assert_eq!(
        judged(world(ProxyMode::Required).await, b"PROXY TCP4 x\r\n").await,
        "421 4.3.0 Server local error"
    );

    let off = world(ProxyMode::Off).await;
    let mut talk = TestClient::with(off.smtp_addr()).await;
    talk.read_reply().await;
    assert_eq!(
        talk.ask("PROXY TCP4 198.51.100.1 192.0.2.25 40000 25")
            .await,
        "421 4.3.0 Server local error"
    );
    let record = off
        .sessions()
        .wait(|log| {
            log.entry(1)
                .map(|e| e.snapshot())
                .filter(|r| r.closed_by().is_some())
        })
        .await;
    assert_eq!(
        (record.closed_by(), record.scripted().len()),
        (Some(ClosedBy::Proxy), 1),
        "{:?}",
        record.scripted()
    );
}

#[tokio::test]
async fn listeners_with_receivers_and_identities_of_their_own() {
    let strict = Listener {
        receiver: Some("fcrdns".to_owned()),
        client: Some(ClientSource::Fixed([198, 51, 100, 1].into())),
        ..Listener::default()
    };
    let six = Listener {
        address: "[::1]:0".parse().expect("an address"),
        ..Listener::default()
    };
    let world = builder("")
        .listen(strict)
        .listen(six)
        .start()
        .await
        .expect("a world");
    assert!(
        TestClient::with(world.smtp_addr())
            .await
            .recipient("b@contoso.test")
            .await
            .starts_with("250")
    );
    assert!(
        TestClient::with(world.listeners()[1])
            .await
            .recipient("b@contoso.test")
            .await
            .starts_with("250")
    );
    let refused = TestClient::with(world.listeners()[0])
        .await
        .read_reply()
        .await;
    assert!(
        refused.starts_with("220") || refused.starts_with("550"),
        "{refused}"
    );
    let record = world
        .sessions()
        .wait(|log| log.entry(3).map(|e| e.snapshot()))
        .await;
    assert_eq!(record.client_address().to_string(), "198.51.100.1");
}

#[tokio::test]
async fn scripts_misbehave_as_written() {
    let world = world(
        "[[script]]\nstage = \"rcpt\"\nrecipient = \"*@busy.test\"\ntimes = 2\nreply = \"451 4.7.1 later\"\n\
         [[script]]\nstage = \"rcpt\"\nrecipient = \"third@*\"\nevery = 3\nreply = \"550 5.1.1 every third\"\n\
         [[script]]\nstage = \"data\"\nsender = \"slow@*\"\ndelay = \"200ms\"\n\
         [[script]]\nstage = \"eod\"\nheader = \"Subject: lose*\"\ninstead = \"reset\"\n\
         [[script]]\nstage = \"helo\"\nhelo = \"garbage.test\"\nraw = \"xyzzy\"\n\
         [[script]]\nstage = \"quit\"\nhelo = \"mute.test\"\ninstead = \"silence\"\n\
         [[script]]\nstage = \"mail\"\nclient = \"203.0.113.0/24\"\nreply = \"550 never met\"",
    )
    .await;
    let tries = |recipient: &'static str| {
        let address = world.smtp_addr();
        async move { TestClient::with(address).await.recipient(recipient).await }
    };
    for expected in ["451 4.7.1 later", "451 4.7.1 later", "250 2.1.5 Ok"] {
        assert_eq!(tries("b@busy.test").await, expected);
    }
    for expected in ["250 2.1.5 Ok", "250 2.1.5 Ok", "550 5.1.1 every third"] {
        assert_eq!(tries("third@contoso.test").await, expected);
    }
    let mut slow = TestClient::with(world.smtp_addr()).await;
    slow.read_reply().await;
    slow.ask("EHLO mail.example.test").await;
    slow.ask("MAIL FROM:<slow@example.test>").await;
    slow.ask("RCPT TO:<b@contoso.test>").await;
    let start = Instant::now();
    assert!(slow.ask("DATA").await.starts_with("354"));
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(
        slow.ask("Subject: lose it\r\n\r\nx\r\n.").await,
        "(ConnectionReset)",
        "accepted, then lost"
    );
    let kept = world.messages().wait(|log| log.entry(1)).await;
    assert_eq!(kept.envelope.sender, "slow@example.test");
    let mut garbage = TestClient::with(world.smtp_addr()).await;
    garbage.read_reply().await;
    assert_eq!(garbage.ask("EHLO garbage.test").await, "xyzzy");
}

#[tokio::test]
async fn recipients_get_what_their_name_asks_for() {
    let world = world("").await;
    let tries = |recipient: &'static str| {
        let address = world.smtp_addr();
        async move { TestClient::with(address).await.recipient(recipient).await }
    };
    assert_eq!(
        tries("550-5.1.1@contoso.test").await,
        "550 5.1.1 <550-5.1.1@contoso.test> asked for this"
    );
    assert_eq!(
        tries("451@contoso.test").await,
        "451 <451@contoso.test> asked for this"
    );
    assert_eq!(tries("reset@contoso.test").await, "(ConnectionReset)");
    assert_eq!(tries("close@contoso.test").await, "(closed)");
    assert_eq!(tries("split@contoso.test").await, "250 2.1.5 Ok");
    for expected in ["451", "451", "250"] {
        assert!(
            tries("after-2-accept@contoso.test")
                .await
                .starts_with(expected)
        );
    }
    let start = Instant::now();
    assert!(tries("delay-200ms@contoso.test").await.starts_with("250"));
    assert!(start.elapsed() >= Duration::from_millis(200));
    let start = Instant::now();
    assert!(tries("drip-100@contoso.test").await.starts_with("250"));
    assert!(
        start.elapsed() >= Duration::from_millis(130),
        "fourteen octets at a hundredth of a second"
    );
    let mut dot = TestClient::with(world.smtp_addr()).await;
    assert!(
        dot.recipient("eod-554-5.7.1@contoso.test")
            .await
            .starts_with("250")
    );
    dot.ask("DATA").await;
    assert_eq!(
        dot.ask("x\r\n.").await,
        "554 5.7.1 <eod-554-5.7.1@contoso.test> asked for this"
    );
    let gone = TestClient::with(world.smtp_addr())
        .await
        .recipient("421@contoso.test")
        .await;
    assert!(gone.starts_with("421"), "{gone}");
    assert_eq!(world.messages().counts().kept, 0);
}

#[tokio::test]
async fn a_world_that_stops_lets_transactions_end() {
    let world = world("").await;
    let mut idle = TestClient::with(world.smtp_addr()).await;
    idle.read_reply().await;
    let mut busy = TestClient::with(world.smtp_addr()).await;
    busy.recipient("b@contoso.test").await;
    busy.ask("DATA").await;
    let messages = Arc::clone(world.messages());
    let stopping = tokio::spawn(world.stop());
    assert_eq!(idle.read_reply().await, "421 4.3.2 Service shutting down");
    assert_eq!(busy.ask("Subject: x\r\n\r\nx\r\n.").await, "250 2.0.0 Ok");
    assert_eq!(busy.read_reply().await, "421 4.3.2 Service shutting down");
    stopping.await.expect("stopped");
    assert_eq!(messages.counts().kept, 1);
}

#[tokio::test]
async fn starttls_by_the_builder() {
    let world = builder("")
        .starttls(StartTls::Offered)
        .start()
        .await
        .expect("a world");
    let mut talk = TestClient::with(world.smtp_addr()).await;
    talk.read_reply().await;
    assert!(
        talk.ask("EHLO mail.example.test")
            .await
            .contains("STARTTLS")
    );
    assert!(world.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
}
