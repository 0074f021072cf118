//! Mailpit's and MailHog's message APIs: their formats, known mistakes of both, and hostile messages.

use serde_json::{Value, json};

use super::http::Served;

const WITH_PARTS: &[u8] =
    b"From: \"A, a\" <a@example.test>\r\nTo: B <b@contoso.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nplain words\r\n--x\r\n\
Content-Type: text/html\r\n\r\n<p>rich<script>alert(1)</script></p>\r\n--x\r\nContent-Type: application/pdf\r\n\
Content-Disposition: attachment; filename=\"../<img src=x onerror=alert(1)>.pdf\"\r\n\
Content-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--x--\r\n";

async fn served() -> Served {
    let served = Served::start("one-to-one", "lenient").await;
    served.deliver("mail.example.test", WITH_PARTS).await;
    served
        .deliver("mail.example.test", b"Subject: second\r\n\r\nbody\r\n")
        .await;
    served.get("/api/v1/wait?count=2").await;
    served
}

#[track_caller]
fn keys(value: &Value, expected: &str) {
    let keys: Vec<_> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    for key in expected.split(' ') {
        assert!(keys.contains(&key), "no {key} in {keys:?}");
    }
}

#[tokio::test]
async fn mailpit_lists_and_shows() {
    let served = served().await;
    let list = served.get("/api/v1/messages?start=0&limit=10").await.json();
    keys(
        &list,
        "total unread count messages_count messages_unread start tags messages",
    );
    assert_eq!(
        (&list["total"], &list["messages"][0]["Subject"]),
        (&json!(2), &json!("second")),
        "newest first"
    );
    let first = &list["messages"][1];
    keys(
        first,
        "ID MessageID Read From To Cc Bcc ReplyTo Subject Created Username Tags Size Attachments Snippet",
    );
    assert_eq!(
        (&first["Subject"], &first["Attachments"]),
        (&json!("Grüße"), &json!(1))
    );
    assert_eq!(
        (&first["From"]["Name"], &first["To"][0]["Address"]),
        (&json!("A, a"), &json!("b@contoso.test"))
    );
    let created = first["Created"].as_str().expect("text");
    assert!(
        created.ends_with('Z') && created.len() == "2026-11-21T08:00:00.000Z".len(),
        "{created}"
    );

    let message = served.get("/api/v1/message/1").await.json();
    keys(
        &message,
        "ID MessageID Read From To Cc Bcc ReplyTo ReturnPath Subject ListUnsubscribe Date Tags Text HTML Size Inline Attachments",
    );
    assert_eq!(
        (
            message["Text"].as_str().map(str::trim),
            &message["ReturnPath"]
        ),
        (Some("plain words"), &json!("a@example.test"))
    );
    let attachment = &message["Attachments"][0];
    keys(
        attachment,
        "PartID FileName ContentType ContentID Size Checksums",
    );
    assert_eq!(
        (&attachment["ContentType"], &attachment["Size"]),
        (&json!("application/pdf"), &json!(5))
    );
    assert_eq!(
        attachment["Checksums"]["MD5"], "561318f0d57972e7c62fe701849032af",
        "as `printf %PDF- | md5sum` has it"
    );
    assert_eq!(
        served.get("/api/v1/messages").await.json()["unread"],
        1,
        "showing marks it read"
    );
}

#[tokio::test]
async fn mailpit_headers_and_texts_of_the_latest() {
    let served = served().await;
    // Only the fields of the message: the client wrote Subject, the receiver the rest.
    let headers = served.get("/api/v1/message/latest/headers").await.json();
    let names: Vec<_> = headers.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "Return-Path",
            "Delivered-To",
            "Authentication-Results",
            "Received",
            "Subject"
        ]
    );
    assert_eq!(headers["Delivered-To"], json!(["b@contoso.test"]));
    served
        .deliver(
            "mail.example.test",
            b"X-a: 1\r\nSubject: third\r\nx-A: 2\r\n\r\nbody\r\n",
        )
        .await;
    served.get("/api/v1/wait?count=3").await;
    let headers = served.get("/api/v1/message/latest/headers").await.json();
    assert_eq!(headers["X-A"], json!(["1", "2"]));
    let third = b"{\"IDs\": [\"3\"]}";
    let json_type = "Content-Type: application/json\r\n";
    let deleted = served
        .ask("DELETE", "/api/v1/messages", json_type, third)
        .await;
    assert_eq!((deleted.status, deleted.text().as_str()), (200, "ok"));
    assert!(
        served
            .get("/api/v1/message/1/raw")
            .await
            .text()
            .contains("\r\nSubject: =?utf-8?q?")
    );
    assert_eq!(served.get("/api/v1/message/9").await.status, 404);
    assert!(
        served
            .get("/view/latest.txt")
            .await
            .text()
            .starts_with("body")
    );
}

/// Content from outside is a download or a sandboxed page (MailHog's CVE-2022-50908, smtp4dev #1148).
#[tokio::test]
async fn hostile_parts_stay_harmless() {
    let served = served().await;
    let message = served.get("/api/v1/message/1").await.json();
    let name = message["Attachments"][0]["FileName"]
        .as_str()
        .expect("a name");
    assert!(
        !name.contains(['<', '>', '/', '"']) && name.ends_with(".pdf"),
        "{name}"
    );
    let id = message["Attachments"][0]["PartID"]
        .as_str()
        .expect("a number");
    let part = served.get(&format!("/api/v1/message/1/part/{id}")).await;
    assert_eq!(part.body, b"%PDF-");
    for field in [
        "content-disposition: attachment; filename=",
        "content-security-policy: sandbox",
        "x-content-type-options: nosniff",
    ] {
        assert!(part.head.contains(field), "no {field} in {}", part.head);
    }
    let page = served.get("/view/1.html").await;
    assert!(
        page.head
            .contains("content-security-policy: sandbox; default-src 'none'"),
        "{}",
        page.head
    );
}

#[tokio::test]
async fn mailpit_searches() {
    let served = served().await;
    for (query, found) in [
        ("subject%3Asecond", 1),
        ("subject:Gr%C3%BC", 1),
        ("to:b@contoso", 1),
        ("from:a@example.test", 1),
        ("has:attachment", 1),
        ("-has:attachment", 1),
        ("plain", 1),
        ("%22plain+words%22", 1),
        ("is:unread", 2),
        ("nothing", 0),
    ] {
        let list = served
            .get(&format!("/api/v1/search?query={query}"))
            .await
            .json();
        assert_eq!(list["messages_count"], found, "{query}");
    }
    assert_eq!(served.get("/api/v1/search?query=").await.status, 400);
    assert_eq!(
        served
            .ask("DELETE", "/api/v1/search?query=subject:second", "", b"")
            .await
            .text(),
        "ok"
    );
    assert_eq!(served.get("/api/v1/messages").await.json()["total"], 1);
}

/// A request body that cannot be parsed must not delete everything (as it does in Mailpit).
#[tokio::test]
async fn mailpit_deletes_named_messages_in_either_encoding() {
    let served = served().await;
    let total = async || served.get("/api/v1/messages").await.json()["total"].clone();
    let json_type = "Content-Type: application/json\r\n";
    for body in [&b"{\"IDs\": 1}"[..], b"{broken", b"{\"Ids\":[\"1\"]}"] {
        assert_eq!(
            served
                .ask("DELETE", "/api/v1/messages", json_type, body)
                .await
                .status,
            400
        );
    }
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(
        served
            .ask("PUT", "/api/v1/messages", form, b"ids=1&ids=2&Read=true")
            .await
            .text(),
        "ok"
    );
    assert_eq!(served.get("/api/v1/messages").await.json()["unread"], 0);
    assert_eq!(
        served
            .ask("DELETE", "/api/v1/messages", form, b"what=1")
            .await
            .status,
        400
    );
    assert_eq!(total().await, 2);
    assert_eq!(
        served
            .ask("DELETE", "/api/v1/messages", form, b"ids=1")
            .await
            .status,
        200
    );
    assert_eq!(total().await, 1);
    let all = served.ask("DELETE", "/api/v1/messages", "", b"").await;
    assert_eq!(
        (all.status, all.text().as_str()),
        (200, ""),
        "an empty 200 satisfies both families"
    );
    assert_eq!(total().await, 0);
    let kept = served.get("/api/v1/mail").await.json()["mail"]
        .as_array()
        .map(Vec::len);
    assert_eq!(kept, Some(2), "the journal keeps what it saw");
}

#[tokio::test]
async fn mailpit_sends_through_the_receiver() {
    let served = Served::start("one-to-one", "lenient").await;
    let mail = json!({
        "From": { "Name": "Zoë", "Email": "a@example.test" }, "To": [{ "Email": "b@contoso.test" }],
        "Subject": "Sent", "Text": "words", "Attachments": [{ "Content": "JVBERi0=", "Filename": "a.pdf" }], "Tags": ["mine"],
    });
    let sent = served.send_json("POST", "/api/v1/send", &mail).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let id = sent.json()["ID"].as_str().expect("a number").to_owned();
    let message = served.get(&format!("/api/v1/message/{id}")).await.json();
    assert_eq!(
        (&message["Subject"], &message["Tags"][0]),
        (&json!("Sent"), &json!("mine"))
    );
    assert_eq!(message["Attachments"][0]["FileName"], "a.pdf");
    assert_eq!(served.get("/api/v1/tags").await.json(), json!(["mine"]));
    // In Mailpit, CR in an address became a separate header field (CVE-2026-23829).
    for field in ["From", "To"] {
        let mut bad = mail.clone();
        let mailbox = json!({ "Email": "a@example.test\r\nBcc: x@y.test" });
        bad[field] = if field == "To" {
            json!([mailbox])
        } else {
            mailbox
        };
        assert_eq!(
            served.send_json("POST", "/api/v1/send", &bad).await.status,
            400,
            "{field}"
        );
    }
    let mut bad = mail.clone();
    for name in ["X-A: b", "X A", "", "X\u{e9}"] {
        bad["Headers"] = json!({ name: "x" });
        assert_eq!(
            served.send_json("POST", "/api/v1/send", &bad).await.status,
            400,
            "{name:?}"
        );
    }
    // Each of many concurrent requests gets the number of its own message.
    let sending = (0..20).map(|n| {
        let (served, mut own) = (&served, mail.clone());
        own["Subject"] = format!("number {n}").into();
        async move {
            (
                n,
                served.send_json("POST", "/api/v1/send", &own).await.json(),
            )
        }
    });
    for (n, sent) in futures_util::future::join_all(sending).await {
        let id = sent["ID"].as_str().expect("a number");
        let message = served.get(&format!("/api/v1/message/{id}")).await.json();
        assert_eq!(message["Subject"], format!("number {n}"));
    }
    let strict = Served::start("one-to-one", "helo-equals-ptr").await;
    let refused = strict.send_json("POST", "/api/v1/send", &mail).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["Error"]
            .as_str()
            .is_some_and(|e| e.contains("554 5.7.1")),
        "{}",
        refused.text()
    );
}

/// A message that cannot be parsed is stored and served raw.
#[tokio::test]
async fn octets_that_are_not_a_message() {
    let served = Served::start("one-to-one", "lenient").await;
    served
        .deliver("mail.example.test", b"\xff\xfe no header\r\n\0")
        .await;
    served.get("/api/v1/wait").await;
    assert_eq!(served.get("/api/v1/messages").await.json()["total"], 1);
    let raw = served.get("/api/v1/message/latest/raw").await;
    assert!(
        raw.body.windows(4).any(|four| four == b"\xff\xfe n"),
        "{raw:?}"
    );
    for path in [
        "/api/v1/message/latest",
        "/api/v1/message/latest/headers",
        "/api/v2/messages",
        "/view/latest.txt",
    ] {
        assert_eq!(served.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn mailhog_lists_searches_and_deletes() {
    let served = served().await;
    let list = served.get("/api/v2/messages?limit=50").await;
    assert!(
        list.head.contains("content-type: text/json"),
        "{}",
        list.head
    );
    let list = list.json();
    keys(&list, "total count start items");
    let first = &list["items"][1];
    keys(first, "ID From To Content Created MIME Raw");
    assert_eq!(
        (&first["From"]["Mailbox"], &first["To"][0]["Domain"]),
        (&json!("a"), &json!("contoso.test"))
    );
    assert_eq!(
        first["Content"]["Headers"]["Subject"][0],
        "=?utf-8?q?Gr=C3=BC=C3=9Fe?="
    );
    assert_eq!(
        (&first["Raw"]["From"], &first["Raw"]["Helo"]),
        (&json!("a@example.test"), &json!("mail.example.test"))
    );
    let pdf = &first["MIME"]["Parts"][2];
    assert_eq!(pdf["Headers"]["Content-Transfer-Encoding"][0], "base64");
    assert_eq!(pdf["Body"].as_str().map(str::trim), Some("JVBERi0="));
    assert!(
        list["items"][0]["Content"]["Body"]
            .as_str()
            .is_some_and(|body| body.starts_with("body"))
    );
    for (query, found) in [
        ("kind=to&query=B@contoso", 2),
        ("kind=from&query=nobody", 0),
        ("kind=containing&query=WORDS", 1),
    ] {
        assert_eq!(
            served.get(&format!("/api/v2/search?{query}")).await.json()["total"],
            found,
            "{query}"
        );
    }
    assert_eq!(
        served.get("/api/v2/search?kind=what&query=x").await.status,
        400
    );
    assert_eq!(
        served.get("/api/v2/search?kind=to&query=").await.status,
        400
    );
    assert_eq!(served.get("/api/v2/jim").await.status, 404);
    assert_eq!(
        served
            .ask("DELETE", "/api/v1/messages/1", "", b"")
            .await
            .status,
        200
    );
    assert_eq!(served.get("/api/v2/messages").await.json()["total"], 1);
}

/// A base address can have a path: each world has both APIs below its own.
#[tokio::test]
async fn each_world_has_both_apis() {
    let served = served().await;
    served
        .send_json(
            "POST",
            "/api/v1/worlds",
            &json!({ "name": "mine", "receiver": "lenient" }),
        )
        .await;
    let world = served.worlds.find("mine").expect("a world");
    super::http::deliver_to(world.smtp_addr(), "x.test", b"Subject: other\r\n\r\nx\r\n").await;
    world.wait_for_message().await.expect("a message");
    assert_eq!(
        served.get("/worlds/mine/api/v1/messages").await.json()["messages"][0]["Subject"],
        "other"
    );
    assert_eq!(
        served.get("/worlds/mine/api/v2/messages").await.json()["total"],
        1
    );
    assert_eq!(served.get("/api/v1/messages").await.json()["total"], 2);
}
