//! Unmodified programs that verify TLS certificates: for the command, the trusted certificates are the system's and
//! martinet's.

use std::process::Command;

use super::{callers, check, python, skipped};

/// STARTTLS on port 25 of each exchange, implicit TLS on port 465, verified by name.
const VERIFY: &str = "import smtplib, ssl, sys
context = ssl.create_default_context()
def send(smtp):
    with smtp:
        smtp.ehlo_or_helo_if_needed()
        if not isinstance(smtp, smtplib.SMTP_SSL): smtp.starttls(context=context)
        smtp.sendmail('info@example.test', ['user@' + smtp._host.split('.', 1)[1]], 'Subject: test\\r\\n\\r\\nHello.\\r\\n')
        print(smtp._host, smtp.sock.version())
for name in sys.argv[1:]: send(smtplib.SMTP(name, 25, local_hostname='mail.example.test'))
send(smtplib.SMTP_SSL(sys.argv[1], 465, local_hostname='mail.example.test', context=context))
print(sum(1 for line in open(ssl.get_default_verify_paths().cafile) if 'BEGIN CERT' in line), 'certificates')";

const RECEIVER: &str = "title = \"With TLS\"\n[smtp]\nstarttls = \"offered\"\n";

/// A domain with the receiver of the scenario, which listens on port 465 too, and one with its own.
const SCENARIO: &str = r#"
title = "TLS at every exchange"
receiver = "./tls.toml"
[[domain]]
name = "one.test"
mx = { name = "mx.one.test", addresses = ["198.51.100.1"] }
[[domain]]
name = "two.test"
receiver = "./tls-two.toml"
mx = { name = "mx.two.test", addresses = ["198.51.100.2"] }
[[pool]]
name = "sender"
addresses = ["192.0.2.10"]
ptr = "mail.example.test."
helo = "mail.example.test"
[[listener]]
address = "198.51.100.1:465"
tls = "implicit"
"#;

/// The files of a test, removed with it.
struct Files(std::path::PathBuf);

impl Files {
    fn new(name: &str, receiver: &str) -> Self {
        let name = format!("martinet-run-tls-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        for (file, text) in [
            ("tls.toml", receiver),
            ("tls-two.toml", receiver),
            ("scenario.toml", SCENARIO),
        ] {
            std::fs::write(directory.join(file), text).expect("a file");
        }
        Self(directory)
    }

    fn scenario(&self) -> String {
        self.0.join("scenario.toml").display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Certificates in the bundle of the machine; without a bundle there is nothing to extend.
fn certificates() -> Option<usize> {
    let found = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt")
        .or_else(|_| std::fs::read_to_string("/etc/pki/tls/certs/ca-bundle.crt"))
        .or_else(|_| std::fs::read_to_string("/etc/ssl/ca-bundle.pem"));
    if found.is_err() {
        skipped::skip("run, trusted certificates: the machine has no bundle");
    }
    Some(found.ok()?.matches("BEGIN CERT").count())
}

#[test]
fn programs_trust_the_receivers_and_the_system() {
    let (true, Some(before)) = (python(), certificates()) else {
        return;
    };
    let files = Files::new("trusted", RECEIVER);
    for caller in callers("trusted certificates") {
        let scenario = files.scenario();
        let run = [
            "--scenario",
            &scenario,
            "--expect",
            "verdict=accept times=3",
        ];
        let verify = ["--", "python3", "-c", VERIFY, "mx.one.test", "mx.two.test"];
        let text = check(
            caller,
            &[&run[..], &verify].concat(),
            0,
            &["mx.one.test TLSv1.", "mx.two.test TLSv1.", "1 met, 0 not"],
        );
        let counted = text
            .lines()
            .find_map(|line| line.strip_suffix(" certificates"));
        let counted: usize = counted
            .and_then(|count| count.parse().ok())
            .expect("a count");
        assert!(
            counted > before,
            "{caller:?}: {counted} of {before}: {text}"
        );
        if Command::new("openssl").arg("version").output().is_ok() {
            let client = "echo QUIT | openssl s_client -connect mx.one.test:25 -starttls smtp -verify_hostname mx.one.test \
                          -verify_return_error 2>&1 | grep 'Verify return code'";
            let openssl = ["--scenario", &scenario, "--", "sh", "-c", client];
            check(caller, &openssl, 0, &["Verify return code: 0 (ok)"]);
        } else {
            skipped::skip("run, trusted certificates: there is no openssl");
        }
    }
}

/// The machine's own trust does not change, and a certificate that martinet breaks on purpose is not trusted.
#[test]
fn a_broken_certificate_is_not_trusted() {
    let (true, Some(before)) = (python(), certificates()) else {
        return;
    };
    for fault in ["self-signed", "wrong-name", "expired"] {
        let receiver = format!("{RECEIVER}tls_fault = \"{fault}\"\n");
        let files = Files::new(fault, &receiver);
        for caller in callers("broken certificates") {
            let scenario = files.scenario();
            let run = ["--scenario", &scenario, "--", "python3", "-c", VERIFY];
            let verify = [&run[..], &["mx.one.test"]].concat();
            check(caller, &verify, 1, &["CERTIFICATE_VERIFY_FAILED"]);
        }
    }
    assert_eq!(certificates(), Some(before));
}
