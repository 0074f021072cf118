//! Several worlds over HTTP, and changes to one of them.

use super::*;

#[tokio::test]
async fn a_world_lists_the_receiver_of_each_domain() {
    let served = Served::start("one-to-one", "lenient").await;
    let text = "title = \"t\"\nreceiver = \"lenient\"\n[[domain]]\nname = \"plain.test\"\n[[domain]]\nname = \"strict.test\"\nreceiver = \"fcrdns\"\n\
                [[domain]]\nname = \"dead.test\"\nmx = { name = \"mx.dead.test\", dead = true, addresses = [\"192.0.2.25\"] }\n";
    let new = json!({ "name": "mail", "scenario": text });
    let answer = served.send_json("POST", "/api/v1/worlds", &new).await;
    let created = answer.json();
    assert_eq!(answer.status, 201, "{created}");
    let world = served.get("/api/v1/worlds/mail").await.json();
    assert_eq!(world, created);
    let of = |domain: &str| {
        let exchanges = world["exchanges"].as_array().expect("exchanges");
        let found = exchanges.iter().find(|one| one["domain"] == domain);
        found.unwrap_or_else(|| panic!("{world}")).clone()
    };
    let (plain, strict) = (of("plain.test"), of("strict.test"));
    assert_eq!(plain["receiver"], "lenient");
    assert_eq!(
        (&strict["receiver"], &strict["exchange"]),
        (&json!("fcrdns"), &json!("mx.strict.test"))
    );
    assert_ne!(plain["smtp"], strict["smtp"]);
    let at = strict["smtp"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("an address");
    deliver_to(at, "x.test", MESSAGE).await;
    let session = served.get("/api/v1/worlds/mail/sessions/1").await.json();
    assert_eq!(session["receiver"], "fcrdns", "{session}");
    // Nothing listens there, so no connection succeeds.
    let dead = of("dead.test");
    assert_eq!(dead["preference"], 10);
    assert!(dead["address"].is_string(), "{dead}");
    assert_eq!(
        (&dead["smtp"], &dead["receiver"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn worlds_share_nothing() {
    let served = Served::start("one-to-one", "lenient").await;
    let inline = json!({
        "name": "mine",
        "scenario": { "title": "t", "domain": [{ "name": "contoso.test" }], "zone": [{ "origin": "2.0.192.in-addr.arpa", "text": "1 PTR x.test." }], "fault": [{ "name": "*.in-addr.arpa.", "do": "servfail", "times": 1 }] },
        "receiver": "title = \"r\"\n[[rule]]\ncheck = \"iprev\"\n",
        "client": { "address": "192.0.2.77" },
    });
    let answer = served.send_json("POST", "/api/v1/worlds", &inline).await;
    let created = answer.json();
    assert_eq!(answer.status, 201, "{created}");
    let other = served
        .send_json(
            "POST",
            "/api/v1/worlds",
            &json!({ "scenario": "no-ptr", "receiver": "fcrdns" }),
        )
        .await
        .json();
    let smtp = |world: &Value| {
        world["smtp"]
            .as_str()
            .and_then(|a| a.parse().ok())
            .expect("an address")
    };
    deliver_to(smtp(&created), "x.test", MESSAGE).await;
    deliver_to(smtp(&other), "y.test", MESSAGE).await;
    let status = async |method: &str, path: &str| served.ask(method, path, "", b"").await.status;
    let rule = async |path: &str| served.get(path).await.json()["sessions"][0]["code"].clone();
    assert_eq!(
        rule("/api/v1/worlds/mine/sessions").await,
        451,
        "its own fault"
    );
    assert_eq!(rule("/api/v1/worlds/w0001/sessions").await, 550);
    assert_eq!(status("POST", "/api/v1/worlds/mine/reset").await, 204);
    let kept = async |world: &str| {
        served
            .get(&format!("/api/v1/worlds/{world}/sessions"))
            .await
            .json()["sessions"]
            .as_array()
            .map(Vec::len)
    };
    assert_eq!(
        (kept("mine").await, kept("w0001").await),
        (Some(0), Some(1)),
        "a reset is of one world"
    );
    deliver_to(smtp(&created), "x.test", MESSAGE).await;
    assert_eq!(
        rule("/api/v1/worlds/mine/sessions").await,
        451,
        "and its faults begin anew"
    );
    assert_eq!(
        served.get("/api/v1/worlds").await.json()["worlds"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    let again = served
        .send_json("POST", "/api/v1/worlds", &json!({ "name": "mine" }))
        .await;
    assert_eq!(again.status, 400, "{}", again.text());
    assert_eq!(status("DELETE", "/api/v1/worlds/mine").await, 204);
    assert!(
        TcpStream::connect(smtp(&created)).await.is_err(),
        "its ports are closed"
    );
    assert_eq!(status("DELETE", "/api/v1/worlds/mine").await, 404);
    assert_eq!(status("DELETE", "/api/v1/worlds/main").await, 400);
}

#[tokio::test]
async fn a_world_is_changed_over_http() {
    let served = Served::start("one-to-one", "fcrdns").await;
    let verdict = async || {
        served.deliver("mail.example.test", MESSAGE).await;
        let page = served.get("/api/v1/wait?timeout_ms=20000").await.json();
        assert_eq!(page["matched"], true);
        served
            .get("/api/v1/sessions?newest=true&limit=1")
            .await
            .json()["sessions"][0]["verdict"]
            .clone()
    };
    let put = async |path: &str, body: Value| {
        let answer = served.send_json("PUT", path, &body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text());
    };
    assert_eq!(verdict().await, "accept");
    put(
        "/api/v1/client",
        json!({ "client": { "address": "192.0.2.77" } }),
    )
    .await;
    assert_eq!(verdict().await, "reject");
    put(
        "/api/v1/zones/2.0.192.in-addr.arpa",
        json!({ "text": "77 PTR mail.example.test." }),
    )
    .await;
    put(
        "/api/v1/zones/example.test",
        json!({ "text": "mail A 192.0.2.77" }),
    )
    .await;
    assert_eq!(verdict().await, "accept");
    put("/api/v1/receiver", json!({ "receiver": "helo-equals-ptr" })).await;
    put("/api/v1/scenario", json!({ "scenario": "no-ptr" })).await;
    assert_eq!(verdict().await, "reject");
    assert_eq!(
        served.get("/api/v1/receiver").await.json()["name"],
        "helo-equals-ptr"
    );
    assert_eq!(
        served.get("/api/v1/scenario").await.json()["name"],
        "no-ptr"
    );
    let before = served.get("/api/v1/clock").await.json()["now_ms"]
        .as_f64()
        .expect("a number");
    let after = served
        .send_json("POST", "/api/v1/clock", &json!({ "advance": "5m" }))
        .await
        .json();
    assert!(
        after["now_ms"]
            .as_f64()
            .is_some_and(|now| now >= before + 300_000.0),
        "{after}"
    );
}
