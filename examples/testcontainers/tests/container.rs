//! A container for each test, by a fixture of rstest. `MARTINET_IMAGE` is the name of the image; `DOCKER_HOST` the engine.

use std::net::{Ipv4Addr, TcpListener};

use martinet_testcontainers::{HTTP_PORT, Martinet, SMTP_PORT};
use rstest::{fixture, rstest};
use testcontainers::core::IntoContainerPort as _;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ImageExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A running container, and the ports of this machine that are forwarded to it.
struct Running {
    _container: ContainerAsync<Martinet>,
    smtp: u16,
    http: u16,
}

/// The strictest receiver. The scenario has no PTR record for its client.
///
/// The published ports are chosen here because podman 4 does not return the address that `get_host_port_ipv4` looks for. With Docker, that
/// function is enough.
#[fixture]
async fn running() -> Running {
    let image = std::env::var("MARTINET_IMAGE").unwrap_or_else(|_| "martinet".to_owned());
    let (smtp, http) = (free_port(), free_port());
    let container = Martinet::default()
        .image(&image)
        .scenario("no-ptr")
        .receiver("fcrdns")
        .with_mapped_port(smtp, SMTP_PORT.tcp())
        .with_mapped_port(http, HTTP_PORT.tcp())
        .start()
        .await;
    let _container = container.expect("the container starts");
    Running {
        _container,
        smtp,
        http,
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Sends a text to a port of this machine, and reads the whole response.
async fn ask(port: u16, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[rstest]
#[case::without_a_ptr_record("mail.example.test", "550 5.7.25", "iprev")]
#[case::with_another_name("wrong.test", "550 5.7.25", "iprev")]
#[tokio::test]
async fn the_client_is_refused(
    #[future(awt)] running: Running,
    #[case] helo: &str,
    #[case] reply: &str,
    #[case] rule: &str,
) -> std::io::Result<()> {
    let commands = format!("EHLO {helo}\r\nMAIL FROM:<a@example.test>\r\nQUIT\r\n"); // the software under test
    let dialogue = ask(running.smtp, &commands).await?;
    assert!(dialogue.contains(reply), "{dialogue}");
    let path = format!("/api/v1/wait?rule={rule}&helo={helo}");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let waited = ask(running.http, &request).await?;
    assert!(waited.starts_with("HTTP/1.1 200 "), "{waited}");
    Ok(())
}
