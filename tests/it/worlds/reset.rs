//! The effect of a reset.

use super::*;

/// The whole state that requests can change.
async fn state(served: &Served) -> Vec<Value> {
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
}

/// The numbers of sessions, messages, DNS queries and expectations.
async fn counts(served: &Served) -> Vec<Option<usize>> {
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
}

/// Changes everything that a request can change.
async fn change(served: &Served) {
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
        answer(served, method, &format!("/api/v1/{path}"), body).await;
    }
}

/// A reset restores everything that can be changed; a reset of the journal leaves all of it.
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
    let start = state(&served).await;
    change(&served).await;
    served.deliver("mail.example.test", MESSAGE).await;
    let changed = state(&served).await;
    assert_eq!(counts(&served).await[0], Some(1));
    let path = "/api/v1/reset?only=journal";
    assert_eq!(served.ask("POST", path, "", b"").await.status, 204);
    assert_eq!(counts(&served).await, [Some(0); 4]);
    let mut after = state(&served).await;
    // Only sessions change this.
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
    assert_eq!(
        (state(&served).await, counts(&served).await),
        (start, vec![Some(0); 4])
    );
    assert!(served.worlds.main().now() < std::time::Duration::from_secs(3600));
    let events = served.get("/api/v1/events").await.json();
    assert_eq!(events["events"][0]["detail"], "everything");
    // The pool starts with its first address, and the receiver's memory is empty.
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

/// A session that runs during a reset belongs to the time before: it ends as it would have, and afterwards there is no
/// message, event, session, fault count or memory of it.
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

        let mut straddling = TestClient::with(world).await;
        assert!(straddling.read_reply().await.starts_with("220"));
        straddling.ask("EHLO x.test").await;
        assert_eq!(served.ask("POST", path, "", b"").await.status, 204);
        let everything = path == "/api/v1/reset";
        let never = json!({ "name": "never", "sessions": { "sender": "late@example.test" }, "times": { "most": 0 } });
        answer(&served, "POST", "/api/v1/expectations", never).await;
        straddling.message().await;
        assert_eq!(world.faults()[0].fired(), u64::from(!everything), "{path}");
        if everything {
            let mut new = TestClient::with(world).await;
            assert!(new.read_reply().await.starts_with("220"));
            new.ask("EHLO x.test").await;
            let reply = new.ask("MAIL FROM:<a@example.test>").await;
            assert!(reply.starts_with("450"), "the fault is its own: {reply}");
            straddling.quit().await;
            let reply = TestClient::with(world).await.read_reply().await;
            assert!(reply.starts_with("421"), "one is open still: {reply}");
            new.quit().await;
        } else {
            straddling.quit().await;
            deliver_to(world.smtp_addr(), "x.test", MESSAGE).await;
        }
        let last = world.sessions().last();
        let closed =
            world.wait_until(|session| session.id() == last && session.closed_by().is_some());
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
