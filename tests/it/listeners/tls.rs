//! STARTTLS and implicit TLS.

use super::*;

/// A handshake that trusts only the world's authorities.
async fn secure(
    stream: TcpStream,
    world: &World,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(world.ca_pem().as_bytes()) {
        roots.add(authority.expect("PEM")).expect("an authority");
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("versions")
    .with_root_certificates(roots)
    .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[tokio::test]
async fn rfc3207_starttls() {
    let world = world("smtp.starttls = \"offered\"\n[[rule]]\ncheck = \"tls-required\"").await;
    let mut talk = TestClient::with(world.smtp_addr()).await;
    talk.read_reply().await;
    let extensions = talk.ask("EHLO mail.example.test").await;
    assert!(extensions.contains("|250 STARTTLS"), "{extensions}");
    assert_eq!(
        talk.ask("MAIL FROM:<a@example.test>").await,
        "530 5.7.0 Must issue a STARTTLS command first"
    );
    assert_eq!(talk.ask("STARTTLS").await, "220 2.0.0 Ready to start TLS");
    let stream = secure(talk.0.into_inner(), &world, "mx.martinet.test")
        .await
        .expect("a handshake");
    let mut talk = TestClient(BufReader::new(stream));
    // RFC 3207 §4.2: the HELO is forgotten, as are XCLIENT, AUTH and the transaction.
    assert_eq!(
        world
            .sessions()
            .entry(1)
            .expect("a session")
            .snapshot()
            .closed_by(),
        None
    );
    let extensions = talk.ask("EHLO mail.example.test").await;
    assert!(!extensions.contains("STARTTLS"), "{extensions}");
    assert_eq!(
        talk.ask("STARTTLS").await,
        "554 5.5.1 Error: TLS already active"
    );
    assert!(
        talk.ask("MAIL FROM:<a@example.test>")
            .await
            .starts_with("250")
    );
    talk.ask("QUIT").await;
    let record = world
        .sessions()
        .wait(|log| {
            log.entry(1)
                .map(|e| e.snapshot())
                .filter(|r| r.closed_by() == Some(ClosedBy::Quit))
        })
        .await;
    assert!(
        record.tls().starts_with("TLSv1_3 TLS13_"),
        "{}",
        record.tls()
    );
    assert!(record.facts().conduct().tls);
    // This client has done what the remedy of the refusal asks for.
    let remedy = record.refusals()[0].remedies[0].to_string();
    assert_eq!(remedy, "send STARTTLS before MAIL (RFC 3207)");
}

/// CVE-2011-0411: clear text after STARTTLS is not read as commands under TLS.
#[tokio::test]
async fn rfc3207_plaintext_after_starttls_is_discarded() {
    let world = world(
        "smtp.starttls = \"offered\"\n[[rule]]\ncheck = \"sync\"\nfail = \"554 out of step\"",
    )
    .await;
    let mut talk = TestClient::with(world.smtp_addr()).await;
    talk.read_reply().await;
    talk.ask("EHLO mail.example.test").await;
    talk.say(b"STARTTLS\r\nMAIL FROM:<evil@example.test>\r\n")
        .await;
    assert_eq!(talk.read_reply().await, "220 2.0.0 Ready to start TLS");
    let stream = secure(talk.0.into_inner(), &world, "mx.martinet.test")
        .await
        .expect("a handshake");
    let mut talk = TestClient(BufReader::new(stream));
    assert_eq!(talk.read_reply().await, "554 out of step");
    talk.ask("EHLO mail.example.test").await;
    let record = world.sessions().entry(1).expect("a session").snapshot();
    assert!(
        record
            .transcript_lines()
            .all(|line| !line.text.contains("evil")),
        "{:?}",
        record.transcript()
    );
}

#[tokio::test]
async fn tls_with_something_wrong() {
    for (fault, name, sound) in [
        ("none", "localhost", true),
        ("none", "other.test", false),
        ("expired", "mx.martinet.test", false),
        ("wrong-name", "mx.martinet.test", false),
        ("wrong-name", "wrong-name.invalid", true),
        ("self-signed", "mx.martinet.test", false),
        ("refused", "mx.martinet.test", false),
    ] {
        let world = world(&format!(
            "smtp.starttls = \"offered\"\nsmtp.tls_fault = \"{fault}\""
        ))
        .await;
        let mut talk = TestClient::with(world.smtp_addr()).await;
        talk.read_reply().await;
        talk.ask("EHLO mail.example.test").await;
        talk.ask("STARTTLS").await;
        let handshake = secure(talk.0.into_inner(), &world, name).await;
        assert_eq!(
            handshake.is_ok(),
            sound,
            "{fault} {name}: {:?}",
            handshake.err()
        );
        if !sound {
            drop(handshake);
            let ended = world
                .sessions()
                .wait(|log| log.entry(1).and_then(|e| e.snapshot().closed_by()));
            assert!(
                [ClosedBy::Tls, ClosedBy::Lost].contains(&ended.await),
                "{fault}"
            );
        }
    }
    let refused = world("smtp.starttls = \"refused\"").await;
    let mut talk = TestClient::with(refused.smtp_addr()).await;
    talk.read_reply().await;
    talk.ask("EHLO mail.example.test").await;
    assert_eq!(
        talk.ask("STARTTLS").await,
        "454 4.7.0 TLS not available due to temporary reason"
    );
}

#[tokio::test]
async fn rfc8314_implicit_tls_and_garbage_on_it() {
    let listener = Listener {
        implicit_tls: true,
        ..Listener::default()
    };
    let world = builder("").listen(listener).start().await.expect("a world");
    let stream = TcpStream::connect(world.listeners()[0])
        .await
        .expect("a connection");
    let mut talk = TestClient(BufReader::new(
        secure(stream, &world, "127.0.0.1")
            .await
            .expect("a handshake"),
    ));
    assert!(talk.read_reply().await.starts_with("220"));
    assert!(
        !talk
            .ask("EHLO mail.example.test")
            .await
            .contains("STARTTLS")
    );
    let mut plain = TestClient::with(world.listeners()[0]).await;
    plain.say(b"EHLO mail.example.test\r\n").await;
    let mut rest = Vec::new();
    let _ = plain.0.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"220"), "no greeting in clear text");
}
