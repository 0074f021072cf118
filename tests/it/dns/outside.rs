//! martinet as the only nameserver of a host: names outside the scenario.

use super::*;

#[track_caller]
fn check(found: &Message, expected: &str) {
    assert_eq!(summary(found), expected);
}

#[tokio::test]
async fn refused_nxdomain_and_servfail() {
    for (setting, expected) in [
        ("", "Refused"),
        ("[dns]\noutside = \"refused\"", "Refused"),
        ("[dns]\noutside = \"nxdomain\"", "NXDomain"),
        ("[dns]\noutside = \"servfail\"", "ServFail"),
    ] {
        let world = world(&zone(setting)).await;
        for transport in [Transport::Udp, Transport::Tcp] {
            check(
                &ask(world.dns_addr(), "www.elsewhere.test", transport)
                    .await
                    .expect("an answer"),
                expected,
            );
            check(
                &ask(world.dns_addr(), "mail.example.test", transport)
                    .await
                    .expect("an answer"),
                "NoError 192.0.2.10",
            );
        }
    }
}

#[tokio::test]
async fn recursion_available_is_a_setting() {
    for (setting, expected) in [("", false), ("[dns]\nrecursion_available = true", true)] {
        let world = world(&zone(setting)).await;
        let message = ask(world.dns_addr(), "mail.example.test", Transport::Udp)
            .await
            .expect("an answer");
        assert_eq!(message.metadata.recursion_available, expected);
    }
}

#[tokio::test]
async fn dropped() {
    let world = world(&zone("[dns]\noutside = \"drop\"")).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(world.dns_addr()).await.expect("connected");
    socket
        .send(&query(1, "www.elsewhere.test", RecordType::A))
        .await
        .expect("sent");
    socket
        .send(&query(2, "mail.example.test", RecordType::A))
        .await
        .expect("sent");
    let mut reply = [0; 512];
    tokio::time::timeout(TIMEOUT, socket.recv(&mut reply))
        .await
        .expect("an answer")
        .expect("received");
    assert_eq!(reply[..2], [0, 2], "only the second is answered");
    let rcodes: Vec<_> = world
        .dns_queries()
        .entries()
        .iter()
        .map(|q| q.rcode())
        .collect();
    assert_eq!(rcodes, ["none", "NOERROR"]);
}

/// Only `forward` asks the named server: its answers are passed on, also at the end of a CNAME.
#[tokio::test]
async fn forwarded() {
    let addresses: String = (1..=60)
        .map(|n| format!("large A 198.51.100.{n}\n"))
        .collect();
    let upstream = world(&format!(
        "title = \"t\"\n[[zone]]\norigin = \"elsewhere.test\"\ntext = '''\nwww A 198.51.100.7\n{addresses}'''"
    ))
    .await;
    let setting = format!(
        "[dns]\noutside = \"forward\"\nupstream = \"{}\"",
        upstream.dns_addr()
    );
    let world = world(&zone(&setting)).await;
    for transport in [Transport::Udp, Transport::Tcp] {
        let answer = async |name| {
            ask(world.dns_addr(), name, transport)
                .await
                .expect("an answer")
        };
        check(&answer("www.elsewhere.test").await, "NoError 198.51.100.7");
        check(&answer("nobody.elsewhere.test").await, "NXDomain");
        check(
            &answer("lost.example.test").await,
            "NoError www.elsewhere.test. 198.51.100.7",
        );
        check(&answer("www.unknown.test").await, "Refused");
        let large = answer("large.elsewhere.test").await;
        let expected = if transport == Transport::Udp {
            (0, true)
        } else {
            (60, false)
        };
        assert_eq!(
            (large.answers.len(), large.metadata.truncation),
            expected,
            "cut to what the client takes"
        );
        check(&answer("mail.example.test").await, "NoError 192.0.2.10");
    }
    assert_eq!(world.dns_counts().forwarded, 10);
    let queries = upstream.dns_queries().entries();
    assert!(
        queries.iter().all(|q| !q.name().ends_with("example.test.")),
        "only names outside are asked for"
    );
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_servfail() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let world = world(&zone(&format!(
        "[dns]\noutside = \"forward\"\nupstream = \"{nobody}\""
    )))
    .await;
    check(
        &ask(world.dns_addr(), "www.elsewhere.test", Transport::Udp)
            .await
            .expect("an answer"),
        "ServFail",
    );
}

/// The names that a container looks up about its host are an ordinary zone.
#[tokio::test]
async fn names_of_hosts_by_scenario() {
    let more = "[dns]\noutside = \"nxdomain\"\n[[zone]]\norigin = \"docker.internal\"\ntext = \"host A 172.17.0.1\"";
    let world = world(&zone(more)).await;
    check(
        &ask(world.dns_addr(), "host.docker.internal", Transport::Udp)
            .await
            .expect("an answer"),
        "NoError 172.17.0.1",
    );
    check(
        &ask(world.dns_addr(), "internal", Transport::Udp)
            .await
            .expect("an answer"),
        "NoError",
    );
    check(
        &ask(world.dns_addr(), "other.internal", Transport::Udp)
            .await
            .expect("an answer"),
        "NXDomain",
    );
}
