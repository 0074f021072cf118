//! `scenarios`, `receivers` and `lint` over HTTP: the built-in files, and the mistakes of a file.

use serde_json::{Value, json};

use super::http::Served;

#[tokio::test]
async fn built_in_files_are_listed_and_returned_as_they_are() {
    let served = Served::start("one-to-one", "lenient").await;
    for (what, name, group) in [
        ("scenarios", "office365", ""),
        ("receivers", "gmx", "operator"),
    ] {
        let list: Value = served.get(&format!("/api/v1/{what}")).await.json();
        let all = list[what].as_array().expect("a list");
        let listed = all
            .iter()
            .find(|each| each["name"] == name)
            .expect("it is listed");
        assert_eq!(listed["group"], group);

        let one: Value = served.get(&format!("/api/v1/{what}/{name}")).await.json();
        assert_eq!(one["title"], listed["title"]);
        let folder = if what == "receivers" {
            "receivers/"
        } else {
            ""
        };
        let path = format!(
            "{}/scenarios/{folder}{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let file = std::fs::read_to_string(path).expect("the file");
        assert_eq!(one["text"], file);

        let unknown = served.get(&format!("/api/v1/{what}/nothing")).await;
        assert_eq!(unknown.status, 404);
        assert!(unknown.text().contains("nothing"), "{}", unknown.text());
    }
}

#[tokio::test]
async fn the_linter_reports_every_mistake_and_every_warning_with_its_line() {
    let served = Served::start("one-to-one", "lenient").await;
    let lint = async |text: &str| {
        let answer = served
            .send_json("POST", "/api/v1/lint", &json!({ "text": text }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let clean = lint("title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n").await;
    assert_eq!(clean["mistakes"], json!([]), "{clean}");

    let wrong = lint("title = \"t\"\nnonsense = 1\n\n[[domain]]\nname = \"a..b\"\n").await;
    let lines: Vec<_> = wrong["mistakes"]
        .as_array()
        .expect("mistakes")
        .iter()
        .map(|mistake| mistake["line"].as_u64())
        .collect();
    assert_eq!(lines, [Some(2), Some(5)], "{wrong}");

    let broken = lint("title = ").await;
    assert_eq!(broken["mistakes"][0]["expected"], "TOML", "{broken}");
    let no_text = served.send_json("POST", "/api/v1/lint", &json!({})).await;
    assert_eq!(no_text.status, 400, "{}", no_text.text());
}
