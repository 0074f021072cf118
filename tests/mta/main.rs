//! Runs docs/mta.md: writes each guide's files, runs its commands, and compares their output with the guide.

#![cfg(target_os = "linux")]

#[path = "../skipped/mod.rs"]
mod skipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GUIDE: &str = include_str!("../../docs/mta.md");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Matches any text in the output of the guide, at the end of a line or as a whole line.
const ANYTHING: &str = "…";

/// A mail server of the guide.
struct Server {
    /// The heading of its guide.
    title: &'static str,
    /// Its files below `target/foreign`.
    needs: &'static [&'static str],
    /// The program that the machine has as `sendmail`.
    sendmail: &'static str,
}

const POSTFIX: Server = Server {
    title: "Postfix",
    needs: &["usr/lib/postfix/sbin/master", "usr/lib/postfix/sendmail"],
    sendmail: "/usr/lib/postfix/sendmail",
};

#[test]
fn postfix() {
    follow(&POSTFIX);
}

const EXIM: Server = Server {
    title: "Exim",
    needs: &["usr/sbin/exim4"],
    sendmail: "/usr/sbin/exim4",
};

#[test]
fn exim() {
    follow(&EXIM);
}

#[test]
fn opensmtpd() {
    follow(&Server {
        title: "OpenSMTPD",
        needs: &["usr/sbin/smtpd", "usr/sbin/smtpctl"],
        sendmail: "/usr/sbin/smtpctl",
    });
}

#[test]
fn sendmail() {
    follow(&Server {
        title: "Sendmail",
        needs: &[
            "usr/libexec/sendmail/sendmail",
            "usr/share/sendmail/cf/m4/cf.m4",
        ],
        sendmail: "/usr/libexec/sendmail/sendmail",
    });
}

#[test]
fn haraka() {
    follow(&Server {
        title: "Haraka",
        needs: &["haraka/node_modules/.bin/haraka"],
        sendmail: "/usr/lib/postfix/sendmail",
    });
}

/// The tests above run every part of the guide, except the last one, which says why it has none.
#[test]
fn every_server_of_the_guide_has_a_test() {
    let titles: Vec<_> = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(
        titles,
        [
            "Postfix",
            "Exim",
            "OpenSMTPD",
            "Sendmail",
            "Haraka",
            "Stalwart and KumoMTA"
        ]
    );
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
enum Block<'g> {
    /// A file, with its name.
    File(&'g str, String),
    /// Commands, and the part of their output that the guide shows.
    Commands(String, Option<String>),
}

fn follow(server: &Server) {
    if let Err(reason) = possible(server) {
        skipped::skip(&format!("the guide of {}: {reason}", server.title));
        return;
    }
    let directory = Directory::new(server.title);
    fs::copy(
        Path::new(ROOT).join("tests/mta/five.toml"),
        directory.0.join("five.toml"),
    )
    .expect("a copy");
    // The other guides use the scenario of one guide.
    let shared = blocks("Postfix").into_iter().filter(|block| match block {
        Block::File(name, _) => name.ends_with(".toml"),
        Block::Commands(..) => false,
    });
    for block in shared.chain(blocks(server.title)) {
        match block {
            Block::File(name, text) => {
                let path = directory.0.join(name);
                fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
                fs::write(path, text).expect("a file");
            }
            Block::Commands(commands, shown) => {
                let output = run(server, &directory.0, &commands);
                if let Some(shown) = shown {
                    let missing = first_missing(&shown, &output);
                    assert_eq!(
                        missing, None,
                        "the guide of {} shows it, and not:\n{output}",
                        server.title
                    );
                }
            }
        }
    }
}

/// Why this machine cannot follow the guide.
fn possible(server: &Server) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("the tests do not run as root".to_owned());
    }
    let foreign = Path::new(ROOT).join("target/foreign");
    if let Some(missing) = server
        .needs
        .iter()
        .find(|file| !foreign.join(file).exists())
    {
        return Err(format!("no {missing} below {}", foreign.display()));
    }
    let machine = machine(server, Path::new("/"))
        .arg("true")
        .output()
        .expect("unshare runs");
    if !machine.status.success() {
        return Err(String::from_utf8_lossy(&machine.stderr).trim().to_owned());
    }
    let probe = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["run", "--probe"])
        .output();
    let probe = probe.expect("martinet runs");
    match probe.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&probe.stderr).trim().to_owned()),
    }
}

/// A command on the machine with the mail server.
fn machine(server: &Server, directory: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(Path::new(ROOT).join("tests/mta/machine.sh"))
        .arg(server.sendmail)
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

fn run(server: &Server, directory: &Path, commands: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_martinet"))
        .parent()
        .expect("a directory");
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = directory.join("commands.sh");
    fs::write(&script, format!("set -eu\nexec 2>&1\n{commands}")).expect("a script");
    let mut command = machine(server, directory);
    command.args(["sh", "commands.sh"]).env("PATH", path);
    for name in ["MARTINET_SCENARIO", "MARTINET_RECEIVER", "SUDO_UID"] {
        command.env_remove(name);
    }
    let output = command.output().expect("the machine runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "{}: {}\n{commands}\n{text}",
        server.title,
        output.status
    );
    text
}

/// The blocks of one server's guide, in their order.
fn blocks(title: &str) -> Vec<Block<'static>> {
    let mut blocks = Vec::new();
    let mut lines = GUIDE
        .lines()
        .skip_while(|line| line.strip_prefix("## ") != Some(title))
        .skip(1);
    while let Some(line) = lines.next().filter(|line| !line.starts_with("## ")) {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let text: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        match info.split_once(' ') {
            Some((_, name)) => blocks.push(Block::File(name, text)),
            None if info == "sh" => blocks.push(Block::Commands(text, None)),
            None => match blocks.last_mut() {
                Some(Block::Commands(_, shown @ None)) if info == "text" => *shown = Some(text),
                _ => panic!("{title}: the block of {info:?} follows no commands"),
            },
        }
    }
    assert!(!blocks.is_empty(), "no guide of {title}");
    blocks
}

/// The first line in the guide that the output does not have after the earlier ones.
fn first_missing<'s>(shown: &'s str, output: &str) -> Option<&'s str> {
    let mut printed = output.lines();
    shown.lines().filter(|line| *line != ANYTHING).find(|line| {
        let is_it = |found: &str| match line.strip_suffix(ANYTHING) {
            Some(start) => found.trim_start().starts_with(start.trim_start()),
            None => found.trim() == line.trim(),
        };
        !printed.any(is_it)
    })
}

/// A directory that is removed with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("martinet-guide-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exim without privileges: `newuidmap` gives the user's namespace Exim's own user.
#[test]
fn exim_runs_unprivileged_with_ranges_of_ids() {
    let settings = "spool_directory = /run/mta/spool\nlog_file_path = /run/mta/log-%slog\n";
    unprivileged(&EXIM, "exim.conf", settings, EXIM_UNPRIVILEGED);
}

/// Postfix without privileges: its users and groups are mapped, and its daemons change to them.
#[test]
fn postfix_runs_unprivileged_with_ranges_of_ids() {
    let settings = "queue_directory = /run/mta/spool\ndata_directory = /run/mta/data\n\
                    maillog_file_prefixes = /run/mta\nmaillog_file = /run/mta/log\n";
    unprivileged(&POSTFIX, "postfix/main.cf", settings, POSTFIX_UNPRIVILEGED);
}

/// Sends a message with the configuration of the guide and these settings, as `nobody`.
fn unprivileged(server: &Server, configuration: &str, settings: &str, send: &str) {
    let title = server.title;
    if let Err(reason) = possible(server) {
        skipped::skip(&format!("{title} without privileges: {reason}"));
        return;
    }
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let namespace = Command::new("setpriv")
        .args(user)
        .args(["unshare", "--user", "true"])
        .status();
    if !namespace.is_ok_and(|status| status.success())
        || Command::new("newuidmap").output().is_err()
    {
        skipped::record(&format!(
            "{title} without privileges: no user namespace, or no newuidmap"
        ));
        return;
    }
    let text = blocks(title).into_iter().find_map(|block| match block {
        Block::File(name, text) if name == configuration => Some(text),
        _ => None,
    });
    let text = text.expect("a configuration");
    let directory = Directory::new(&format!("unprivileged-{title}"));
    let files = directory.0.join("files");
    fs::create_dir_all(&files).expect("a directory");
    fs::copy(env!("CARGO_BIN_EXE_martinet"), files.join("martinet-copy")).expect("a copy");
    let name = configuration.rsplit('/').next().expect("a name");
    // Exim's options come before its sections; in Postfix the last setting counts.
    let text = match title {
        "Exim" => format!("{settings}{text}"),
        _ => format!("{text}{settings}"),
    };
    fs::write(files.join(name), text).expect("a file");
    fs::write(files.join("send.sh"), send).expect("a file");
    let output = run(server, &directory.0, UNPRIVILEGED);
    for part in ["(user-namespace)", "accepted at eod", "1 met, 0 not"] {
        assert!(output.contains(part), "no {part:?} in\n{output}");
    }
}

const UNPRIVILEGED: &str = r#"
echo nobody:200000:65536 | tee /etc/subuid >/etc/subgid
cp -r files /run/mta
chown -R 65534:65534 /run/mta
cd /run/mta
setpriv --reuid=65534 --regid=65534 --clear-groups /run/mta/martinet-copy run --user root \
    --expect 'verdict=accept helo=mail.example.test' -- sh send.sh
"#;

const EXIM_UNPRIVILEGED: &str = r#"
chown 0:0 exim.conf
mkdir spool
chown Debian-exim:Debian-exim spool .
printf 'From: info@example.test\n\nHello.\n' | exim4 -C /run/mta/exim.conf -odi -f info@example.test postmaster@contoso.test
"#;

const POSTFIX_UNPRIVILEGED: &str = r#"
chown -R 0:0 .
cp /etc/postfix/master.cf .
mkdir spool data
chown postfix data
postfix -c /run/mta start
printf 'From: info@example.test\n\nHello.\n' | sendmail -C /run/mta -f info@example.test postmaster@contoso.test
for try in $(seq 100); do
    sleep 0.1
    ! postqueue -c /run/mta -p | grep -q empty || break
done
"#;
