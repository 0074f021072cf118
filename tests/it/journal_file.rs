//! A journal in a file: acknowledged messages survive `kill -9`, and are loaded again.

mod process;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use martinet::World;
use martinet::harness::Retention;
use martinet::http::Options;
use martinet::smtp::client::{Delivery, deliver};

use super::http::{Served, deliver_to};

/// The file of one test, removed when dropped.
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
        for ending in ["", "-wal", "-shm", ".mail", ".mail.damaged-1"] {
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
        again.refusals()[0].remedies[0].to_string(),
        before[0].refusals()[0].remedies[0].to_string()
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
        .wait_until(|session| session.id() == 3 && session.closed_by().is_some())
        .await
        .expect("numbers go on");
    assert_eq!(third.transactions()[0].message, Some(2));
    assert!(
        world.events().page(0, 1)[0].id > events,
        "events are numbered on"
    );
    world.reset_journal();
    served.worlds.close().await;

    holds_nothing_before(3, &journal).await;
}

/// A reset applies to the file, too: it has no session with a lower number, and no message.
async fn holds_nothing_before(first: u64, journal: &Journal) {
    let empty = open(journal).await;
    let kept: Vec<_> = empty
        .sessions()
        .entries()
        .iter()
        .map(|entry| entry.id)
        .filter(|id| *id < first)
        .collect();
    assert_eq!(
        (kept, empty.messages().counts().kept),
        (Vec::new(), 0),
        "a reset is of the file too"
    );
}

#[tokio::test]
async fn a_file_that_is_not_a_journal_is_an_environment_error() {
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

/// A database of another program is not changed, and the error says what to do.
#[track_caller]
fn refused(journal: &Journal, expected: &[&str]) {
    let before = std::fs::read(&journal.0).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args("serve --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http off --journal".split(' '))
        .arg(&journal.0)
        .output()
        .expect("martinet runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    for text in expected {
        assert!(error.contains(text), "{error}");
    }
    assert!(error.contains("name another file"), "{error}");
    assert_eq!(
        std::fs::read(&journal.0).expect("a file"),
        before,
        "as it was"
    );
    assert!(!std::fs::exists(format!("{}.mail", journal.0.display())).expect("a directory"));
}

#[test]
fn the_database_of_another_program_is_refused() {
    let journal = Journal::new("foreign");
    let python = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table session (id)'); c.commit()";
    let made = Command::new("python3")
        .args(["-c", python])
        .arg(&journal.0)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "python3 has sqlite3"
    );
    refused(&journal, &["an SQLite database of another program"]);
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_refused() {
    let journal = Journal::new("newer");
    open(&journal).await.stop().await;
    let octets = std::fs::read(&journal.0).expect("a file");
    assert_eq!(&octets[68..72], b"mrtn", "the application id");
    assert_eq!(&octets[60..64], [0, 0, 0, 1], "the user version");
    journal.remove();
    let newer = [&octets[..63], &[2], &octets[64..]].concat();
    std::fs::write(&journal.0, newer).expect("written");
    refused(
        &journal,
        &["expected a journal of version 1, found version 2"],
    );
}

/// Numbers of messages, and the marks of Mailpit's API, survive; so do the numbers of events, which are not stored.
#[tokio::test]
async fn numbers_and_marks_survive_a_restart() {
    let journal = Journal::new("marks");
    let served = Served::of(open(&journal).await, Options::default()).await;
    let world = Arc::clone(served.worlds.main());
    world.reset_journal();
    for subject in ["one", "two", "three", "four"] {
        let message = format!("Subject: {subject}\r\n\r\nx\r\n");
        deliver_to(world.smtp_addr(), "mail.example.test", message.as_bytes()).await;
    }
    let subjects = |world: &World| -> Vec<(u64, u64, String)> {
        let messages = world.messages().entries();
        let subject = |octets: &[u8]| String::from_utf8_lossy(&octets[9..12]).into_owned();
        let each = messages
            .iter()
            .map(|m| (m.id, m.session, subject(&m.octets)));
        each.collect()
    };
    let before = subjects(&world);
    assert_eq!(before.len(), 4);
    let ids = |ids: &[u64]| {
        let ids: Vec<_> = ids.iter().map(u64::to_string).collect();
        serde_json::json!({ "IDs": ids, "Read": true, "Tags": ["seen"] })
    };
    let first = before[0].0;
    served
        .send_json("PUT", "/api/v1/messages", &ids(&[first]))
        .await;
    served
        .send_json("DELETE", "/api/v1/messages", &ids(&[first + 1]))
        .await;
    served
        .send_json("PUT", "/api/v1/tags", &ids(&[first + 2]))
        .await;
    let shown = served.get("/api/v1/messages").await.json();
    let events = world.events().last();
    drop(world);
    served.worlds.close().await;
    drop(served);

    let served = Served::of(open(&journal).await, Options::default()).await;
    let world = Arc::clone(served.worlds.main());
    assert_eq!(subjects(&world), before);
    let again = served.get("/api/v1/messages").await.json();
    assert_eq!(again, shown);
    assert_eq!(
        (&again["total"], &again["unread"], &again["tags"][0]),
        (&3.into(), &2.into(), &"seen".into()),
        "{again}"
    );
    assert_eq!(world.events().last(), events, "no number is given twice");
    deliver_to(
        world.smtp_addr(),
        "mail.example.test",
        b"Subject: five\r\n\r\nx\r\n",
    )
    .await;
    assert_eq!(
        subjects(&world).last().map(|m| m.0),
        Some(first + 4),
        "numbers go on"
    );
    // A reset removes the marks from the file as well.
    world.reset_journal();
    drop(world);
    served.worlds.close().await;
    drop(served);
    let world = open(&journal).await;
    deliver_to(
        world.smtp_addr(),
        "mail.example.test",
        b"Subject: six\r\n\r\nx\r\n",
    )
    .await;
    assert_eq!(
        subjects(&world).first().map(|m| m.0),
        Some(first + 5),
        "numbers go on"
    );
}

/// The files have the limits of the memory, and shrink again.
#[tokio::test]
async fn the_files_have_the_bounds_of_memory() {
    let journal = Journal::new("bounds");
    let keep = Retention::within(9 << 20);
    let start = || async {
        let world = World::builder()
            .receiver("lenient")
            .keep(keep)
            .journal(&journal.0);
        world.start().await.expect("a world")
    };
    let world = start().await;
    let message = format!("Subject: x\r\n\r\n{}", "0123456789\r\n".repeat(5_000));
    let size = |ending: &str| {
        let file = std::fs::metadata(format!("{}{ending}", journal.0.display()));
        file.map_or(0, |file| file.len())
    };
    let mut largest = (0, 0);
    for _ in 0..500 {
        deliver_to(world.smtp_addr(), "x.test", message.as_bytes()).await;
        largest.0 = largest.0.max(size(".mail"));
        largest.1 = largest.1.max(size(""));
    }
    let sent = 500 * message.len() as u64;
    assert!(
        largest.0 < (keep.messages.octets as u64) * 3 / 2 + (1 << 20),
        "{largest:?} of {sent}"
    );
    assert!(
        largest.1 < 2 * keep.sessions.octets as u64 + (1 << 20),
        "{largest:?}"
    );
    let sessions = world.sessions().entries().len();
    world.stop().await;
    let world = start().await;
    let kept = world.messages().entries();
    let latest = (501 - kept.len() as u64..=500).collect::<Vec<_>>();
    assert_eq!(kept.iter().map(|m| m.id).collect::<Vec<_>>(), latest);
    assert!(kept.len() > 50, "{}", kept.len());
    assert!(
        world.sessions().entries().len() <= keep.sessions.entries
            && sessions <= keep.sessions.entries
    );
    world.reset_journal();
    world.stop().await;
    assert_eq!(size(".mail"), 0, "a reset gives everything back");
    assert!(
        size("") + size("-wal") < 5 << 20,
        "{} {}",
        size(""),
        size("-wal")
    );
}

/// Damage in the middle is refused, and repaired on request; an incomplete record at the end is cut off with a warning.
#[tokio::test]
async fn damage_is_refused_and_an_incomplete_end_is_cut_off_with_a_warning() {
    let journal = Journal::new("damage");
    let world = open(&journal).await;
    for subject in ["one", "two", "three"] {
        let message = format!("Subject: {subject}\r\n\r\nx\r\n");
        deliver_to(world.smtp_addr(), "mail.example.test", message.as_bytes()).await;
    }
    world.stop().await;
    let mail = format!("{}.mail", journal.0.display());
    let whole = std::fs::read(&mail).expect("messages");
    let text = String::from_utf8_lossy(&whole).into_owned();
    let second = text
        .match_indices("{\"session\":2")
        .next()
        .expect("a message")
        .0;
    let length = text[second..].find("\"octets\":").expect("a length") + second + 9;
    let damaged = [&whole[..length], b"99999", &whole[length..]].concat();
    std::fs::write(&mail, &damaged).expect("damaged");
    let run = |arguments: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_martinet"))
            .args(arguments.split(' '))
            .arg(&journal.0)
            .output()
            .expect("martinet runs");
        let (out, err) = (output.stdout, output.stderr);
        let text = String::from_utf8_lossy(&[out, err].concat()).into_owned();
        (output.status.code(), text)
    };
    let serve = "serve --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http off --exit-after 1ms --journal";
    let (code, error) = run(serve);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains(&format!("at octet {second}")), "{error}");
    assert!(error.contains("martinet journal repair FILE"), "{error}");
    assert_eq!(
        std::fs::read(&mail).expect("messages"),
        damaged,
        "as it was"
    );

    let (code, report) = run("journal repair");
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("now has 2 messages"), "{report}");
    assert!(report.contains(&format!("octet {second}: ")), "{report}");
    let copy = std::fs::read(format!("{mail}.damaged-1")).expect("a copy");
    assert_eq!(copy, damaged);
    let (code, report) = run("journal repair --format json");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((code, &report["copy"]), (Some(0), &serde_json::Value::Null));

    let mended = std::fs::read(&mail).expect("messages");
    std::fs::write(&mail, &mended[..mended.len() - 5]).expect("torn");
    let (code, log) = run(serve);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("WARN") && log.contains("octets="), "{log}");
    let (code, log) = run(serve);
    assert!(code == Some(0) && !log.contains("WARN"), "{log}");
    let world = open(&journal).await;
    assert!(
        run("journal repair")
            .1
            .contains("another process has the file open")
    );
    drop(world);
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
        text.contains(".sqlite.mail") && text.contains("another process has the file open"),
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
