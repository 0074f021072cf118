//! The command line as other programs use it: output and exit codes.

use std::process::{Command, Output};

fn martinet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(arguments)
        .output()
        .expect("martinet runs")
}

#[track_caller]
pub fn check(arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let output = martinet(arguments);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: no {part:?} in\n{text}");
    }
    assert!(!text.contains('\x1b'), "a pipe gets no colours");
    text
}

const OFFICE365: [&str; 6] = [
    "check",
    "--scenario",
    "office365",
    "--client",
    "207.46.163.150",
    "--helo",
];
const HELLO: &str = "na01-bn1-obe.outbound.protection.outlook.com";

fn office365<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&OFFICE365, &[HELLO][..], more].concat()
}

#[test]
fn check_explains() {
    let refused = [
        "helo-equals-ptr: rejected at helo, rule helo-ptr-match",
        "client   207.46.163.150, saying na01-bn1-obe",
        "150.163.46.207.in-addr.arpa PTR: mail-bn1lp0150",
        "reply    554 5.7.1",
        "send EHLO mail-bn1lp0150.outbound.protection.outlook.com",
        "add this PTR record: 150.163.46.207.in-addr.arpa. PTR na01-bn1-obe",
    ];
    check(&office365(&["--receiver", "helo-equals-ptr"]), 1, &refused);
    check(
        &office365(&["--receiver", "fcrdns"]),
        0,
        &["fcrdns: accepted at eod", "250 2.0.0 Ok"],
    );
}

#[test]
fn check_as_json() {
    let text = check(
        &office365(&["--receiver", "helo-equals-ptr", "--format", "json"]),
        1,
        &[],
    );
    let one: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for key in [
        "verdict", "stage", "rule", "reply", "facts", "evidence", "remedies",
    ] {
        assert!(one.get(key).is_some(), "no {key} in {one}");
    }
    assert_eq!(
        (&one["verdict"], &one["stage"], &one["rule"]),
        (&"reject".into(), &"helo".into(), &"helo-ptr-match".into())
    );
    assert_eq!(one["facts"]["iprev"]["result"], "pass");
    assert_eq!(one["facts"]["relation"]["equals_any"], false);
    assert_eq!(one["facts"]["relation"]["verified_organisation"], true);
    let text = check(
        &office365(&["--receiver", "all", "--format", "json"]),
        1,
        &[],
    );
    let all: Vec<serde_json::Value> = serde_json::from_str(&text).expect("an array");
    assert!(all.len() >= 7);
}

#[test]
fn usage_and_mistakes_are_exit_code_2() {
    check(
        &["check", "--client", "x", "--helo", "y"],
        2,
        &["invalid value 'x'"],
    );
    check(
        &["check", "--client", "192.0.2.1", "--helo", "a\r\nb"],
        2,
        &["expected one line"],
    );
    check(
        &[
            "check",
            "--scenario",
            "nope",
            "--client",
            "192.0.2.1",
            "--helo",
            "y",
        ],
        2,
        &[
            "error: expected a scenario",
            "found unknown scenario \"nope\"",
        ],
    );
    check(
        &[
            "serve",
            "--smtp",
            "192.0.2.1:25",
            "--http",
            "off",
            "--dns",
            "127.0.0.1:0",
        ],
        2,
        &["cannot listen for SMTP on 192.0.2.1:25"],
    );
    check(
        &["serve", "--exit-after", "soon"],
        2,
        &["expected a number of sessions such as 10"],
    );
    check(
        &["lint", "/nonexistent.toml"],
        2,
        &["cannot read /nonexistent.toml"],
    );
    check(
        &["lint", concat!(env!("CARGO_MANIFEST_DIR"), "/src")],
        2,
        &["expected a file with the ending .toml in", "found none"],
    );
    check(
        &["verify", concat!(env!("CARGO_MANIFEST_DIR"), "/src")],
        2,
        &["expected a file with the ending .toml in", "found none"],
    );
    check(
        &["show", "check", "nope"],
        2,
        &["expected a check: pregreet", "found \"nope\""],
    );
    check(&["nope"], 2, &["unrecognized subcommand"]);
}

#[test]
fn lint_reports_every_file() {
    let directory = std::env::temp_dir().join(format!("martinet-lint-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("a.toml"), "titel = \"t\"\n").expect("a file");
    std::fs::write(
        directory.join("b.toml"),
        "title = \"t\"\n[[rule]]\ncheck = \"nope\"\n",
    )
    .expect("a file");
    let path = directory.to_str().expect("a path");
    check(
        &["lint", path],
        2,
        &[
            "a.toml:1",
            "b.toml:3",
            "unknown check \"nope\"",
            "did you mean \"title\"?",
        ],
    );
    std::fs::create_dir_all(directory.join("more")).expect("a directory");
    std::fs::write(directory.join("a.toml"), "title = \"t\"\n").expect("a file");
    std::fs::remove_file(directory.join("b.toml")).expect("removed");
    std::fs::write(directory.join("more/a.toml"), "title = \"u\"\n").expect("a file");
    check(
        &["lint", path],
        2,
        &["expected a file name that no other scenario has, found the file name of"],
    );
    std::fs::remove_dir_all(directory.join("more")).expect("removed");
    let warning = "expected [[domain]] with the name of a recipient domain, found none";
    let summary = "1 file without mistakes, 1 warning";
    check(
        &["lint", path],
        0,
        &[&format!("warning: {warning}"), summary],
    );
    check(
        &["lint", "--strict", path],
        2,
        &[&format!("error: {warning}")],
    );
    std::fs::remove_dir_all(&directory).expect("removed");
    check(
        &[
            "lint",
            "--strict",
            concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"),
        ],
        0,
        &["files without mistakes"],
    );
}

#[test]
fn list_and_show() {
    check(&["list", "scenarios"], 0, &["office365-pool", "ipv6-good"]);
    check(
        &["list", "receivers"],
        0,
        &["generic", "operator", "aol-yahoo-2007"],
    );
    check(&["list", "checks"], 0, &["helo-ptr-match", "iprev"]);
    check(
        &["show", "receiver", "aol-yahoo-2007"],
        0,
        &["invented", "text modelled", "554  Connecting IP: {ip}"],
    );
    check(
        &["show", "receiver", "lenient"],
        0,
        &["none: every client is accepted"],
    );
    check(
        &["show", "check", "helo-ptr-match"],
        0,
        &["RFC 5321 §4.1.4", "organisation"],
    );
    check(
        &["show", "scenario", "exchange2003-nat"],
        0,
        &["203.0.113.10 says mail.branded.test"],
    );
}

#[test]
fn matrix_in_every_format() {
    let arguments = |format| {
        [
            "matrix",
            "--scenario",
            "office365",
            "--receiver",
            "fcrdns",
            "--receiver",
            "helo-equals-ptr",
            "--format",
            format,
        ]
    };
    check(
        &arguments("human"),
        0,
        &["250 accepted", "554 helo-ptr-match", "207.46.163.149"],
    );
    check(
        &arguments("html"),
        0,
        &[
            "<table>",
            "✕ 554 helo-ptr-match</b>",
            "◷ deferred",
            "does not match rDNS",
        ],
    );
    check(
        &arguments("junit"),
        0,
        &["<testsuite name=\"office365\"", "failures=\"0\""],
    );
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&check(&arguments("json"), 0, &[])).expect("JSON");
    assert_eq!(rows[0]["cells"][1]["rule"], "helo-ptr-match");
}

#[test]
fn verify_reports_unexpected_results() {
    let file = std::env::temp_dir().join(format!("martinet-verify-{}.toml", std::process::id()));
    let scenario = "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n[[expect]]\nclient = \"192.0.2.1\"\nhelo = \"x.test\"\nreceiver = \"lenient\"\nreply = \"550\"\nrule = \"iprev\"\n";
    std::fs::write(&file, scenario).expect("a file");
    let path = file.to_str().expect("a path");
    check(
        &["verify", path],
        1,
        &[
            "FAIL",
            "expected reply 550, found 250 2.0.0 Ok",
            "expected rule iprev, found none",
            "C: EHLO x.test",
        ],
    );
    check(
        &["verify", path, "--format", "junit"],
        1,
        &["<failure", "found 250 2.0.0 Ok"],
    );
    let lines: Vec<serde_json::Value> =
        serde_json::from_str(&check(&["verify", path, "--format", "json"], 1, &[])).expect("JSON");
    assert_eq!(lines[0]["mismatches"].as_array().map(Vec::len), Some(2));
    std::fs::remove_file(&file).expect("removed");
}

/// Values that would never match, or protect nothing, are usage errors at start.
#[test]
fn serve_checks_the_options_of_http_access() {
    for (arguments, expected) in [
        (["--http-token", ""], "found an empty one"),
        (["--http-token", "two words"], "without spaces"),
        (["--http-auth", "user:"], "expected user:password"),
        (
            ["--http-host", "martinet:8025"],
            "expected a host name without scheme and port",
        ),
        (["--http-host", ""], "expected a host name"),
        (
            ["--http-origin", "http://localhost:5173/"],
            "expected an origin without a path",
        ),
        (["--http-origin", "*"], "expected an origin"),
        (["--http-origin", "null"], "expected an origin"),
    ] {
        check(&[&["serve"][..], &arguments].concat(), 2, &[expected]);
    }
    let output = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args([
            "serve",
            "--smtp",
            "127.0.0.1:0",
            "--dns",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ])
        .env("MARTINET_HTTP_TOKEN", "")
        .output()
        .expect("martinet runs");
    assert_eq!(
        output.status.code(),
        Some(2),
        "an empty variable is no credential"
    );
}

/// The example of the README: which clients are refused, why, and what fixes it.
#[test]
fn demo_prints_its_sessions_and_succeeds() {
    let text = check(&["demo"], 0, &[]);
    // Sentences are wrapped into lines.
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "1. One server",
        "accepted by the receiver helo-equals-ptr: the PTR name of 192.0.2.10 is mail.example.test",
        "2. Office 365",
        "refused by the receiver helo-equals-ptr: the client says",
        "554 5.7.1 HELO host na01-bn1-obe",
        "accepted by the receiver fcrdns: 207.46.163.150 has the name mail-bn1lp0150",
        "3. Exchange 2003",
        "With a PTR record to the EHLO name for each address: 6 of 6 accepted.",
        "With address translation (NAT) to one address: 6 of 6 accepted.",
        "Next steps:",
    ] {
        assert!(flowing.contains(part), "no {part:?} in\n{text}");
    }
    let connections: Vec<_> = text
        .lines()
        .filter(|line| line.trim_start().starts_with("connection "))
        .collect();
    assert_eq!(connections.len(), 6, "{text}");
    for line in connections {
        let verdict = if line.contains("PTR mail.branded.test") {
            "accepted"
        } else {
            "refused"
        };
        assert!(line.ends_with(verdict), "{line}");
    }
    assert!(text.lines().count() <= 40, "more than a screenful:\n{text}");
}

#[test]
fn demo_serves_until_it_is_stopped() {
    use std::io::{BufRead, BufReader, Read, Write};
    let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["demo", "--serve"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("martinet runs");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let line = lines
        .by_ref()
        .map(|line| line.expect("text"))
        .find(|line| line.contains("curl http://"))
        .expect("the address of the API");
    assert!(line.ends_with("Ctrl-C stops it."), "{line}");
    let (at, rest) = line
        .rsplit_once("http://")
        .and_then(|(_, url)| url.split_once('/'))
        .expect("a URL");
    let path = rest.split('.').next().expect("a path");
    let mut http = std::net::TcpStream::connect(at).expect("the API answers");
    write!(
        http,
        "GET /{path}?limit=100 HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
    )
    .expect("written");
    let mut answer = String::new();
    http.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("mail.branded.test"), "{answer}");
    let process = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// The progress line is for terminals only: `check` compares the output to a pipe.
#[test]
fn verify_counts_on_a_terminal() {
    use std::io::Read;
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/one-to-one.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["verify", scenario])
        .stderr(pty.slave)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("martinet runs");
    assert!(child.wait().expect("it ends").success());
    // A terminal returns the output in pieces, and an error after the other end is closed.
    let (mut terminal, mut output, mut piece) =
        (std::fs::File::from(pty.master), Vec::new(), [0; 4096]);
    while let Ok(octets @ 1..) = terminal.read(&mut piece) {
        output.extend_from_slice(&piece[..octets]);
    }
    let output = String::from_utf8_lossy(&output);
    assert!(
        output.contains("\r8 of 8 expectations played"),
        "{output:?}"
    );
    assert!(output.ends_with("\r\x1b[K"), "{output:?}");
}
