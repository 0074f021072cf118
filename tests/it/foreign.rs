//! Foreign programs against a running `serve`: dig, swaks, Python's smtplib, Postfix's smtp-source.
//!
//! A program that is not installed is a printed skip; with `MARTINET_FOREIGN=required` it is a failure.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running `martinet serve`, stopped when dropped.
pub struct Serve {
    child: Child,
    pub smtp: String,
    dns: String,
    ready: serde_json::Value,
}

impl Serve {
    pub fn start(scenario: &str, receiver: &str) -> Self {
        Self::start_with(scenario, receiver, &[])
    }

    /// The same with more arguments.
    pub fn start_with(scenario: &str, receiver: &str, further: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
            .args([
                "serve",
                "--scenario",
                scenario,
                "--receiver",
                receiver,
                "--format",
                "json",
            ])
            .args([
                "--smtp",
                "127.0.0.1:0",
                "--dns",
                "127.0.0.1:0",
                "--http",
                "off",
            ])
            .args(further)
            .stdout(Stdio::piped())
            .spawn()
            .expect("martinet runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout"))
            .read_line(&mut line)
            .expect("the ready line");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let address = |key: &str| ready[key].as_str().expect("an address").to_owned();
        Self {
            smtp: address("smtp"),
            dns: address("dns"),
            ready,
            child,
        }
    }

    /// The address of another listener, by its key in the ready line.
    pub fn address(&self, word: &str) -> &str {
        self.ready[word].as_str().expect("a listener")
    }

    pub fn smtp_port(&self) -> &str {
        self.smtp.rsplit(':').next().expect("a port")
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program and returns its output; `None` if it is not installed.
pub fn run(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
    {
        Ok(output) => Some(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => {
            crate::skipped::skip(&format!("what {program} does: {error}"));
            None
        }
    }
}

#[track_caller]
pub fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn dig_asks_over_udp_and_tcp() {
    let serve = Serve::start("office365-pool", "fcrdns");
    let port = serve.dns.rsplit(':').next().expect("a port");
    let dig = |arguments: &[&str]| {
        run(
            "dig",
            &[
                &["@127.0.0.1", "-p", port, "+tries=1", "+time=5"],
                arguments,
            ]
            .concat(),
        )
    };
    let Some(plain) = dig(&[
        "+noedns",
        "+ignore",
        "na29-bn1-obe.outbound.protection.outlook.com",
        "A",
    ]) else {
        return;
    };
    has(
        &plain,
        &["status: NOERROR", "flags: qr aa tc rd;", "ANSWER: 0"],
    );
    let whole = dig(&[
        "+noedns",
        "na29-bn1-obe.outbound.protection.outlook.com",
        "A",
    ])
    .expect("dig runs");
    has(
        &whole,
        &["Truncated, retrying in TCP", "ANSWER: 29", "(TCP)"],
    );
    let edns = dig(&[
        "+bufsize=1232",
        "na72-bn1-obe.outbound.protection.outlook.com",
        "A",
    ])
    .expect("dig runs");
    has(&edns, &["ANSWER: 72", "udp: 1232", "(UDP)"]);
    let ptr = dig(&["-x", "104.47.38.7"]).expect("dig runs");
    has(
        &ptr,
        &["PTR\tmail-bl2nam02on2007.outbound.protection.outlook.com."],
    );
    let nobody = dig(&["nobody.outbound.protection.outlook.com", "A"]).expect("dig runs");
    has(&nobody, &["status: NXDOMAIN", "SOA"]);
    has(
        &dig(&["www.elsewhere.test"]).expect("dig runs"),
        &["status: REFUSED"],
    );
    has(
        &dig(&["MX", "contoso.test"]).expect("dig runs"),
        &["10 mx.contoso.test.", "mx.contoso.test.\t"],
    );
}

#[test]
fn swaks_is_refused_and_accepted() {
    let serve = Serve::start("one-to-one", "helo-equals-ptr");
    let swaks = |helo: &str| {
        run(
            "swaks",
            &[
                "--server",
                &serve.smtp,
                "--ehlo",
                helo,
                "--from",
                "a@example.test",
                "--to",
                "b@contoso.test",
            ],
        )
    };
    let Some(refused) = swaks("wrong.test") else {
        return;
    };
    has(
        &refused,
        &["<** 554 5.7.1 HELO host wrong.test does not match rDNS mail.example.test"],
    );
    has(
        &swaks("mail.example.test").expect("swaks runs"),
        &["<-  250 2.0.0 Ok", "<-  221 2.0.0 Bye"],
    );
}

/// The client address is that of the socket: Linux has all of 127/8, so different source addresses are different
/// clients.
#[test]
#[cfg(target_os = "linux")]
fn smtplib_binds_its_source_address() {
    let scenario =
        std::env::temp_dir().join(format!("martinet-loopback-{}.toml", std::process::id()));
    let zone = "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n[[pool]]\nname = \"p\"\naddresses = [\"127.1.2.3\"]\nptr = \"mail.example.test.\"\nhelo = \"mail.example.test\"\n[client]\nfrom = \"socket\"\n";
    std::fs::write(&scenario, zone).expect("a file");
    let serve = Serve::start(scenario.to_str().expect("a path"), "fcrdns");
    let script = "
import smtplib, sys
def send(source):
    try:
        with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='mail.example.test', source_address=(source, 0)) as smtp:
            smtp.sendmail('a@example.test', ['b@contoso.test'], 'Subject: x\\r\\n\\r\\n.dot\\r\\n')
            return 'accepted'
    except smtplib.SMTPResponseException as e:
        return f'{e.smtp_code} {e.smtp_error.decode()}'
print(send('127.1.2.3'))
print(send('127.1.2.4'))
";
    let output = run("python3", &["-c", script, serve.smtp_port()]);
    std::fs::remove_file(&scenario).expect("removed");
    let Some(output) = output else { return };
    assert_eq!(
        output,
        "accepted\n550 5.7.25 Reverse DNS validation failed.\n"
    );
}

#[test]
fn smtp_source_of_postfix_sends_many() {
    let serve = Serve::start("one-to-one", "helo-equals-ptr");
    let program =
        std::env::var("MARTINET_SMTP_SOURCE").unwrap_or_else(|_| "smtp-source".to_owned());
    let send = |helo: &str| {
        run(
            &program,
            &[
                "-s",
                "5",
                "-m",
                "200",
                "-l",
                "2000",
                "-M",
                helo,
                "-f",
                "a@example.test",
                "-t",
                "b@contoso.test",
                &serve.smtp,
            ],
        )
    };
    let Some(accepted) = send("mail.example.test") else {
        return;
    };
    assert_eq!(accepted, "", "smtp-source says nothing where all is well");
    has(
        &send("wrong.test").expect("smtp-source runs"),
        &["554 5.7.1 HELO host wrong.test"],
    );
}
