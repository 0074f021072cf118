//! Problems are about the request, in the client's terms.

use serde_json::{Value, json};

use super::http::Served;

/// Paths with a mistake: the status, the field, and parts of expected and found.
const MISTAKES: [(&str, u16, &str, &str, &str); 12] = [
    (
        "/api/v1/sessions?foo=1",
        400,
        "foo",
        "",
        "unknown field `foo`",
    ),
    (
        "/api/v1/sessions?limit=x",
        400,
        "limit",
        "a number",
        "\"x\"",
    ),
    (
        "/api/v1/sessions?verdict=maybe",
        400,
        "verdict",
        "one of none, accept, defer, reject",
        "maybe",
    ),
    (
        "/api/v1/sessions?client_address=nope",
        400,
        "client_address",
        "an address such as 192.0.2.1",
        "nope",
    ),
    (
        "/api/v1/sessions?since=yesterday",
        400,
        "since",
        "a time such as",
        "digit",
    ),
    (
        "/api/v1/sessions/99",
        404,
        "id",
        "the number of a session that is kept",
        "99",
    ),
    ("/api/v1/sessions/x", 404, "id", "a number", "x"),
    (
        "/api/v1/worlds/w9/sessions",
        404,
        "world",
        "the name of a world",
        "w9",
    ),
    (
        "/api/v1/check?client_address=192.0.2.1",
        400,
        "helo",
        "a value",
        "none",
    ),
    (
        "/api/v1/check?client_address=192.0.2.1&helo=x&receiver=nope",
        400,
        "receiver",
        "a receiver",
        "nope",
    ),
    (
        "/api/v1/check?client_address=192.0.2.1&helo=x&receiver=/etc/passwd",
        400,
        "receiver",
        "a built-in name",
        "/etc/passwd",
    ),
    ("/nothing", 404, "path", "", "/nothing"),
];

#[tokio::test]
async fn every_mistake_is_a_problem() {
    let served = Served::start("one-to-one", "fcrdns").await;
    for (path, status, field, expected, found) in MISTAKES {
        let answer = served.get(path).await;
        let problem = answer.json();
        assert_eq!(answer.status, status, "{path}: {problem}");
        assert!(answer.head.contains("application/problem+json"), "{path}");
        assert_eq!(problem["field"], field, "{path}: {problem}");
        for (key, part) in [("expected", expected), ("found", found)] {
            assert!(
                problem[key]
                    .as_str()
                    .is_some_and(|text| text.contains(part)),
                "{path}: no {part:?} in {problem}"
            );
        }
    }
}

#[tokio::test]
async fn mistakes_in_bodies_are_problems() {
    let served = Served::start("one-to-one", "fcrdns").await;
    for body in [
        json!({"queries": [null]}),
        json!({"sessions": []}),
        json!({"sessions": {}, "times": [1, 2]}),
    ] {
        let answer = served
            .send_json("POST", "/api/v1/expectations", &body)
            .await;
        assert_eq!(
            (answer.status, answer.json()["expected"].as_str()),
            (400, Some("an object")),
            "{body}"
        );
    }
    let wrong = served
        .send_json(
            "POST",
            "/api/v1/expectations",
            &json!({ "sessions": { "code": "x" } }),
        )
        .await
        .json();
    assert_eq!(
        (&wrong["field"], &wrong["expected"]),
        (&json!("sessions.code"), &json!("a whole number, 0 or more")),
        "{wrong}"
    );
    assert_eq!(
        served
            .ask("PATCH", "/api/v1/sessions", "", b"")
            .await
            .status,
        405
    );
    let lines = json!({ "scenario": "titel = 1\nreceiver = \"nope\"\n" });
    let mistakes = served
        .send_json("PUT", "/api/v1/scenario", &lines)
        .await
        .json();
    assert!(
        mistakes["mistakes"]
            .as_array()
            .is_some_and(|all| all.len() >= 2),
        "{mistakes}"
    );
    assert_eq!(mistakes["mistakes"][0]["line"], 1);
}

/// Requests with a mistake, and the start of the detail.
fn mistaken() -> [(&'static str, &'static str, Value, &'static str); 10] {
    [
        (
            "PUT",
            "/api/v1/scenario",
            json!({ "scenario": 5 }),
            "expected a built-in name, TOML text or an object, found integer `5`",
        ),
        (
            "PUT",
            "/api/v1/receiver",
            json!({ "receiver": [1] }),
            "expected a built-in name, TOML text or an object, found sequence",
        ),
        (
            "PUT",
            "/api/v1/zones/x.test",
            json!({ "text": "@ A 192.0.2.1\n@ A nonsense" }),
            "line 2: expected ",
        ),
        (
            "PUT",
            "/api/v1/scenario",
            json!({ "scenario": "title = 'x'\nwhat = 1" }),
            "line 2: expected ",
        ),
        (
            "PUT",
            "/api/v1/scenario",
            json!({ "scenario": { "title": "x", "what": 1 } }),
            "what: expected ",
        ),
        (
            "PUT",
            "/api/v1/scenario",
            json!({ "scenario": { "title": "x", "zone": [{ "origin": "a.test", "text": "" }, { "origin": "b.test", "text": "", "what": 1 }] } }),
            "zone.1.what: expected ",
        ),
        (
            "POST",
            "/api/v1/worlds",
            json!({ "receiver": { "what": 1, "who": 2 } }),
            "what: expected ",
        ),
        ("PUT", "/api/v1/client", json!({ "client": 5 }), "expected "),
        (
            "PUT",
            "/api/v1/client",
            json!({ "client": { "pool": 5 } }),
            "expected an object, found integer `5`",
        ),
        (
            "POST",
            "/api/v1/clock",
            json!({ "advance": 5 }),
            "expected a string, found integer `5`",
        ),
    ]
}

#[tokio::test]
async fn problems_name_parts_of_the_request() {
    let served = Served::start("one-to-one", "lenient").await;
    for (method, path, body, detail) in mistaken() {
        let answer = served.send_json(method, path, &body).await;
        let problem = answer.json();
        assert_eq!(answer.status, 400, "{body}: {problem}");
        let found = problem["detail"].as_str().expect("a detail");
        assert!(
            found.starts_with(detail),
            "{body}: {found:?} is not {detail:?}"
        );
        let text = answer.text();
        for never in [
            "1 mistakes",
            "untagged",
            "enum",
            "struct",
            "invalid type",
            "1 more mistakes",
        ] {
            assert!(!text.contains(never), "{never}: {text}");
        }
        let is_object = body
            .as_object()
            .is_some_and(|fields| fields.values().any(|v| v.is_object()));
        for mistake in problem["mistakes"].as_array().expect("a list") {
            let line = mistake
                .get("line")
                .is_some_and(|line| line.as_u64() > Some(0));
            assert_eq!(
                (line, mistake.get("key").is_some()),
                (!is_object, is_object),
                "{text}"
            );
        }
    }
}
