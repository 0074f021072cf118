//! The program in containers: health checks, addresses that others can reach, ports that can be published.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use martinet::dns::Transport;
use martinet::dns::client::ask;
use martinet::name::{RecordType, absolute};
use serde_json::{Value, json};

/// A running `martinet serve` with HTTP, killed when dropped.
struct Serve {
    child: Child,
    ready: Value,
}

impl Serve {
    fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    fn start_at(http: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
            .args(["serve", "--smtp", "127.0.0.1:0", "--dns", "127.0.0.1:0"])
            .args(["--http", http, "--format", "json", "--log", "error"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("martinet runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a ready line");
        let ready = serde_json::from_str(&line).expect("JSON");
        Self { child, ready }
    }

    /// The address of the HTTP server on loopback, for any listening address.
    fn http(&self) -> String {
        let http = self.ready["http"].as_str().expect("an address");
        let (_, port) = http.rsplit_once(':').expect("a port");
        format!("127.0.0.1:{port}")
    }

    /// Sends a request with this Host, and returns status and body.
    fn ask(&self, method: &str, path: &str, host: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.http()).expect("a connection");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer[9..12].parse().expect("a status");
        let (_, content) = answer.split_once("\r\n\r\n").expect("a body");
        (status, serde_json::from_str(content).unwrap_or_default())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn martinet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(arguments)
        .env_remove("MARTINET_HTTP")
        .output()
        .expect("martinet runs")
}

#[test]
fn health_checks_need_no_other_program() {
    let serve = Serve::start(&[]);
    let http = serve.http();
    for arguments in [
        &["readyz", "--http", &http][..],
        &["readyz", "--wait", "--timeout", "5s", "--http", &http],
        &["livez", "--http", &http],
    ] {
        assert_eq!(martinet(arguments).status.code(), Some(0), "{arguments:?}");
    }
    drop(serve);
    for arguments in [
        &["readyz", "--http", &http][..],
        &["readyz", "--wait", "--timeout", "200ms", "--http", &http],
        &["livez", "--http", &http],
    ] {
        let output = martinet(arguments);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {shown}");
        assert!(
            shown.contains(&format!("no answer from http://{http}/")),
            "{shown}"
        );
    }
}

/// `--wait` starts before the server: the port is still free.
#[test]
fn a_health_check_can_wait_for_the_server() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let http = free.local_addr().expect("an address").to_string();
    drop(free);
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["readyz", "--wait", "--http", &http])
        .spawn()
        .expect("martinet runs");
    let _serve = Serve::start_at(&http, &[]);
    assert_eq!(waiting.wait().expect("an end").code(), Some(0));
}

#[test]
fn the_ready_line_has_hosts_and_ports() {
    let serve = Serve::start(&["--bind", "0.0.0.0", "--advertise", "mail.test"]);
    let ready = &serve.ready;
    let port = ready["smtp_port"].as_u64().expect("a port");
    assert_eq!(ready["smtp"], format!("mail.test:{port}"));
    assert_eq!(ready["smtp_host"], "mail.test");
    assert_eq!(ready["dns_host"], "mail.test");
    assert_eq!(ready["dns"], format!("mail.test:{}", ready["dns_port"]));
    assert_eq!(
        ready["http_url"],
        format!("http://{}", ready["http"].as_str().expect("an address"))
    );
}

/// A world on 0.0.0.0 has the address by which the client reached the server: through a published port, or by a service
/// name.
#[test]
fn worlds_have_addresses_that_the_client_can_reach() {
    let serve = Serve::start(&["--bind", "0.0.0.0", "--http-host", "martinet"]);
    for (host, shown) in [("martinet:8025", "martinet"), ("127.0.0.1:9", "127.0.0.1")] {
        let (status, world) = serve.ask("POST", "/api/v1/worlds", host, &json!({}));
        assert_eq!(status, 201, "{world}");
        let port = world["smtp_port"].as_u64().expect("a port");
        assert_eq!(world["smtp"], format!("{shown}:{port}"));
        assert_eq!(
            (&world["smtp_host"], &world["dns_host"]),
            (&json!(shown), &json!(shown))
        );
        let mut greeting = [0; 4];
        let port = u16::try_from(port).expect("a port");
        let mut smtp = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        smtp.read_exact(&mut greeting).expect("a greeting");
        assert_eq!(&greeting, b"220 ");
        let name = world["name"].as_str().expect("a name");
        let (_, again) = serve.ask("GET", &format!("/api/v1/worlds/{name}"), host, &json!(null));
        assert_eq!(again["smtp"], world["smtp"]);
    }
}

/// Checks the addresses that the DNS server on this machine has for the exchange of contoso.test: that of `expected`,
/// or addresses at which the SMTP server answers.
async fn finds_exchange(server: &Value, expected: Option<&str>) {
    let port = |key: &str| u16::try_from(server[key].as_u64().expect("a port")).expect("a port");
    let name = absolute("mx.contoso.test").expect("a name");
    let mut found: Vec<IpAddr> = Vec::new();
    for record_type in [RecordType::A, RecordType::AAAA] {
        let dns = (Ipv4Addr::LOCALHOST, port("dns_port")).into();
        let timeout = Duration::from_secs(5);
        let response = ask(dns, &name, record_type, Transport::Udp, None, timeout);
        let answers = response.await.expect("an answer").answers;
        found.extend(answers.iter().filter_map(|record| record.data.ip_addr()));
    }
    if let Some(expected) = expected {
        return assert_eq!(found, [expected.parse::<IpAddr>().expect("an address")]);
    }
    assert!(!found.is_empty(), "{server}");
    for address in found {
        assert!(!address.is_unspecified(), "{address} of {server}");
        let mut greeting = [0; 4];
        let mut smtp = TcpStream::connect((address, port("smtp_port"))).expect("a connection");
        smtp.read_exact(&mut greeting).expect("a greeting");
        assert_eq!(&greeting, b"220 ", "{address} of {server}");
    }
}

/// If SMTP listens on all addresses, the DNS has an address to which a sender can connect.
#[tokio::test]
async fn the_dns_has_an_address_to_connect_to() {
    for (bind, advertise, expected) in [
        ("0.0.0.0", None, None),
        ("::", None, None),
        ("0.0.0.0", Some("mail.test"), None),
        ("0.0.0.0", Some("192.0.2.7"), Some("192.0.2.7")),
        ("127.0.0.1", Some("192.0.2.7"), Some("127.0.0.1")),
    ] {
        let advertised = advertise.map(|host| ["--advertise", host]);
        let arguments = ["--bind", bind]
            .into_iter()
            .chain(advertised.into_iter().flatten());
        let serve = Serve::start(&arguments.collect::<Vec<_>>());
        finds_exchange(&serve.ready, expected).await;
        let (_, world) = serve.ask("POST", "/api/v1/worlds", "127.0.0.1", &json!({}));
        finds_exchange(&world, expected).await;
    }
}

/// Three consecutive free ports.
fn three_ports() -> u16 {
    (0..100)
        .find_map(|_| {
            let first = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = first.local_addr().expect("an address").port();
            let next = |more| TcpListener::bind(("127.0.0.1", port.checked_add(more)?)).ok();
            let _others = (next(1)?, next(2)?);
            Some(port)
        })
        .expect("three ports in a row")
}

#[test]
fn worlds_take_their_ports_from_a_range() {
    let first = three_ports();
    let range = format!("{first}-{}", first + 2);
    let serve = Serve::start(&["--worlds-ports", &range]);
    let host = serve.http();
    let (status, world) = serve.ask("POST", "/api/v1/worlds", &host, &json!({ "name": "one" }));
    assert_eq!(status, 201, "{world}");
    assert_eq!(
        (&world["smtp_port"], &world["dns_port"]),
        (&json!(first), &json!(first + 1))
    );
    let (status, problem) = serve.ask("POST", "/api/v1/worlds", &host, &json!({}));
    assert!(status >= 400, "{problem}");
    let text = problem.to_string();
    assert!(
        text.contains(&format!("a free port from {first} to {}", first + 2)),
        "{text}"
    );
    let (status, _) = serve.ask("DELETE", "/api/v1/worlds/one", &host, &json!(null));
    assert_eq!(status, 204);
    let (status, world) = serve.ask("POST", "/api/v1/worlds", &host, &json!({}));
    assert_eq!(
        (status, &world["smtp_port"]),
        (201, &json!(first)),
        "{world}"
    );
}

/// Sends XCLIENT from loopback to this address. Returns whether EHLO offers it, and the reply.
fn xclient(address: &Value) -> (bool, String) {
    let mut stream = TcpStream::connect(address.as_str().expect("an address")).expect("connects");
    stream
        .write_all(b"EHLO a.test\r\nXCLIENT ADDR=192.0.2.10\r\nQUIT\r\n")
        .expect("commands");
    let mut shown = String::new();
    stream.read_to_string(&mut shown).expect("replies");
    let offered = shown.contains("XCLIENT NAME ADDR");
    let reply = shown.lines().rev().nth(1).expect("a reply to XCLIENT");
    (offered, reply.to_owned())
}

/// As in Postfix, `smtpd_authorized_xclient_hosts` decides for every receiver; other clients get 550 and no offer of
/// XCLIENT.
#[test]
fn xclient_is_for_the_networks_that_are_given() {
    let accepted = (true, "220 mx.martinet.test ESMTP martinet".to_owned());
    let refused = (
        false,
        "550 5.7.0 Error: insufficient authorization".to_owned(),
    );
    let exchanges = ["--scenario", "internet-2026", "--receiver", "lenient"];
    for (networks, expected) in [
        (None, &accepted),
        (Some("172.16.0.0/12, 127.0.0.1 2001:db8::/32"), &accepted),
        (Some("::ffff:127.0.0.1"), &accepted),
        (Some("172.16.0.0/12,127.0.0.2"), &refused),
        (Some(""), &refused),
    ] {
        let given = networks.map(|networks| ["--xclient-from", networks]);
        let arguments: Vec<_> = exchanges
            .into_iter()
            .chain(given.into_iter().flatten())
            .collect();
        let serve = Serve::start(&arguments);
        assert_eq!(&xclient(&serve.ready["smtp"]), expected, "{networks:?}");
        let (_, world) = serve.ask(
            "POST",
            "/api/v1/worlds",
            &serve.http(),
            &json!({ "receiver": "lenient" }),
        );
        assert_eq!(
            &xclient(&world["smtp"]),
            expected,
            "{networks:?}: another world"
        );
        // The mail server of a domain with its own receiver.
        let own = serve.ready["exchanges"].as_array().expect("exchanges");
        let own = own
            .iter()
            .find(|place| place["receiver"] == "postfix-strict");
        let (offered, _) = xclient(&own.expect("Postfix")["smtp"]);
        assert_eq!(offered, expected.0, "{networks:?}: an exchange");
    }
}

#[test]
fn wrong_networks_are_usage_errors() {
    for (networks, expected) in [
        (
            "here",
            "networks and addresses such as 172.16.0.0/12,192.0.2.10, found \"here\"",
        ),
        (
            "127.0.0.1,192.0.2.1/24",
            "the network 192.0.2.0/24 or the address 192.0.2.1, found \"192.0.2.1/24\"",
        ),
    ] {
        let output = martinet(&["serve", "--xclient-from", networks]);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{shown}");
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn wrong_ranges_are_usage_errors() {
    for range in ["20000", "20999-20000", "0-5", "a-b"] {
        let output = martinet(&["serve", "--worlds-ports", range]);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{shown}");
        assert!(shown.contains("two ports such as 20000-20999"), "{shown}");
    }
}

#[test]
fn completions_and_the_manual_name_every_subcommand() {
    let help = String::from_utf8(martinet(&["--help"]).stdout).expect("text");
    let (_, commands) = help.split_once("Commands:\n").expect("commands");
    let names: Vec<_> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.contains(&"serve") && names.len() > 9, "{names:?}");
    let manual = String::from_utf8(martinet(&["man"]).stdout).expect("text");
    assert!(manual.starts_with(".ie"), "{}", &manual[..100]);
    for shell in ["bash", "zsh", "fish"] {
        let text = String::from_utf8(martinet(&["completions", shell]).stdout).expect("text");
        for name in &names {
            assert!(text.contains(name), "{shell}: {name}");
            let heading = format!("MARTINET {}", name.to_uppercase());
            assert!(manual.contains(&heading), "{heading}");
        }
    }
}

#[test]
fn variables_of_mailpit_are_reported() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["serve", "--smtp", "127.0.0.1:0", "--dns", "127.0.0.1:0"])
        .args(["--http", "off", "--exit-after", "50ms"])
        .env("MP_SMTP_BIND_ADDR", "0.0.0.0:1025")
        .env("MP_MAX_MESSAGES", "5")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("martinet runs");
    let mut shown = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut shown).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    for notice in [
        "MP_SMTP_BIND_ADDR is a variable of Mailpit and has no effect here; use MARTINET_SMTP",
        "MP_MAX_MESSAGES is a variable of Mailpit and has no effect here",
    ] {
        assert!(shown.contains(notice), "{shown}");
    }
}

/// Serves in a network namespace with two default gateways, and sends as one of them. The kernel does not accept a
/// local address as a gateway, but keeps a gateway whose address becomes local.
#[cfg(target_os = "linux")]
const AS_GATEWAY: &str = r#"
set -e
ip link set lo up
ip link add one type veth peer name two
ip link set one up
ip link set two up
ip address add 10.1.2.10/24 dev one
ip route add default via 10.1.2.1
ip address add 10.1.2.1/24 dev one
ip -6 address add fd01::10/64 dev one nodad
ip -6 route add default via fd01::1
ip -6 address add fd01::1/64 dev one nodad
echo prepared
serve() {
    "$MARTINET" serve --smtp '[::]:1025' --dns 127.0.0.1:0 --exit-after 3 "$@" >/dev/null &
    "$MARTINET" readyz --wait
}
send() { "$MARTINET" send --smtp "$1" --client "$2" >/dev/null || [ $? = 1 ]; }
serve --scenario "$SCENARIO" --worlds-bind 0.0.0.0
world=$(curl -fsS -X POST -H 'Content-Type: application/json' -d "{\"client\":\"socket\"}" http://127.0.0.1:8025/api/v1/worlds)
send 127.0.0.1:1025 127.0.0.2
send 10.1.2.10:1025 10.1.2.1
send "10.1.2.10:$(printf '%s' "$world" | sed 's/.*"smtp_port":\([0-9]*\).*/\1/')" 10.1.2.1
send '[fd01::10]:1025' fd01::1
wait
echo second >&2
serve --scenario "$SCENARIO"
for time in 1 2 3; do send '[fd01::10]:1025' fd01::1; done
wait
echo third >&2
serve --scenario one-to-one
for time in 1 2 3; do send 10.1.2.10:1025 10.1.2.1; done
wait
"#;

/// The process warns once and says what to do; it does not warn if the scenario assigns the client addresses.
#[cfg(target_os = "linux")]
#[test]
fn a_gateway_as_the_client_is_reported_once() {
    let skip = |why: &str| crate::skipped::record(&format!("a gateway as the client: {why}"));
    let root = nix::unistd::geteuid().is_root();
    let own: &[&str] = if root {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let output = Command::new("unshare")
        .args(own)
        .args(["--net", "bash", "-c", AS_GATEWAY])
        .env("MARTINET", env!("CARGO_BIN_EXE_martinet"))
        .env(
            "SCENARIO",
            concat!(env!("CARGO_MANIFEST_DIR"), "/docker/scenarios/sender.toml"),
        )
        .output();
    let Ok(output) = output else {
        return skip("no unshare here");
    };
    let shown = String::from_utf8_lossy(&output.stderr);
    if !String::from_utf8_lossy(&output.stdout).starts_with("prepared") {
        return skip(&format!(
            "no network namespace can be prepared here: {shown}"
        ));
    }
    assert!(output.status.success(), "{shown}");
    let (first, others) = shown.split_once("second").expect("two parts");
    let (second, third) = others.split_once("third").expect("three parts");
    let warnings = |text: &str, address: &str| {
        let warning =
            format!("the client address {address} is the default gateway of this machine");
        let all = text.matches("is the default gateway").count();
        (
            all,
            text.contains(&warning) && text.contains(&format!("--xclient-from {address}")),
        )
    };
    assert_eq!(warnings(first, "10.1.2.1"), (1, true), "{shown}");
    assert_eq!(warnings(second, "fd01::1"), (1, true), "{shown}");
    assert_eq!(warnings(third, ""), (0, false), "{shown}");
}
