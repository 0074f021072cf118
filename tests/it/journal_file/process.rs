//! A killed process loses no acknowledged message.

use super::*;

fn serve(journal: &Journal) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args([
            "serve",
            "--receiver",
            "lenient",
            "--format",
            "json",
            "--journal",
        ])
        .arg(&journal.0)
        .args([
            "--smtp",
            "127.0.0.1:0",
            "--dns",
            "127.0.0.1:0",
            "--http",
            "off",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("martinet runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout"))
        .read_line(&mut line)
        .expect("the ready line");
    let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    (
        child,
        ready["smtp"]
            .as_str()
            .and_then(|a| a.parse().ok())
            .expect("an address"),
    )
}

/// Twenty clients send until the server is killed; every message that got its 250 is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let journal = Journal::new("kill");
    let (mut child, smtp) = serve(&journal);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..20)
        .map(|client| {
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(async move {
                let mut subjects = Vec::new();
                for n in 0.. {
                    let subject = format!("{client}-{n}");
                    let delivery = Delivery {
                        helo: "x.test".into(),
                        from: "a@example.test".into(),
                        to: vec!["b@contoso.test".into()],
                        message: format!("Subject: {subject}\r\n\r\nx\r\n").into_bytes(),
                        ..Delivery::default()
                    };
                    // The kill causes an error; a dialogue may also have ended before its last reply.
                    let Ok(dialogue) = deliver(smtp, &delivery).await else {
                        break;
                    };
                    if dialogue.refused.is_none()
                        && dialogue.last.is_some_and(|reply| reply.code().get() == 250)
                    {
                        subjects.push(subject);
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                subjects
            })
        })
        .collect();
    while acknowledged.load(Ordering::Relaxed) < 300 {
        tokio::task::yield_now().await;
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("ended");
    let mut sent = HashSet::new();
    for client in clients {
        sent.extend(client.await.expect("a client"));
    }
    let world = World::builder()
        .receiver("lenient")
        .journal(&journal.0)
        .start()
        .await
        .expect("it opens again");
    let kept: HashSet<_> = world
        .messages()
        .entries()
        .iter()
        .filter_map(|message| {
            let text = String::from_utf8_lossy(&message.octets).into_owned();
            text.lines()
                .next()
                .and_then(|line| line.strip_prefix("Subject: "))
                .map(str::to_owned)
        })
        .collect();
    let lost: Vec<_> = sent.difference(&kept).collect();
    assert!(
        lost.is_empty(),
        "{} acknowledged, lost: {lost:?}",
        sent.len()
    );
    println!("{} acknowledged, {} kept", sent.len(), kept.len());
    let broken = world
        .sessions()
        .entries()
        .iter()
        .filter(|e| {
            e.snapshot()
                .transactions()
                .iter()
                .any(|t| t.message == Some(0))
        })
        .count();
    assert_eq!(broken, 0, "every message of a session has its number");
}
