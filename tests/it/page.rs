//! The page at `/`: static files under a strict policy. Its views are tested in a browser (`tests/page`).

use super::http::Served;

#[tokio::test]
async fn the_page_is_served_under_a_strict_policy() {
    let served = Served::start("office365", "helo-equals-ptr").await;
    let page = served.get("/").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let fields = page.head.to_ascii_lowercase();
    assert!(fields.contains("content-type: text/html"), "{fields}");
    assert!(
        fields.contains("content-security-policy: default-src 'none'; script-src 'self';"),
        "{fields}"
    );
    assert!(!fields.contains("unsafe"), "{fields}");

    for file in [
        "page/app.js",
        "page/style.css",
        "page/icon.svg",
        "page/sessions.js",
    ] {
        let answer = served.get(&format!("/{file}")).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(!answer.text().is_empty(), "{file}");
    }
    for file in ["/page/none.js", "/page/../Cargo.toml", "/page/"] {
        assert_eq!(served.get(file).await.status, 404, "{file}");
    }
}

#[tokio::test]
async fn events_of_several_kinds_are_chosen_by_commas() {
    let served = Served::start("office365", "helo-equals-ptr").await;
    served.deliver("mail.example.test", b"").await;
    served.get("/api/v1/wait?verdict=reject").await;
    let kinds = |text: String| {
        let page: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let events = page["events"].as_array().cloned().unwrap_or_default();
        let mut kinds: Vec<_> = events
            .iter()
            .filter_map(|event| event["event"].as_str().map(str::to_owned))
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    let found = served
        .get("/api/v1/events?event=verdict,connection")
        .await
        .text();
    assert_eq!(kinds(found), ["connection", "verdict"]);
    let wrong = served.get("/api/v1/events?event=verdict,conection").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("connection"), "{}", wrong.text());
}
