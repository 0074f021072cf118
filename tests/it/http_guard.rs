//! Safe by default: vulnerabilities of similar tools, each with a test.

use martinet::World;
use martinet::http::{Credentials, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::Served;

async fn guarded(options: Options) -> Served {
    Served::of(World::builder().start().await.expect("a world"), options).await
}

/// A client that is slow with its header or its body is disconnected (the paused clock advances while all tasks wait).
#[tokio::test(start_paused = true)]
async fn slow_headers_and_bodies_end() {
    let served = guarded(Options::default()).await;
    for (request, seconds, reply) in [
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 10, ""),
        (
            "PUT /api/v1/receiver HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
            15,
            "HTTP/1.1 408 Request Timeout\r\n",
        ),
    ] {
        let mut stream = TcpStream::connect(served.address)
            .await
            .expect("a connection");
        let began = tokio::time::Instant::now();
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the end");
        let waited = began.elapsed().as_secs();
        assert!(
            (seconds..seconds + 5).contains(&waited),
            "{waited} s: {request}"
        );
        assert!(
            String::from_utf8_lossy(&answer).starts_with(reply),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(served.get("/livez").await.status, 200, "others are served");
}

/// Sends octets unchanged, and returns everything until the server closes.
async fn raw(served: &Served, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address)
        .await
        .expect("a connection");
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Paths that read a body, paths that ignore one, and unknown paths.
const ANY_PATH: [(&str, &str); 7] = [
    ("PUT", "/api/v1/receiver"),
    ("POST", "/api/v1/faults"),
    ("POST", "/api/v1/reset"),
    ("DELETE", "/api/v1/messages"),
    ("PUT", "/api/v1/chaos"),
    ("POST", "/api/v1/sessions"),
    ("POST", "/nothing/here"),
];

#[tokio::test(start_paused = true)]
async fn a_slow_body_gets_408_on_every_path() {
    let served = guarded(Options::default()).await;
    for (method, path) in ANY_PATH {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
        );
        let answer = raw(&served, request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 408 Request Timeout\r\n")
                && answer.contains("application/problem+json"),
            "{method} {path}: {answer}"
        );
    }
}

/// A chunked body does not announce its size.
#[tokio::test]
async fn a_large_body_gets_413_on_every_path() {
    let served = guarded(Options::default()).await;
    let chunk = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
    for (method, path) in ANY_PATH {
        for (length, chunks) in [
            ("Transfer-Encoding: chunked", 33),
            ("Content-Length: 33554433", 0),
        ] {
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
            );
            let mut stream = TcpStream::connect(served.address)
                .await
                .expect("a connection");
            let (mut reader, mut writer) = stream.split();
            let mut answer = [0; 12];
            let sending = async {
                let mut written = writer.write_all(head.as_bytes()).await;
                for _ in 0..chunks {
                    written = written.and(writer.write_all(&chunk).await);
                }
                drop(written);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = sending => {}
                read = reader.read_exact(&mut answer) => { read.expect("an answer"); }
            }
            assert_eq!(&answer, b"HTTP/1.1 413", "{method} {path} {length}");
        }
    }
}

/// RFC 9112 §3.2: no Host, two of them, or an invalid one.
#[tokio::test]
async fn rfc9112_host_fields() {
    let served = guarded(Options::default()).await;
    for (line, fields, status) in [
        ("GET /livez HTTP/1.1", &b""[..], "400"),
        (
            "GET /livez HTTP/1.1",
            b"Host: localhost\r\nHost: localhost\r\n",
            "400",
        ),
        (
            "GET /livez HTTP/1.1",
            b"Host: localhost\r\nhost: evil.example\r\n",
            "400",
        ),
        ("GET /livez HTTP/1.1", b"Host:\r\n", "400"),
        ("GET /livez HTTP/1.1", b"Host: local\xc3\xa9host\r\n", "400"),
        ("GET /livez HTTP/1.1", b"Host: localhost\xff\r\n", "400"),
        ("GET /livez HTTP/1.1", b"Host: user@localhost\r\n", "400"),
        ("GET /livez HTTP/1.1", b"Host: localhost\r\n", "200"),
        // HTTP/1.0 has no Host field; browsers never use it.
        ("GET /livez HTTP/1.0", b"", "200"),
        ("GET /livez HTTP/1.0", b"Host: evil.example\r\n", "421"),
        // If the target has a host, that host counts (RFC 9112 §3.2.2).
        (
            "GET http://localhost/livez HTTP/1.1",
            b"Host: localhost\r\n",
            "200",
        ),
        (
            "GET http://evil.example/livez HTTP/1.1",
            b"Host: localhost\r\n",
            "421",
        ),
        ("GET http://localhost/livez HTTP/1.1", b"", "400"),
    ] {
        let request = [
            line.as_bytes(),
            b"\r\nConnection: close\r\n",
            fields,
            b"\r\n",
        ]
        .concat();
        let answer = raw(&served, &request).await;
        let shown = String::from_utf8_lossy(&request).into_owned();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{shown}: {answer}");
        assert!(
            status != "400" || answer.contains("\"field\":\"Host\""),
            "{answer}"
        );
    }
}

/// A name that is rebound to this address is still in the Host field.
#[tokio::test]
async fn dns_rebinding_is_refused() {
    let served = guarded(Options {
        hosts: vec!["martinet".to_owned()],
        ..Options::default()
    })
    .await;
    for (host, status) in [
        ("127.0.0.1:8025", 200),
        ("localhost", 200),
        ("[::1]:8025", 200),
        ("martinet:8025", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8025", 421),
    ] {
        let answer = served
            .ask("GET", "/api/v1/sessions", &format!("Host: {host}\r\n"), b"")
            .await;
        assert_eq!(answer.status, status, "{host}");
    }
}

/// Pages of other sites cannot send requests, follow events or open a socket (Mailpit's CVE-2026-22689).
#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let served = guarded(Options::default()).await;
    let own = format!("Origin: http://{}\r\n", served.address);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (method, path, fields, status) in [
        (
            "GET",
            "/api/v1/sessions",
            "Origin: https://evil.example\r\n",
            403,
        ),
        (
            "GET",
            "/api/v1/sessions",
            "Sec-Fetch-Site: cross-site\r\n",
            403,
        ),
        ("GET", "/api/v1/sessions", "Origin: null\r\n", 403),
        (
            "GET",
            "/api/v1/events",
            "Origin: https://evil.example\r\nAccept: text/event-stream\r\n",
            403,
        ),
        (
            "GET",
            "/api/events",
            &format!("Origin: https://evil.example\r\n{upgrade}"),
            403,
        ),
        (
            "POST",
            "/api/v1/reset",
            "Origin: https://evil.example\r\n",
            403,
        ),
        ("POST", "/api/v1/reset", &own, 204),
        ("GET", "/api/v1/sessions", &own, 200),
    ] {
        let answer = served.ask(method, path, fields, b"").await;
        assert_eq!(answer.status, status, "{method} {path} {fields}");
        assert!(
            !answer
                .head
                .to_lowercase()
                .contains("access-control-allow-origin"),
            "no CORS unless asked"
        );
    }
}

#[tokio::test]
async fn cors_for_an_origin_that_is_allowed() {
    let origin = "http://localhost:5173";
    let served = guarded(Options {
        origins: vec![origin.to_owned()],
        ..Options::default()
    })
    .await;
    let field = format!("Origin: {origin}\r\n");
    let answer = served.ask("GET", "/api/v1/sessions", &field, b"").await;
    assert!(
        answer
            .head
            .contains(&format!("access-control-allow-origin: {origin}")),
        "{}",
        answer.head
    );
    let preflight = format!("{field}Access-Control-Request-Method: PUT\r\n");
    assert_eq!(
        served
            .ask("OPTIONS", "/api/v1/client", &preflight, b"")
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn credentials_are_asked_for_and_checked() {
    let credentials = vec![
        Credentials::Basic("user:pass".to_owned()),
        Credentials::Bearer("token".to_owned()),
    ];
    let served = guarded(Options {
        credentials,
        ..Options::default()
    })
    .await;
    for (path, field, status) in [
        ("/api/v1/sessions", "", 401),
        ("/api/v1/messages", "", 401),
        ("/metrics", "", 401),
        ("/livez", "", 200),
        ("/readyz", "", 200),
        (
            "/api/v1/sessions",
            "Authorization: Basic dXNlcjpwYXNz\r\n",
            200,
        ),
        ("/api/v1/sessions", "Authorization: Bearer token\r\n", 200),
        ("/api/v1/sessions", "Authorization: Bearer wrong\r\n", 401),
    ] {
        let answer = served.ask("GET", path, field, b"").await;
        assert_eq!(answer.status, status, "{path} {field}");
        assert_eq!(
            answer.head.contains("www-authenticate: Basic"),
            status == 401,
            "{path} {field}"
        );
    }
}

/// RFC 9110 §11.6.1: there is a challenge for each accepted scheme, and for no other.
#[tokio::test]
async fn challenges_are_those_accepted() {
    let basic = Credentials::Basic("user:pass".to_owned());
    let bearer = |token: &str| Credentials::Bearer(token.to_owned());
    for (credentials, expected) in [
        (vec![basic.clone()], vec!["Basic"]),
        (vec![bearer("a"), bearer("b")], vec!["Bearer"]),
        (vec![bearer("a"), basic], vec!["Basic", "Bearer"]),
    ] {
        let served = guarded(Options {
            credentials,
            ..Options::default()
        })
        .await;
        let answer = served.get("/api/v1/sessions").await;
        assert_eq!(answer.status, 401);
        let fields = answer.head.lines();
        let schemes: Vec<_> = fields
            .filter_map(|line| line.strip_prefix("www-authenticate: "))
            .filter_map(|challenge| challenge.split(' ').next())
            .collect();
        assert_eq!(schemes, expected, "{}", answer.head);
    }
}

/// A form of another site can post text, not JSON; and no GET changes anything.
#[tokio::test]
async fn writes_are_json() {
    let served = guarded(Options::default()).await;
    for path in [
        "/api/v1/worlds",
        "/api/v1/expectations",
        "/api/v1/clock",
        "/api/v1/send",
    ] {
        let answer = served
            .ask("POST", path, "Content-Type: text/plain\r\n", b"{}")
            .await;
        assert_eq!(answer.status, 415, "{path}: {}", answer.text());
        assert_eq!(
            served.ask("POST", path, "", b"{}").await.status,
            415,
            "{path}"
        );
    }
    for path in ["/api/v1/reset", "/api/v1/send"] {
        assert_eq!(served.get(path).await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn large_and_slow_requests_end() {
    let served = guarded(Options::default()).await;
    let fields = "X-Padding: x\r\n".repeat(200);
    assert_eq!(served.ask("GET", "/livez", &fields, b"").await.status, 431);
    let mut stream = TcpStream::connect(served.address)
        .await
        .expect("a connection");
    let head = format!(
        "PUT /api/v1/client HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        64 << 20
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut octets = [0; 64];
    let read = stream.read(&mut octets).await.expect("an answer");
    assert!(
        String::from_utf8_lossy(&octets[..read]).starts_with("HTTP/1.1 413"),
        "before the body is sent"
    );
}

/// No request makes the server read a file: not a scenario, not a zone, not a receiver that a scenario names.
#[tokio::test]
async fn files_are_not_read_over_http() {
    let served = guarded(Options::default()).await;
    for body in [
        serde_json::json!({ "scenario": "/etc/passwd" }),
        serde_json::json!({ "scenario": "./Cargo.toml" }),
        serde_json::json!({ "scenario": { "title": "t", "receiver": "/etc/passwd" } }),
        serde_json::json!({ "scenario": "title = \"t\"\nreceiver = \"/etc/passwd\"" }),
        serde_json::json!({ "scenario": { "title": "t", "listener": [{ "receiver": "/etc/passwd" }] } }),
        serde_json::json!({ "scenario": { "title": "t", "listener": [{ "receiver": "./Cargo.toml" }] } }),
        serde_json::json!({ "scenario": { "title": "t", "expect": [
            { "client": "192.0.2.1", "helo": "h.test", "reply": "250", "receiver": "/etc/passwd" }
        ] } }),
        serde_json::json!({ "scenario": { "title": "t", "zone": [{ "origin": "x.test", "file": "/etc/passwd" }] } }),
    ] {
        let answer = served.send_json("PUT", "/api/v1/scenario", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.text().contains("root:"), "{}", answer.text());
        let world = served.send_json("POST", "/api/v1/worlds", &body).await;
        assert_eq!(world.status, 400, "{body}");
    }
    // The response does not reveal whether the file exists.
    let mut answers = Vec::new();
    for path in ["/etc/passwd", "/etc/nosuch"] {
        let body =
            serde_json::json!({ "scenario": { "title": "t", "listener": [{ "receiver": path }] } });
        let answer = served.send_json("PUT", "/api/v1/scenario", &body).await;
        answers.push(answer.text().replace(path, "PATH"));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].contains("reads no files"), "{}", answers[0]);
}

/// The server fetches nothing that a request or a message names (Mailpit's CVE-2026-21859, CVE-2026-27808,
/// CVE-2026-23845).
#[tokio::test]
async fn nothing_is_fetched_or_delivered_elsewhere() {
    let served = guarded(Options::default()).await;
    for (method, path) in [
        ("GET", "/proxy?url=http://127.0.0.1:1/"),
        ("GET", "/api/v1/message/latest/link-check?follow=true"),
        ("GET", "/api/v1/message/latest/html-check"),
        ("GET", "/screenshot?url=http://127.0.0.1:1/"),
    ] {
        assert_eq!(
            served.ask(method, path, "", b"").await.status,
            404,
            "{path}"
        );
    }
    let body = serde_json::json!({ "host": "127.0.0.1", "port": "25", "email": "x@y.test" });
    assert_eq!(
        served
            .send_json("POST", "/api/v1/messages/1/release", &body)
            .await
            .status,
        403
    );
    assert_eq!(
        served
            .send_json("POST", "/api/v1/message/1/release", &body)
            .await
            .status,
        400
    );
}
