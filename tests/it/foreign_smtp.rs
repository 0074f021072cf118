//! Foreign programs and all SMTP features: STARTTLS, implicit TLS, AUTH, XCLIENT, PROXY, with swaks, smtplib, curl,
//! msmtp, nodemailer, and HAProxy as a proxy.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Serve, has, run};

/// The directory of one test, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("martinet-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path").to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).expect("a file");
        self.path(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const RECEIVER: &str = "title = \"the whole front\"
hostname = \"localhost\"
[smtp]
starttls = \"offered\"
[auth]
users = { tim = \"tanstaaf tanstaaf\" }
mechanisms = [\"PLAIN\", \"LOGIN\", \"CRAM-MD5\"]
tls_only = true
[[rule]]
check = \"tls-required\"
";

/// A receiver with STARTTLS, implicit TLS and AUTH, and the authority that clients must trust.
fn start_server(scratch: &Scratch) -> Serve {
    let receiver = scratch.write("receiver.toml", RECEIVER);
    let directory = scratch.0.to_str().expect("a path");
    Serve::start_with(
        "one-to-one",
        &receiver,
        &["--smtps", "127.0.0.1:0", "--tls-dir", directory],
    )
}

/// The output of swaks; `None` if swaks is not installed.
fn swaks(server: &str, further: &[&str]) -> Option<String> {
    let usual = [
        "--server",
        server,
        "--ehlo",
        "mail.example.test",
        "--from",
        "a@example.test",
        "--to",
        "b@contoso.test",
    ];
    run("swaks", &[&usual[..], further].concat())
}

#[test]
fn swaks_with_tls_and_auth() {
    let scratch = Scratch::new("swaks");
    let serve = start_server(&scratch);
    let authority = scratch.path("ca.pem");
    let verified = ["--tls-ca-path", &authority, "--tls-verify"];
    let Some(plain) = swaks(&serve.smtp, &[]) else {
        return;
    };
    has(
        &plain,
        &["<** 530 5.7.0 Must issue a STARTTLS command first"],
    );
    let started = swaks(&serve.smtp, &[&["--tls"], &verified[..]].concat()).expect("swaks runs");
    has(
        &started,
        &["<-  220 2.0.0 Ready to start TLS", "<~  250 2.0.0 Ok"],
    );
    let implicit = swaks(
        serve.address("smtps"),
        &[&["--tls-on-connect"], &verified[..]].concat(),
    )
    .expect("swaks runs");
    has(
        &implicit,
        &["<~  220 localhost ESMTP martinet", "<~  250 2.0.0 Ok"],
    );
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let auth = [
            "--tls",
            "--auth",
            mechanism,
            "--auth-user",
            "tim",
            "--auth-password",
            "tanstaaf tanstaaf",
        ];
        has(
            &swaks(&serve.smtp, &auth).expect("swaks runs"),
            &[
                "<~  235 2.7.0 Authentication successful",
                "<~  250 2.0.0 Ok",
            ],
        );
    }
    let wrong = [
        "--tls",
        "--auth",
        "PLAIN",
        "--auth-user",
        "tim",
        "--auth-password",
        "x",
    ];
    has(
        &swaks(&serve.smtp, &wrong).expect("swaks runs"),
        &["<~* 535 5.7.8 Error: authentication failed"],
    );
}

#[test]
fn swaks_with_xclient() {
    let judging = Serve::start("one-to-one", "fcrdns");
    let judged = |address: &str| {
        let attribute = format!("ADDR={address}");
        swaks(&judging.smtp, &["--xclient", &attribute])
    };
    let Some(accepted) = judged("192.0.2.10") else {
        return;
    };
    has(&accepted, &["<-  250 2.0.0 Ok"]);
    let refused = judged("198.51.100.1").expect("swaks runs");
    has(&refused, &["<** 550 5.7.25"]);
}

#[test]
fn swaks_with_proxy() {
    let proxied = Serve::start_with("one-to-one", "fcrdns", &["--proxy", "required"]);
    for (version, family) in [("1", "TCP4"), ("2", "AF_INET")] {
        let proxied = |address: &str| {
            let proxy = [
                "--proxy-version",
                version,
                "--proxy-family",
                family,
                "--proxy-source",
                address,
            ];
            let to = [
                "--proxy-source-port",
                "40000",
                "--proxy-dest",
                "192.0.2.25",
                "--proxy-dest-port",
                "25",
            ];
            swaks(&proxied.smtp, &[&proxy[..], &to].concat())
        };
        let Some(accepted) = proxied("192.0.2.10") else {
            return;
        };
        has(&accepted, &["<-  250 2.0.0 Ok"]);
        let refused = proxied("198.51.100.1").expect("swaks runs");
        has(&refused, &["<** 550 5.7.25"]);
    }
}

#[test]
fn smtplib_with_starttls_and_auth() {
    let scratch = Scratch::new("smtplib");
    let serve = start_server(&scratch);
    let script = "
import smtplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with smtplib.SMTP('localhost', int(sys.argv[1]), local_hostname='mail.example.test') as smtp:
    smtp.starttls(context=context)
    print(smtp.login('tim', 'tanstaaf tanstaaf'))
    print(smtp.sendmail('a@example.test', ['b@contoso.test'], 'Subject: x\\r\\n\\r\\nx\\r\\n', mail_options=['RET=HDRS'], rcpt_options=['NOTIFY=NEVER']))
with smtplib.SMTP_SSL('localhost', int(sys.argv[3]), context=context) as smtp:
    print(smtp.noop())
";
    let smtps = serve.address("smtps").rsplit(':').next().expect("a port");
    let Some(output) = run(
        "python3",
        &[
            "-c",
            script,
            serve.smtp_port(),
            &scratch.path("ca.pem"),
            smtps,
        ],
    ) else {
        return;
    };
    assert_eq!(
        output,
        "(235, b'2.7.0 Authentication successful')\n{}\n(250, b'2.0.0 Ok')\n"
    );
}

#[test]
fn curl_sends_mail() {
    let scratch = Scratch::new("curl");
    let serve = start_server(&scratch);
    let mail = scratch.write("mail", "Subject: x\r\n\r\n.x\r\n");
    let authority = scratch.path("ca.pem");
    let curl = |url: &str, further: &[&str]| {
        let envelope = [
            "-sS",
            "--url",
            url,
            "--mail-from",
            "a@example.test",
            "--mail-rcpt",
            "b@contoso.test",
            "-T",
            &mail,
        ];
        run("curl", &[&envelope[..], further].concat())
    };
    let verified = [
        "--ssl-reqd",
        "--cacert",
        &authority,
        "--user",
        "tim:tanstaaf tanstaaf",
    ];
    let starttls = format!("smtp://localhost:{}/mail.example.test", serve.smtp_port());
    let Some(output) = curl(&starttls, &verified) else {
        return;
    };
    assert_eq!(output, "", "curl says nothing where all is well");
    let smtps = serve.address("smtps").rsplit(':').next().expect("a port");
    let implicit = format!("smtps://localhost:{smtps}/mail.example.test");
    assert_eq!(curl(&implicit, &verified).expect("curl runs"), "");
    let refused = curl(
        &starttls,
        &["--ssl-reqd", "--cacert", &authority, "--user", "tim:wrong"],
    )
    .expect("curl runs");
    has(&refused, &["curl: (67)"]);
}

#[test]
fn msmtp_sends_mail() {
    let scratch = Scratch::new("msmtp");
    let serve = start_server(&scratch);
    let mail = scratch.write("mail", "Subject: x\n\n.x\n");
    let authority = scratch.path("ca.pem");
    let msmtp = |password: &str| {
        let script = format!(
            "msmtp --host=localhost --port={} --domain=mail.example.test --tls=on --tls-trust-file={authority} --auth=plain \
             --user=tim --passwordeval='echo {password}' --from=a@example.test b@contoso.test <{mail}",
            serve.smtp_port()
        );
        run("msmtp", &["--version"]).and_then(|_| run("sh", &["-c", &script]))
    };
    let Some(output) = msmtp("tanstaaf tanstaaf") else {
        return;
    };
    assert_eq!(output, "", "msmtp says nothing where all is well");
    has(
        &msmtp("wrong").expect("msmtp runs"),
        &["535 5.7.8 Error: authentication failed"],
    );
}

#[test]
fn nodemailer_sends_mail() {
    let scratch = Scratch::new("nodemailer");
    let serve = start_server(&scratch);
    let script = "
const ca = require('fs').readFileSync(process.argv[2]);
const transport = require('nodemailer').createTransport({
  host: 'localhost', port: Number(process.argv[1]), name: 'mail.example.test', requireTLS: true, tls: { ca },
  auth: { user: 'tim', pass: process.argv[3] } });
transport.sendMail({ from: 'a@example.test', to: ['b@contoso.test', '550-5.1.1@contoso.test'], subject: 'x', text: 'x' })
  .then(info => console.log(info.accepted, info.rejected, info.response), error => console.log(error.responseCode, error.response));
";
    let modules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/target/foreign/node/node_modules"
    );
    if !PathBuf::from(modules).join("nodemailer").is_dir() {
        crate::skipped::skip("nodemailer: it is not in target/foreign/node");
        return;
    }
    let node = |password: &str| {
        let program = format!("module.paths.push({modules:?});{script}");
        run(
            "node",
            &[
                "-e",
                &program,
                serve.smtp_port(),
                &scratch.path("ca.pem"),
                password,
            ],
        )
    };
    let Some(output) = node("tanstaaf tanstaaf") else {
        return;
    };
    has(
        &output,
        &["[ 'b@contoso.test' ] [ '550-5.1.1@contoso.test' ] 250 2.0.0 Ok"],
    );
    has(
        &node("wrong").expect("node runs"),
        &["535 535 5.7.8 Error: authentication failed"],
    );
}

/// A proxy that is stopped with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn haproxy_passes_the_client_address() {
    if run("haproxy", &["-v"]).is_none() {
        return;
    }
    let scratch = Scratch::new("haproxy");
    // The client is 127.0.0.9 for the proxy: HAProxy sends this address, otherwise the receiver would see the proxy's.
    let zone = "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n[[pool]]\nname = \"p\"\naddresses = [\"127.0.0.9\"]\n\
                ptr = \"mail.example.test.\"\nhelo = \"mail.example.test\"\n[client]\nfrom = \"socket\"\n";
    let scenario = scratch.write("scenario.toml", zone);
    let serve = Serve::start_with(&scenario, "fcrdns", &["--proxy", "required"]);
    for send in ["send-proxy", "send-proxy-v2"] {
        let port = free_port();
        let configuration = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
             listen smtp\n bind 127.0.0.1:{port}\n server one {} {send}\n",
            serve.smtp
        );
        let file = scratch.write("haproxy.cfg", &configuration);
        let child = Command::new("haproxy")
            .args(["-q", "-db", "-f", &file])
            .stdin(Stdio::null())
            .spawn();
        let proxy = Proxy(child.expect("haproxy runs"));
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        let script = "
import smtplib, sys
def send(source):
    try:
        with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='mail.example.test', source_address=(source, 0)) as smtp:
            smtp.sendmail('a@example.test', ['b@contoso.test'], 'x')
            return 'accepted'
    except smtplib.SMTPResponseException as e:
        return str(e.smtp_code)
print(send('127.0.0.9'), send('127.0.0.10'))
";
        let Some(output) = run("python3", &["-c", script, &port.to_string()]) else {
            return;
        };
        assert_eq!(output, "accepted 550\n", "{send}");
        drop(proxy);
    }
}

/// A free port. HAProxy cannot take port 0 and report which port it got.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
