//! Worlds over HTTP: changes at the same time, what a reset resets, names, and what one world has of another.

use std::collections::BTreeSet;

use martinet::World;
use martinet::http::Options;
use martinet::scenario::{parse_receiver, parse_scenario};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::http::{Served, deliver_to};

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nx\r\n";

/// A client that says one line after another.
struct Talk(BufReader<TcpStream>);

impl Talk {
    async fn with(world: &World) -> Self {
        let stream = TcpStream::connect(world.smtp_addr())
            .await
            .expect("a connection");
        Self(BufReader::new(stream))
    }

    /// The last line of a reply.
    async fn hear(&mut self) -> String {
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
        self.hear().await
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

/// Of changes at the same time none is lost, whatever they change.
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
    // What GET gives PUT takes, and nothing changes by it.
    for zone in listed["zones"].as_array().expect("a list") {
        let path = format!("/api/v1/zones/{}", zone["origin"].as_str().expect("a name"));
        let shown = served.get(&path).await.json();
        answer(&served, "PUT", &path, shown.clone()).await;
        assert_eq!(served.get(&path).await.json(), shown, "{path}");
    }
    assert_eq!(served.get("/api/v1/zones").await.json(), listed);
    // A zone has the records that were put, and no others.
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
async fn client_addresses_are_shown_as_they_are_put() {
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
    // Random is not one after the other.
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
    // Automatic names pass over those that were given.
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

/// A reset brings back everything that can be changed; one of the journal leaves it all.
#[tokio::test]
async fn a_reset_is_of_everything_or_of_the_journal() {
    let text = "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n[[zone]]\norigin = \"example.test\"\ntext = \"mail A 192.0.2.1\"\n\
                [[pool]]\nname = \"out\"\naddresses = [\"192.0.2.1-3\"]\nhelo = \"mail.example.test\"\n\
                [[fault]]\nname = \"mail.example.test\"\ndo = \"servfail\"\ntimes = 1\n";
    let rules = "title = \"r\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"\n";
    let world = World::builder()
        .with_scenario(parse_scenario("start", text).expect("a scenario"))
        .with_receiver(parse_receiver("grey", rules).expect("a receiver"))
        .start()
        .await
        .expect("a world");
    let served = Served::of(world, Options::default()).await;
    let state = async || {
        let mut state = Vec::new();
        for path in [
            "scenario",
            "receiver",
            "zones",
            "zones/example.test",
            "client",
            "faults",
        ] {
            state.push(served.get(&format!("/api/v1/{path}")).await.json());
        }
        state
    };
    let start = state().await;
    for (method, path, body) in [
        ("PUT", "scenario", json!({ "scenario": "no-ptr" })),
        ("PUT", "receiver", json!({ "receiver": "fcrdns" })),
        (
            "PUT",
            "zones/other.test",
            json!({ "text": "@ A 192.0.2.1" }),
        ),
        (
            "PUT",
            "client",
            json!({ "client": { "address": "192.0.2.77" } }),
        ),
        ("POST", "faults", json!({ "name": "*.", "do": "servfail" })),
        ("POST", "clock", json!({ "advance": "1h" })),
        (
            "POST",
            "expectations",
            json!({ "name": "none", "sessions": {}, "times": { "most": 0 } }),
        ),
    ] {
        answer(&served, method, &format!("/api/v1/{path}"), body).await;
    }
    served.deliver("mail.example.test", MESSAGE).await;
    let changed = state().await;
    let counts = async || {
        let mut counts = Vec::new();
        for (path, list) in [
            ("sessions", "sessions"),
            ("mail", "mail"),
            ("dns/queries", "queries"),
            ("expectations", "expectations"),
        ] {
            let page = served.get(&format!("/api/v1/{path}")).await.json();
            counts.push(page[list].as_array().map(Vec::len));
        }
        counts
    };
    assert_eq!(counts().await[0], Some(1));
    let path = "/api/v1/reset?only=journal";
    assert_eq!(served.ask("POST", path, "", b"").await.status, 204);
    assert_eq!(counts().await, [Some(0); 4]);
    let mut after = state().await;
    // The one thing that sessions count.
    (after[5]["faults"], ()) = (changed[5]["faults"].clone(), ());
    assert_eq!(after, changed, "nothing but the journal");
    assert!(served.worlds.main().now() > std::time::Duration::from_secs(3600));
    let events = served.get("/api/v1/events").await.json();
    assert_eq!(
        events["events"].as_array().map(Vec::len),
        Some(1),
        "{events}"
    );
    assert_eq!(events["events"][0]["detail"], "journal");

    served.deliver("mail.example.test", MESSAGE).await;
    assert_eq!(
        served.ask("POST", "/api/v1/reset", "", b"").await.status,
        204
    );
    assert_eq!((state().await, counts().await), (start, vec![Some(0); 4]));
    assert!(served.worlds.main().now() < std::time::Duration::from_secs(3600));
    let events = served.get("/api/v1/events").await.json();
    assert_eq!(events["events"][0]["detail"], "everything");
    // The pool begins with its first address, and the receiver knows nobody.
    let clients = async || {
        deliver_to(
            served.worlds.main().smtp_addr(),
            "mail.example.test",
            MESSAGE,
        )
        .await;
        let page = served
            .get("/api/v1/sessions?newest=true&limit=1")
            .await
            .json();
        (
            page["sessions"][0]["client_address"].clone(),
            page["sessions"][0]["code"].clone(),
        )
    };
    assert_eq!(clients().await, (json!("192.0.2.1"), json!(451)));
    let (status, field, _) =
        mistake(&served, "POST", "/api/v1/reset?only=zones", Value::Null).await;
    assert_eq!((status, field.as_str()), (400, "only"));
    let (status, field, _) = mistake(
        &served,
        "POST",
        "/api/v1/reset?keep_journal=true",
        Value::Null,
    )
    .await;
    assert_eq!((status, field.as_str()), (400, "keep_journal"));
}

/// A session that is under way across a reset belongs to the side on which it began: it ends as it would have, and what
/// comes after has no message, event, session, count of a fault or memory of it.
#[tokio::test]
async fn a_session_stays_on_its_side_of_a_reset() {
    let text = "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n[[zone]]\norigin = \"example.test\"\ntext = \"mail A 192.0.2.1\\n@ MX 10 mail\"\n\
                [client]\nfrom = \"192.0.2.1\"\n\
                [[fault]]\nname = \"example.test\"\ntype = \"MX\"\ndo = \"servfail\"\ntimes = 1\n";
    let rules = "title = \"r\"\n[[rule]]\ncheck = \"sender-resolves\"\n[[rule]]\ncheck = \"limits\"\nconnections = 1\n";
    for path in ["/api/v1/reset", "/api/v1/reset?only=journal"] {
        let world = World::builder()
            .with_scenario(parse_scenario("start", text).expect("a scenario"))
            .with_receiver(parse_receiver("strict", rules).expect("a receiver"))
            .start()
            .await
            .expect("a world");
        let served = Served::of(world, Options::default()).await;
        let world = served.worlds.main();
        deliver_to(world.smtp_addr(), "x.test", MESSAGE).await;
        assert_eq!(world.faults()[0].fired(), 1, "the only time");

        let mut straddling = Talk::with(world).await;
        assert!(straddling.hear().await.starts_with("220"));
        straddling.ask("EHLO x.test").await;
        assert_eq!(served.ask("POST", path, "", b"").await.status, 204);
        let everything = path == "/api/v1/reset";
        let never = json!({ "name": "never", "sessions": { "sender": "late@example.test" }, "times": { "most": 0 } });
        answer(&served, "POST", "/api/v1/expectations", never).await;
        straddling.message().await;
        assert_eq!(world.faults()[0].fired(), u64::from(!everything), "{path}");
        if everything {
            let mut new = Talk::with(world).await;
            assert!(new.hear().await.starts_with("220"));
            new.ask("EHLO x.test").await;
            let reply = new.ask("MAIL FROM:<a@example.test>").await;
            assert!(reply.starts_with("450"), "the fault is its own: {reply}");
            straddling.quit().await;
            let reply = Talk::with(world).await.hear().await;
            assert!(reply.starts_with("421"), "one is open still: {reply}");
            new.quit().await;
        } else {
            straddling.quit().await;
            deliver_to(world.smtp_addr(), "x.test", MESSAGE).await;
        }
        let last = world.sessions().last();
        let closed = world.wait_until(|session| session.id == last && session.closed_by.is_some());
        closed.await.expect("the last one ends");
        let sessions = served.get("/api/v1/sessions").await.json();
        assert_eq!(sessions["sessions"][0]["id"], 3, "{path}: {sessions}");
        let mail = served.get("/api/v1/mail").await.json();
        let of = |mail: &Value| mail["session"].as_u64().expect("a number");
        assert!(
            mail["mail"]
                .as_array()
                .expect("a list")
                .iter()
                .all(|mail| of(mail) > 2),
            "{path}: {mail}"
        );
        let verified = served.get("/api/v1/expectations/verify").await;
        assert_eq!(verified.status, 200, "{path}: {}", verified.text());
        for session in [1, 2] {
            let events = served
                .get(&format!("/api/v1/events?session={session}"))
                .await
                .json();
            assert_eq!(events["events"], json!([]), "{path}");
        }
    }
}

/// What Mailpit's API marks, and what it counts, is of one world, also where a later one has its ports.
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
