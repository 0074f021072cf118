//! Waits and expectations over HTTP.

use super::*;

#[tokio::test]
async fn a_wait_holds_until_matched_and_has_evidence_either_way() {
    let served = Served::start("one-to-one", "helo-equals-ptr").await;
    let (answer, ()) = tokio::join!(
        served.get("/api/v1/wait?rule=helo-ptr-match&count=2&timeout_ms=20000"),
        async {
            served.deliver("wrong.test", MESSAGE).await;
            served.deliver("wrong.test", MESSAGE).await;
        }
    );
    assert_eq!((answer.status, &answer.json()["found"]), (200, &json!(2)));
    assert_eq!(
        answer.json()["sessions"][0]["transcript"][1]["from"],
        "client"
    );
    let answer = served
        .get("/api/v1/wait?rule=iprev&helo=wrong.test&timeout_ms=1")
        .await;
    let missed = answer.json();
    assert_eq!((answer.status, &missed["matched"]), (417, &json!(false)));
    assert_eq!(
        missed["near_misses"][0]["mismatches"][0]["found"],
        "helo-ptr-match"
    );
    assert_eq!(missed["seen"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        served.get("/api/v1/wait?after=2&timeout_ms=1").await.status,
        417,
        "the cursor leaves out what was seen"
    );
}

#[tokio::test]
async fn expectations_are_declared_and_verified() {
    let served = Served::start("one-to-one", "helo-equals-ptr").await;
    let declared = json!({ "name": "refused", "sessions": { "rule": "helo-ptr-match" }, "times": { "least": 1, "most": 1 } });
    let answer = served
        .send_json("POST", "/api/v1/expectations", &declared)
        .await;
    assert_eq!((answer.status, &answer.json()["count"]), (201, &json!(0)));
    served
        .send_json(
            "POST",
            "/api/v1/expectations",
            &json!({ "queries": { "type": "TXT" }, "times": { "most": 0 } }),
        )
        .await;
    served.deliver("mail.example.test", MESSAGE).await;
    let unmet = served.get("/api/v1/expectations/verify").await;
    assert_eq!(unmet.status, 417);
    let report = unmet.json()["report"]
        .as_str()
        .expect("a report")
        .to_owned();
    assert!(
        report.contains(
            "not met: expected refused: sessions with rule helo-ptr-match, once; found 0"
        ),
        "{report}"
    );
    assert!(report.contains("near miss: session 1"), "{report}");
    served.deliver("wrong.test", MESSAGE).await;
    assert_eq!(served.get("/api/v1/expectations/verify").await.status, 200);
    assert_eq!(
        served.get("/api/v1/expectations/1").await.json()["met"],
        true
    );
    assert_eq!(
        served
            .ask("DELETE", "/api/v1/expectations/1", "", b"")
            .await
            .status,
        204
    );
    assert_eq!(
        served
            .ask("DELETE", "/api/v1/expectations/1", "", b"")
            .await
            .status,
        404
    );
    let both = json!({ "queries": {}, "sessions": {} });
    assert_eq!(
        served
            .send_json("POST", "/api/v1/expectations", &both)
            .await
            .json()["found"],
        "sessions and queries"
    );
}
