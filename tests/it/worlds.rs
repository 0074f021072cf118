//! Worlds over HTTP: concurrent changes, resets, names, and isolation between worlds.

mod reset;

use std::collections::BTreeSet;

use martinet::World;
use martinet::http::Options;
use martinet::scenario::{parse_receiver, parse_scenario};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::http::{Served, deliver_to};

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nx\r\n";

/// A client that sends one line after another.
struct TestClient(BufReader<TcpStream>);

impl TestClient {
    async fn with(world: &World) -> Self {
        let stream = TcpStream::connect(world.smtp_addr())
            .await
            .expect("a connection");
        Self(BufReader::new(stream))
    }

    /// The last line of a reply.
    async fn read_reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.expect("a line");
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        let octets = format!("{line}\r\n");
        self.0.write_all(octets.as_bytes()).await.expect("sent");
        self.read_reply().await
    }

    async fn message(&mut self) {
        for (line, code) in [
            ("MAIL FROM:<late@example.test>", "250"),
            ("RCPT TO:<b@contoso.test>", "250"),
            ("DATA", "354"),
            ("Subject: late\r\n\r\nx\r\n.", "250"),
        ] {
            let reply = self.ask(line).await;
            assert!(reply.starts_with(code), "{line}: {reply}");
        }
    }

    async fn quit(mut self) {
        assert!(self.ask("QUIT").await.starts_with("221"));
    }
}

async fn answer(served: &Served, method: &str, path: &str, body: Value) -> Value {
    let answer = served.send_json(method, path, &body).await;
    assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

async fn mistake(served: &Served, method: &str, path: &str, body: Value) -> (u16, String, String) {
    let answer = served.send_json(method, path, &body).await;
    let problem = answer.json();
    let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    (answer.status, text("field"), text("detail"))
}

/// No concurrent change is lost, whatever it changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_the_same_time_are_all_made() {
    const ZONES: usize = 64;
    let served = std::sync::Arc::new(Served::start("one-to-one", "lenient").await);
    let before = served.worlds.main().zones().zones().count();
    let mut changes = tokio::task::JoinSet::new();
    for number in 0..ZONES {
        let served = std::sync::Arc::clone(&served);
        changes.spawn(async move {
            let path = format!("/api/v1/zones/zone{number}.test");
            answer(&served, "PUT", &path, json!({ "text": "www A 192.0.2.1" })).await;
            if number % 8 == 0 {
                let fault = json!({ "name": format!("zone{number}.test"), "do": "servfail" });
                answer(&served, "POST", "/api/v1/faults", fault).await;
            }
            if number % 8 == 1 {
                let client = json!({ "client": { "address": format!("192.0.2.{number}") } });
                answer(&served, "PUT", "/api/v1/client", client).await;
            }
            if number % 8 == 2 {
                answer(
                    &served,
                    "PUT",
                    "/api/v1/receiver",
                    json!({ "receiver": "fcrdns" }),
                )
                .await;
            }
        });
    }
    while let Some(changed) = changes.join_next().await {
        changed.expect("no panic");
    }
    let listed = served.get("/api/v1/zones").await.json();
    let origins: BTreeSet<_> = listed["zones"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|zone| zone["origin"].as_str().map(str::to_owned))
        .collect();
    let missing: Vec<_> = (0..ZONES)
        .map(|number| format!("zone{number}.test"))
        .filter(|origin| !origins.contains(origin))
        .collect();
    assert_eq!((missing, origins.len()), (Vec::new(), before + ZONES));
    let world = served.worlds.main();
    assert_eq!(world.faults().len(), ZONES / 8);
    assert_eq!(world.receiver().name, "fcrdns");
    let client = served.get("/api/v1/client").await.json();
    assert!(client["client"]["address"].is_string(), "{client}");
    let changed = world
        .events()
        .entries()
        .iter()
        .filter(|event| event.what.name() == "changed")
        .count();
    assert_eq!(changed, ZONES + 3 * ZONES / 8);
}

#[tokio::test]
async fn zones_are_shown_replaced_and_removed() {
    let served = Served::start("office365", "lenient").await;
    let path = "/api/v1/zones/outlook.com";
    let origin = "protection.outlook.com";
    let listed = served.get("/api/v1/zones").await.json();
    assert!(
        listed["zones"].as_array().is_some_and(|all| all.len() > 1),
        "{listed}"
    );
    assert!(
        listed.to_string().contains("outlook.com"),
        "{listed}: {origin}"
    );
    // PUT accepts what GET returns, and changes nothing.
    for zone in listed["zones"].as_array().expect("a list") {
        let path = format!("/api/v1/zones/{}", zone["origin"].as_str().expect("a name"));
        let shown = served.get(&path).await.json();
        answer(&served, "PUT", &path, shown.clone()).await;
        assert_eq!(served.get(&path).await.json(), shown, "{path}");
    }
    assert_eq!(served.get("/api/v1/zones").await.json(), listed);
    // The zone has only the records of the PUT.
    answer(
        &served,
        "PUT",
        path,
        json!({ "text": "www 60 A 192.0.2.7" }),
    )
    .await;
    let text = served.get(path).await.json()["text"]
        .as_str()
        .expect("text")
        .to_owned();
    let records: Vec<_> = text.lines().filter(|line| !line.starts_with('$')).collect();
    assert_eq!(records.len(), 3, "SOA, NS and A: {text}");
    assert!(
        text.contains("www.outlook.com. 60 IN A 192.0.2.7"),
        "{text}"
    );
    assert_eq!(served.ask("DELETE", path, "", b"").await.status, 204);
    assert_eq!(served.get(path).await.status, 404);
    let (status, field, _) = mistake(&served, "DELETE", path, Value::Null).await;
    assert_eq!((status, field.as_str()), (404, "name"));
    let (status, field, _) =
        mistake(&served, "PUT", "/api/v1/zones/a..b", json!({ "text": "" })).await;
    assert_eq!((status, field.as_str()), (400, "name"));
    let (status, field, _) = mistake(&served, "PUT", path, json!({ "text": "www A x" })).await;
    assert_eq!((status, field.as_str()), (400, "text"));
}

#[tokio::test]
async fn client_addresses_are_returned_as_put() {
    let served = Served::start("one-to-one", "lenient").await;
    let path = "/api/v1/client";
    for client in [
        json!("socket"),
        json!({ "address": "192.0.2.9" }),
        json!({ "map": { "127.0.0.1": "192.0.2.8" } }),
        json!({ "pool": { "addresses": ["192.0.2.1", "192.0.2.2"], "order": "round-robin" } }),
        json!({ "pool": { "addresses": ["192.0.2.1", "192.0.2.2"], "order": "random", "seed": 7 } }),
    ] {
        let body = json!({ "client": client });
        answer(&served, "PUT", path, body.clone()).await;
        assert_eq!(served.get(path).await.json(), body);
    }
    let pool = |rest: Value| {
        let mut pool = json!({ "addresses": ["192.0.2.1"] });
        pool.as_object_mut()
            .expect("an object")
            .extend(rest.as_object().expect("an object").clone());
        json!({ "client": { "pool": pool } })
    };
    for (body, field) in [
        (
            json!({ "client": { "pool": { "addresses": [] } } }),
            "client.pool.addresses",
        ),
        (json!({ "client": { "map": {} } }), "client.map"),
        (pool(json!({ "seed": 3 })), "client.pool.seed"),
        (pool(json!({ "order": "arbitrary" })), "client.pool.order"),
        (pool(json!({ "sort": "random" })), "client.pool.sort"),
    ] {
        let (status, found, detail) = mistake(&served, "PUT", path, body.clone()).await;
        assert_eq!((status, found.as_str()), (400, field), "{body}: {detail}");
        let new = mistake(&served, "POST", "/api/v1/worlds", body.clone()).await;
        assert_eq!((new.0, new.1.as_str()), (400, field), "{body}");
    }
    // Random order differs from sequential order.
    let addresses: Vec<_> = (1..=9).map(|n| format!("192.0.2.{n}")).collect();
    let body =
        json!({ "client": { "pool": { "addresses": addresses, "order": "random", "seed": 7 } } });
    answer(&served, "PUT", path, body).await;
    for _ in 0..9 {
        served.deliver("x.test", MESSAGE).await;
    }
    let page = served.get("/api/v1/sessions").await.json();
    let clients: Vec<_> = page["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|session| session["client_address"].as_str().map(str::to_owned))
        .collect();
    assert_ne!(clients, addresses);
}

#[tokio::test]
async fn names_of_worlds() {
    let served = Served::start("one-to-one", "lenient").await;
    for name in ["..", ".", ".hidden", "", "a/b", "a b", "é", &"x".repeat(65)] {
        let (status, field, detail) =
            mistake(&served, "POST", "/api/v1/worlds", json!({ "name": name })).await;
        assert_eq!((status, field.as_str()), (400, "name"), "{name}: {detail}");
        let refused = served
            .worlds
            .add(Some(name.to_owned()), World::builder())
            .await;
        assert!(refused.is_err(), "{name}");
    }
    for name in ["w0001", "w0003", "a.b", "-", "_", "W0004"] {
        let made = answer(&served, "POST", "/api/v1/worlds", json!({ "name": name })).await;
        assert_eq!(made["name"], name);
        assert_eq!(
            served.get(&format!("/api/v1/worlds/{name}")).await.status,
            200
        );
    }
    // Automatic names skip existing ones.
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(answer(&served, "POST", "/api/v1/worlds", json!({})).await["name"].clone());
    }
    assert_eq!(made, ["w0002", "w0004", "w0005"]);
    let (status, field, detail) =
        mistake(&served, "POST", "/api/v1/worlds", json!({ "name": "main" })).await;
    assert_eq!((status, field.as_str()), (400, "name"), "{detail}");
}

#[tokio::test]
async fn a_clock_is_advanced_or_the_advance_is_refused() {
    let served = Served::start("one-to-one", "lenient").await;
    let path = "/api/v1/clock";
    answer(&served, "POST", path, json!({ "advance": "876000h" })).await;
    for advance in [
        "1000h",
        "18446744073709551615ms",
        "18446744073709551615s",
        "5000000000000000h",
    ] {
        let (status, field, detail) =
            mistake(&served, "POST", path, json!({ "advance": advance })).await;
        assert_eq!(
            (status, field.as_str()),
            (400, "advance"),
            "{advance}: {detail}"
        );
    }
    let now = served.get(path).await.json()["now_ms"]
        .as_f64()
        .expect("a number");
    assert!(
        (876_000.0 * 3.6e6..876_001.0 * 3.6e6).contains(&now),
        "{now}"
    );
    let far = World::builder()
        .clock(std::time::Duration::MAX)
        .start()
        .await;
    assert!(far.is_err(), "a clock cannot start there either");
}

/// Mailpit's marks and counts belong to one world, also if a later world has the same ports.
#[tokio::test]
async fn marks_and_counts_are_of_one_world() {
    let served = Served::start("one-to-one", "lenient").await;
    let new = json!({ "name": "first", "receiver": "lenient" });
    let first = answer(&served, "POST", "/api/v1/worlds", new).await;
    let smtp = first["smtp"]
        .as_str()
        .and_then(|a| a.parse().ok())
        .expect("an address");
    for _ in 0..3 {
        deliver_to(smtp, "x.test", MESSAGE).await;
    }
    let messages = "/worlds/first/api/v1/messages";
    assert_eq!(served.get(messages).await.json()["total"], 3);
    served.ask("DELETE", messages, "", b"").await;
    assert_eq!(served.get(messages).await.json()["total"], 0);
    served.ask("DELETE", "/api/v1/worlds/first", "", b"").await;
    // The next one is bound to the same port.
    let builder = World::builder().receiver("lenient").smtp(smtp);
    let (_, next) = served
        .worlds
        .add(Some("first".to_owned()), builder)
        .await
        .expect("a world");
    assert_eq!(next.smtp_addr(), smtp);
    for _ in 0..3 {
        deliver_to(smtp, "x.test", MESSAGE).await;
    }
    let listed = served.get(messages).await.json();
    assert_eq!(
        (&listed["total"], &listed["unread"]),
        (&json!(3), &json!(3))
    );
    answer(
        &served,
        "PUT",
        "/api/v1/worlds/first/receiver",
        json!({ "receiver": "fcrdns" }),
    )
    .await;
    answer(
        &served,
        "PUT",
        "/api/v1/worlds/first/client",
        json!({ "client": { "address": "203.0.113.9" } }),
    )
    .await;
    deliver_to(smtp, "x.test", MESSAGE).await;
    let stats = async |path: &str| {
        let info = served.get(path).await.json();
        [
            "MessagesDeleted",
            "SMTPAccepted",
            "SMTPAcceptedSize",
            "SMTPRejected",
        ]
        .map(|key| info["RuntimeStats"][key].as_u64().expect("a number"))
    };
    assert_eq!(
        stats("/worlds/first/api/v1/info").await,
        [0, 3, 3 * MESSAGE.len() as u64, 1]
    );
    assert_eq!(
        stats("/api/v1/info").await,
        [0; 4],
        "nothing came to the main world"
    );
    let metrics = served.get("/metrics").await.text();
    assert!(
        metrics.contains("martinet_messages_total 6\n"),
        "all worlds: {metrics}"
    );
}
