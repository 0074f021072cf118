//! A journal in a file: what was acknowledged survives `kill -9`, and is read again.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use martinet::World;
use martinet::http::Options;
use martinet::smtp::client::{Delivery, deliver};

use super::http::{Served, deliver_to};

/// A file of its own, removed when dropped.
struct Journal(PathBuf);

impl Journal {
    fn new(name: &str) -> Self {
        let journal = Self(
            std::env::temp_dir().join(format!("martinet-{name}-{}.sqlite", std::process::id())),
        );
        journal.remove();
        journal
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm", ".mail"] {
            let _ = std::fs::remove_file(format!("{}{ending}", self.0.display()));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.remove();
    }
}

async fn open(journal: &Journal) -> World {
    World::builder()
        .receiver("helo-equals-ptr")
        .journal(&journal.0)
        .start()
        .await
        .expect("a world")
}

#[tokio::test]
async fn a_world_reads_its_journal_again() {
    let journal = Journal::new("again");
    let world = open(&journal).await;
    deliver_to(world.smtp_addr(), "wrong.test", b"Subject: no\r\n\r\nx\r\n").await;
    deliver_to(
        world.smtp_addr(),
        "mail.example.test",
        b"Subject: yes\r\n\r\nx\r\n",
    )
    .await;
    let before = [
        world.wait_for_session().await.expect("one"),
        world.wait_for_session().await.expect("two"),
    ];
    let raw = world.wait_for_message().await.expect("a message").raw();
    let events = world.events().last();
    world.stop().await;

    let served = Served::of(open(&journal).await, Options::default()).await;
    let world = served.worlds.main();
    let again = world.wait_for_session().await.expect("it is there");
    again
        .assert_rejected()
        .by_rule("helo-ptr-match")
        .with_code(554)
        .saying("wrong.test");
    assert_eq!(
        again.story().lines().next(),
        before[0].story().lines().next()
    );
    assert_eq!(again.transcript(), before[0].transcript());
    assert_eq!(
        again.refusals[0].remedies[0].to_string(),
        before[0].refusals[0].remedies[0].to_string()
    );
    assert_eq!(
        world.wait_for_message().await.expect("it is there").raw(),
        raw
    );
    let one = served.get("/api/v1/sessions/1").await.json();
    assert_eq!(
        one["facts"]["iprev"]["result"], "pass",
        "facts are read again"
    );
    assert!(
        one["evidence"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    deliver_to(
        world.smtp_addr(),
        "mail.example.test",
        b"Subject: more\r\n\r\nx\r\n",
    )
    .await;
    let third = world
        .wait_until(|session| session.id == 3 && session.closed_by.is_some())
        .await
        .expect("numbers go on");
    assert_eq!(third.transactions[0].message, Some(2));
    assert!(
        world.events().page(0, 1)[0].id > events,
        "events are numbered on"
    );
    world.reset_journal();
    served.worlds.close().await;

    let empty = open(&journal).await;
    let kept: Vec<_> = empty
        .sessions()
        .entries()
        .iter()
        .map(|entry| entry.id)
        .filter(|id| *id < 3)
        .collect();
    assert_eq!(
        (kept, empty.messages().counts().kept),
        (Vec::new(), 0),
        "a reset is of the file too"
    );
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_an_environment_error() {
    let journal = Journal::new("broken");
    std::fs::write(
        &journal.0,
        "this is no database, and long enough to be none".repeat(100),
    )
    .expect("a file");
    let error = World::builder()
        .journal(&journal.0)
        .start()
        .await
        .expect_err("it is no journal");
    assert!(
        error.is_environment() && error.to_string().contains("cannot use the journal"),
        "{error}"
    );
}

/// Two worlds that append to one file would cut off each other's messages.
#[tokio::test]
async fn a_journal_belongs_to_one_world_until_it_is_closed() {
    let journal = Journal::new("shared");
    let world = open(&journal).await;
    let error = World::builder()
        .journal(&journal.0)
        .start()
        .await
        .map(drop)
        .expect_err("it is in use");
    let text = error.to_string();
    assert!(
        text.contains(".sqlite.mail") && text.contains("another process has it open"),
        "{text}"
    );
    deliver_to(
        world.smtp_addr(),
        "mail.example.test",
        b"Subject: x\r\n\r\nx\r\n",
    )
    .await;
    world.wait_for_message().await.expect("a message");
    world.stop().await;
    let again = open(&journal).await;
    assert_eq!(again.messages().counts().kept, 1, "closed, it is free");
    drop(again);
    assert_eq!(
        open(&journal).await.messages().counts().kept,
        1,
        "dropped, it is free too"
    );
}

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

/// Twenty clients send until the server is killed in their midst; every message that got its 250 is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let journal = Journal::new("kill");
    let (mut child, smtp) = serve(&journal);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..20)
        .map(|client| {
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for n in 0.. {
                    let subject = format!("{client}-{n}");
                    let delivery = Delivery {
                        helo: "x.test".into(),
                        from: "a@example.test".into(),
                        to: vec!["b@contoso.test".into()],
                        message: format!("Subject: {subject}\r\n\r\nx\r\n").into_bytes(),
                        ..Delivery::default()
                    };
                    // An error is the kill; a dialogue may also have ended before its last reply.
                    let Ok(dialogue) = deliver(smtp, &delivery).await else {
                        break;
                    };
                    if dialogue.refused.is_none()
                        && dialogue.last.is_some_and(|reply| reply.code().get() == 250)
                    {
                        mine.push(subject);
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                mine
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
                .transactions
                .iter()
                .any(|t| t.message == Some(0))
        })
        .count();
    assert_eq!(broken, 0, "every message of a session has its number");
}
