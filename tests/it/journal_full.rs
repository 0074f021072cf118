//! A journal on a full disk: a small tmpfs in a mount namespace of the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use martinet::World;
use martinet::smtp::client::{Delivery, deliver};
use serde_json::Value;

use super::http::ask;
use crate::skipped::skip;

/// `martinet serve` with its journal on a file system of two megabytes that only this process sees.
struct Served {
    child: Child,
    directory: PathBuf,
    smtp: SocketAddr,
    http: SocketAddr,
}

impl Served {
    fn start() -> Option<Self> {
        let directory = std::env::temp_dir().join(format!("martinet-full-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let mount = "mount -t tmpfs -o size=2m none \"$0\" && exec \"$@\"";
        let mut command = Command::new("unshare");
        let myself = std::fs::metadata("/proc/self").expect("procfs");
        if myself.uid() != 0 {
            command.arg("--map-root-user");
        }
        let mut child = command
            .args(["--mount", "sh", "-c", mount])
            .arg(&directory)
            .arg(env!("CARGO_BIN_EXE_martinet"))
            .args("serve --receiver lenient --format json --log-format json".split(' '))
            .args("--smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http 127.0.0.1:0 --journal".split(' '))
            .arg(directory.join("journal"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("standard output");
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let _ = child.wait();
            return None;
        };
        let address = |word: &str| ready[word].as_str().and_then(|text| text.parse().ok());
        Some(Self {
            smtp: address("smtp").expect("an address"),
            http: address("http").expect("an address"),
            child,
            directory,
        })
    }

    /// The path by which the program sees a file.
    fn file(&self, name: &str) -> PathBuf {
        let path = format!("/proc/{}/root{}", self.child.id(), self.directory.display());
        PathBuf::from(path).join(name)
    }

    /// Fills the file system.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.file("filler")).expect("a file");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    async fn send(&self, subject: &str) -> String {
        let delivery = Delivery {
            helo: "x.test".to_owned(),
            from: "a@example.test".to_owned(),
            to: vec!["b@contoso.test".to_owned()],
            message: format!("Subject: {subject}\r\n\r\n{}\r\n", "x".repeat(500))
                .replace("xx", "x\r\nx")
                .into_bytes(),
            ..Delivery::default()
        };
        let dialogue = deliver(self.smtp, &delivery).await.expect("a session");
        dialogue.last.expect("a reply").to_string()
    }

    async fn get(&self, path: &str) -> Value {
        ask(self.http, "GET", path, "", b"").await.json()
    }

    /// Ends the program and returns its log.
    fn kill(&mut self) -> String {
        self.child.kill().expect("SIGKILL");
        let mut log = String::new();
        let mut errors = self.child.stderr.take().expect("a pipe");
        errors.read_to_string(&mut log).expect("text");
        self.child.wait().expect("ended");
        log
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test]
async fn a_full_disk_gets_452_and_no_250_is_published() {
    let Some(mut served) = Served::start() else {
        return skip("a full disk: a tmpfs cannot be mounted in a namespace here");
    };
    assert!(served.send("before").await.starts_with("250 "));
    served.fill();
    for _ in 0..2 {
        // The last page of the file may have space for one small message.
        served.send(&"full".repeat(1000)).await;
    }
    let refused = served.send(&"never".repeat(1000)).await;
    assert!(refused.starts_with("452 4.3.1 "), "{refused}");

    let session = served.get("/api/v1/sessions/4").await;
    assert_eq!(session["verdict"], "defer", "{session}");
    assert_eq!(session["refusals"][0]["source"], "protocol");
    assert_eq!(session["transactions"][0]["message"], Value::Null);
    let transcript = session["transcript"].as_array().expect("lines");
    let position = |text: &str| transcript.iter().position(|line| line["text"] == text);
    let dot = transcript
        .iter()
        .position(|line| {
            line["text"]
                .as_str()
                .is_some_and(|t| t.contains("octets of data"))
        })
        .expect("data");
    assert_eq!(
        position("452 4.3.1 Insufficient system storage"),
        Some(dot + 1)
    );
    let mail = served.get("/api/v1/mail").await.to_string();
    assert!(!mail.contains("\"session\":4"), "{mail}");
    let mailpit = served.get("/api/v1/messages").await.to_string();
    assert!(
        mailpit.contains("before") && !mailpit.contains("never"),
        "{mailpit}"
    );
    let waited = ask(
        served.http,
        "GET",
        "/api/v1/wait?verdict=accept&after=3&timeout_ms=50",
        "",
        b"",
    )
    .await;
    assert_eq!(waited.json()["matched"], false, "{}", waited.text());

    std::fs::remove_file(served.file("filler")).expect("room again");
    assert!(served.send("afterwards").await.starts_with("250 "));
    for name in ["journal", "journal-wal", "journal.mail"] {
        let copied = std::fs::copy(served.file(name), copy(name));
        copied.expect("a copy");
    }
    let log = served.kill();
    let error = log.lines().find(|line| line.contains("\"ERROR\""));
    let error = error.expect("an error in the log");
    assert!(error.contains("No space left on device"), "{error}");

    let again = World::builder().journal(copy("journal")).start().await;
    let again = again.expect("the journal is whole");
    let messages = again.messages().entries();
    let subjects: Vec<_> = messages
        .iter()
        .map(|message| String::from_utf8_lossy(&message.octets[9..14]).into_owned())
        .collect();
    assert_eq!(subjects.first().map(String::as_str), Some("befor"));
    assert_eq!(subjects.last().map(String::as_str), Some("after"));
    assert!(
        !subjects.contains(&"never".to_owned()),
        "nothing was kept that got 452"
    );
    drop(again);
    for name in ["", "-wal", "-shm", ".mail"] {
        let _ = std::fs::remove_file(format!("{}{name}", copy("journal").display()));
    }
}

/// The path to which a file is copied.
fn copy(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("martinet-copy-{}-{name}", std::process::id()))
}
