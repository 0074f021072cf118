//! What problems say: about what was sent, in words of whoever sent it.

use serde_json::json;

use super::http::Served;

#[tokio::test]
async fn problems_speak_of_what_was_sent() {
    let served = Served::start("one-to-one", "lenient").await;
    for (method, path, body, detail) in [
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
    ] {
        let answer = served.send_json(method, path, &body).await;
        let problem = answer.json();
        assert_eq!(answer.status, 400, "{body}: {problem}");
        let said = problem["detail"].as_str().expect("a detail");
        assert!(
            said.starts_with(detail),
            "{body}: {said:?} is not {detail:?}"
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
