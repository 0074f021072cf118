//! `sessions/{id}/picture`: why a session was refused, drawn over HTTP; and the pictures that failing tests write.

use martinet::World;
use martinet::expect::{Expectation, Sessions};

use super::http::Served;

#[tokio::test]
async fn a_refusal_is_drawn_with_its_timeline() {
    let served = Served::start("office365", "helo-equals-ptr").await;
    served
        .deliver("na01-bn1-obe.outbound.protection.outlook.com", b"")
        .await;
    let waited = served.get("/api/v1/wait?verdict=reject").await;
    assert_eq!(waited.status, 200, "{}", waited.text());

    let page = served.get("/api/v1/sessions/1/picture").await;
    assert_eq!(page.status, 200);
    let fields = page.head.to_ascii_lowercase();
    assert!(
        fields.contains("content-security-policy: default-src 'none'; style-src 'sha256-"),
        "{fields}"
    );
    let text = page.text();
    for part in [
        "helo-equals-ptr rejected 207.46.163.149 at EHLO:",
        "equals a PTR name? no",
        "broken (rule helo-ptr-match)",
        "receiver asks: 149.163.46.207.in-addr.arpa",
        "✕ 554 5.7.1",
        "What would fix it",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(
        text.contains("<details><summary>✓ helo-equals-ptr accepted the mail of 207.46.163.149."),
        "a remedy has no picture of what it makes: {text}"
    );
    let svg = served.get("/api/v1/sessions/1/picture.svg").await;
    assert!(svg.text().starts_with("<svg "), "{}", svg.text());
    assert!(svg.head.contains("image/svg+xml"), "{}", svg.head);
    assert_eq!(served.get("/api/v1/sessions/9/picture").await.status, 404);
}

#[tokio::test]
async fn hostile_input_is_escaped() {
    let served = Served::start("one-to-one", "helo-strict").await;
    served.deliver("<script>alert(1)</script>", b"").await;
    served.get("/api/v1/wait?verdict=reject").await;
    let page = served.get("/api/v1/sessions/1/picture").await.text();
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}

#[tokio::test]
async fn a_remedy_is_drawn_as_the_receiver_would_judge_after_it() {
    let served = Served::start("office365", "helo-equals-ptr").await;
    let helo = "na01-bn1-obe.outbound.protection.outlook.com";
    served.deliver(helo, b"").await;
    served.get("/api/v1/wait?verdict=reject").await;
    let remedy = async |number: &str| {
        let path = format!("/api/v1/sessions/1/remedies/{number}/picture");
        served.get(&path).await
    };
    let tried = remedy("1").await;
    assert_eq!(tried.status, 200, "{}", tried.text());
    let text = tried.text();
    let accepted = "helo-equals-ptr accepted the mail of 207.46.163.149.";
    assert!(text.contains(accepted), "{text}");
    assert!(!text.contains("edge broken"), "{text}");
    for (number, status) in [("0", 404), ("9", 404), ("x", 404), ("3", 409)] {
        let answer = remedy(number).await;
        assert_eq!(answer.status, status, "{number}: {}", answer.text());
    }
    // Another receiver is active: the remedies of the session are still those of its own receiver, and none is drawn.
    let other = serde_json::json!({ "receiver": "lenient" });
    served.send_json("PUT", "/api/v1/receiver", &other).await;
    let page = served.get("/api/v1/sessions/1/picture").await.text();
    assert!(page.contains("What would fix it"), "{page}");
    assert!(!page.contains(accepted), "{page}");
}

/// The environment variable that makes the test below fail; its value selects the way.
const FAILS: &str = "MARTINET_TEST_FAILS";

/// Passes, unless another test runs it with the variable to see it fail.
#[tokio::test]
async fn fails_on_request() {
    let Ok(how) = std::env::var(FAILS) else {
        return;
    };
    let builder = World::builder().scenario("office365");
    let world = builder.receiver("helo-equals-ptr").start().await;
    let world = world.expect("a world");
    if how == "expectation" {
        world.expect(Expectation::of(Sessions::accepted()));
    }
    let helo = "na01-bn1-obe.outbound.protection.outlook.com";
    super::http::deliver_to(world.smtp_addr(), helo, b"").await;
    let session = world.wait_for_session().await.expect("a session");
    match how.as_str() {
        "verdict" => _ = session.assert_accepted(),
        "code" => _ = session.assert_rejected().with_code(550),
        "attempt" => world.assert_no_attempt_from([207, 46, 163, 149]),
        _ => drop(world),
    }
}

#[test]
fn a_failing_test_says_where_the_picture_is() {
    let folder = std::env::temp_dir().join(format!("martinet-pictures-{}", std::process::id()));
    let test = "pictures::fails_on_request";
    let run = |how: &str, pictures: &std::path::Path| {
        let program = std::env::current_exe().expect("this program");
        let mut command = std::process::Command::new(program);
        let command = command.args(["--exact", test, "--nocapture"]);
        let command = command.env(FAILS, how).env("MARTINET_PICTURES", pictures);
        let output = command.output().expect("it runs");
        assert!(!output.status.success(), "{how}: it passes");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let path = folder.join("it-pictures-fails_on_request-session-1.svg");
    for how in ["verdict", "code", "attempt", "expectation"] {
        let output = run(how, &folder);
        let line = format!("  picture  {}\n", path.display());
        assert!(output.contains(&line), "{how}: {output}");
        let svg = std::fs::read_to_string(&path).expect("the picture");
        assert!(
            svg.starts_with("<svg ") && svg.contains("helo-ptr-match"),
            "{svg}"
        );
        std::fs::remove_file(&path).expect("it is removed");
    }
    std::fs::remove_dir(&folder).expect("nothing else is in it");
    let output = run("verdict", std::path::Path::new(""));
    assert!(!output.contains("  picture  "), "{output}");
}
