//! `/api/v1/faults`.

use super::*;

struct Api {
    world: World,
    address: SocketAddr,
    shutdown: tokio_util::sync::CancellationToken,
}

impl Api {
    async fn start() -> Self {
        let world = world(&zone("")).await;
        let listener = martinet::harness::bind_tcp("HTTP", ([127, 0, 0, 1], 0).into())
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = tokio_util::sync::CancellationToken::new();
        let router = martinet::http::faults::router(world.snapshot().clone());
        let ended = shutdown.clone().cancelled_owned();
        tokio::spawn(async move { axum_serve(listener, router, ended).await });
        Self {
            world,
            address,
            shutdown,
        }
    }

    async fn call(&self, method: &str, body: &str) -> (u16, serde_json::Value) {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let length = body.len();
        let request = format!(
            "{method} /api/v1/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let status = answer[9..12].parse().expect("a status");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    async fn rcode(&self) -> String {
        said(
            &ask(self.world.dns_addr(), "mail.example.test", Transport::Udp)
                .await
                .expect("an answer"),
        )
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn axum_serve(
    listener: tokio::net::TcpListener,
    router: axum::Router,
    ended: impl Future<Output = ()> + Send + 'static,
) {
    axum::serve(listener, router)
        .with_graceful_shutdown(ended)
        .await
        .expect("served");
}

#[tokio::test]
async fn faults_are_listed_replaced_added_and_removed() {
    let api = Api::start().await;
    assert_eq!(
        api.call("GET", "").await,
        (200, serde_json::json!({ "faults": [] }))
    );
    let first = r#"{"name":"mail.example.test","type":"A","do":"servfail","times":1,"every":2}"#;
    assert_eq!(api.call("POST", first).await.0, 201);
    assert_eq!(
        (api.rcode().await, api.rcode().await),
        ("ServFail".to_owned(), "NoError 192.0.2.10".to_owned())
    );
    let (status, body) = api
        .call(
            "POST",
            r#"{"name":"*.","do":"wrong-answer","address":"203.0.113.1"}"#,
        )
        .await;
    assert_eq!(status, 201);
    let expected = serde_json::json!({ "faults": [
        { "name": "mail.example.test.", "type": "A", "do": "servfail", "times": 1, "every": 2, "seen": 2, "fired": 1 },
        { "name": "*.", "do": "wrong-answer", "address": "203.0.113.1", "seen": 1, "fired": 1 },
    ] });
    assert_eq!(
        (api.rcode().await, api.rcode().await),
        ("ServFail".to_owned(), "NoError 203.0.113.1".to_owned())
    );
    assert_eq!(body["faults"].as_array().map(Vec::len), Some(2));
    let listed = api.call("GET", "").await.1;
    assert_eq!(listed["faults"][1], expected["faults"][1]);
    assert_eq!(
        (&listed["faults"][0]["seen"], &listed["faults"][0]["fired"]),
        (&4.into(), &2.into())
    );
    let (status, _) = api
        .call(
            "PUT",
            r#"[{"name":"*.","do":"delay","delay":"5ms","jitter":"1ms"}]"#,
        )
        .await;
    assert_eq!(
        (status, api.rcode().await.as_str()),
        (200, "NoError 192.0.2.10")
    );
    assert_eq!(api.world.faults().len(), 1);
    assert_eq!(api.call("DELETE", "").await.0, 204);
    assert!(api.world.faults().is_empty());
}

#[tokio::test]
async fn mistakes_change_nothing_and_are_all_told() {
    let api = Api::start().await;
    api.call("POST", r#"{"name":"*.","do":"servfail"}"#).await;
    for (method, body, parts) in [
        ("POST", "", &["a fault as JSON"][..]),
        ("POST", "[]", &["a fault as JSON"]),
        ("PUT", "{}", &["a list of faults as JSON"]),
        ("POST", r#"{"name":"a.test"}"#, &["missing field `do`"]),
        (
            "POST",
            r#"{"name":"a.test","do":"servfail","tiems":1}"#,
            &["unknown field `tiems`"],
        ),
        (
            "POST",
            r#"{"name":"a.test","do":"servfail","times":-1}"#,
            &["invalid value"],
        ),
        (
            "POST",
            r#"{"name":"a..test","do":"explode"}"#,
            &[r#""key":"do""#, "one of nxdomain", r#""key":"name""#],
        ),
        (
            "POST",
            r#"{"name":"a.test","do":"delay","delay":"soon"}"#,
            &[r#""key":"delay""#, "500ms, 5s or 2m"],
        ),
        (
            "PUT",
            r#"[{"name":"a.test","do":"drop"},{"name":"b.test","do":"ttl"}]"#,
            &[r#""key":"1.ttl""#],
        ),
    ] {
        let (status, answer) = api.call(method, body).await;
        let text = answer.to_string();
        assert_eq!(status, 400, "{body}");
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "{body}: {text}"
        );
    }
    assert_eq!(api.world.faults().len(), 1);
    assert_eq!(api.call("PATCH", "").await.0, 405);
}
