//! `/api/v1/faults`, and the same for other worlds.

use serde_json::{Value, json};

use super::*;
use crate::http::Served;

async fn served() -> Served {
    Served::of(world(&zone("")).await, martinet::http::Options::default()).await
}

async fn rcode(served: &Served) -> String {
    let dns = served.worlds.main().dns_addr();
    summary(
        &ask(dns, "mail.example.test", Transport::Udp)
            .await
            .expect("an answer"),
    )
}

const FAULTS: &str = "/api/v1/faults";

#[tokio::test]
async fn faults_are_listed_replaced_added_and_removed() {
    let served = served().await;
    assert_eq!(served.get(FAULTS).await.json(), json!({ "faults": [] }));
    let first = json!({ "name": "mail.example.test", "type": "A", "do": "servfail", "times": 1, "every": 2 });
    assert_eq!(served.send_json("POST", FAULTS, &first).await.status, 201);
    assert_eq!(
        (rcode(&served).await, rcode(&served).await),
        ("ServFail".to_owned(), "NoError 192.0.2.10".to_owned())
    );
    let second = json!({ "name": "*.", "do": "wrong-answer", "address": "203.0.113.1" });
    let answer = served.send_json("POST", FAULTS, &second).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["faults"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (rcode(&served).await, rcode(&served).await),
        ("ServFail".to_owned(), "NoError 203.0.113.1".to_owned())
    );
    let listed = served.get(FAULTS).await.json();
    let expected = json!({ "faults": [
        { "name": "mail.example.test.", "type": "A", "do": "servfail", "times": 1, "every": 2, "seen": 4, "fired": 2 },
        { "name": "*.", "do": "wrong-answer", "address": "203.0.113.1", "seen": 1, "fired": 1 },
    ] });
    assert_eq!(listed, expected);
    // PUT accepts what GET returns; the counts start again.
    let again = served.send_json("PUT", FAULTS, &listed).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let mut begun = expected;
    for fault in begun["faults"].as_array_mut().expect("a list") {
        (fault["seen"], fault["fired"]) = (0.into(), 0.into());
    }
    assert_eq!(again.json(), begun);
    let late =
        json!({ "faults": [{ "name": "*.", "do": "delay", "delay": "5ms", "jitter": "1ms" }] });
    assert_eq!(served.send_json("PUT", FAULTS, &late).await.status, 200);
    assert_eq!(rcode(&served).await, "NoError 192.0.2.10");
    assert_eq!(served.worlds.main().faults().len(), 1);
    assert_eq!(served.ask("DELETE", FAULTS, "", b"").await.status, 204);
    assert!(served.worlds.main().faults().is_empty());
    let changes = served.get("/api/v1/events?event=changed").await.json();
    let details: Vec<_> = changes["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| (event["what"].clone(), event["detail"].clone()))
        .collect();
    let faults = |detail: &str| (Value::from("faults"), Value::from(detail));
    let expected = [
        "one more",
        "one more",
        "2 of them",
        "1 of them",
        "0 of them",
    ];
    assert_eq!(details, expected.map(faults));
}

#[tokio::test]
async fn each_world_has_its_own_faults() {
    let served = served().await;
    let new_world = json!({ "name": "mine", "scenario": "one-to-one" });
    served.send_json("POST", "/api/v1/worlds", &new_world).await;
    let fault = json!({ "name": "*.example.test", "do": "servfail" });
    let path = "/api/v1/worlds/mine/faults";
    assert_eq!(served.send_json("POST", path, &fault).await.status, 201);
    let world = served.worlds.find("mine").expect("a world");
    let found = summary(
        &ask(world.dns_addr(), "mail.example.test", Transport::Udp)
            .await
            .expect("an answer"),
    );
    assert_eq!(found, "ServFail");
    assert_eq!(rcode(&served).await, "NoError 192.0.2.10");
    assert_eq!(served.get(path).await.json()["faults"][0]["fired"], 1);
    assert_eq!(served.get(FAULTS).await.json(), json!({ "faults": [] }));
}

#[tokio::test]
async fn mistakes_change_nothing_and_are_all_reported() {
    let served = served().await;
    let kept = json!({ "name": "*.", "do": "servfail" });
    served.send_json("POST", FAULTS, &kept).await;
    for (method, body, field, parts) in [
        ("POST", json!([]), "", &["a JSON object"][..]),
        ("PUT", json!({}), "faults", &["faults"]),
        ("PUT", json!([]), "", &["a JSON object"]),
        ("POST", json!({ "name": "a.test" }), "do", &["do"]),
        (
            "POST",
            json!({ "name": "a.test", "do": "servfail", "tiems": 1 }),
            "tiems",
            &["tiems"],
        ),
        (
            "POST",
            json!({ "name": "a.test", "do": "servfail", "times": -1 }),
            "times",
            &["-1"],
        ),
        (
            "POST",
            json!({ "name": "a..test", "do": "explode" }),
            "do",
            &["one of nxdomain", "\"key\":\"name\""],
        ),
        (
            "POST",
            json!({ "name": "a.test", "do": "delay", "delay": "soon" }),
            "delay",
            &["500ms, 5s or 2m", "soon"],
        ),
        (
            "POST",
            json!({ "name": "a.test", "do": "drop", "delay": "soon", "from": 0 }),
            "delay",
            &["soon", "\"key\":\"from\""],
        ),
        (
            "PUT",
            json!({ "faults": [{ "name": "a.test", "do": "drop" }, { "name": "b.test", "do": "ttl" }] }),
            "faults[1].ttl",
            &["seconds"],
        ),
    ] {
        let answer = served.send_json(method, FAULTS, &body).await;
        let (problem, text) = (answer.json(), answer.text());
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.head.contains("application/problem+json"),
            "{}",
            answer.head
        );
        assert_eq!(problem["field"], field, "{body}: {text}");
        assert_ne!(problem["detail"], "", "{body}: {text}");
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "{body}: {text}"
        );
    }
    for kind in ["", "Content-Type: text/plain\r\n"] {
        let answer = served
            .ask("POST", FAULTS, kind, kept.to_string().as_bytes())
            .await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    let many = json!({ "faults": vec![kept; 1_001] });
    let answer = served.send_json("PUT", FAULTS, &many).await;
    assert_eq!(
        (answer.status, &answer.json()["field"]),
        (400, &"faults".into())
    );
    assert_eq!(served.worlds.main().faults().len(), 1);
    assert_eq!(served.ask("PATCH", FAULTS, "", b"").await.status, 405);
}

#[test]
fn faults_are_described() {
    let api = martinet::http::openapi();
    for method in ["get", "put", "post", "delete"] {
        assert!(api["paths"][FAULTS][method].is_object(), "{method}");
    }
}
