//! A mailer built on lettre sends to a receiver that requires HELO = PTR, and to one that does not. `cargo run
//! --example lettre`

use std::error::Error;
use std::net::SocketAddr;

use lettre::transport::smtp::extension::ClientId;
use lettre::{Message, SmtpTransport, Transport};
use martinet::World;

/// The software under test.
fn send(receiver: SocketAddr, helo: &str) -> Result<(), lettre::transport::smtp::Error> {
    let message = Message::builder()
        .from("Sender <a@example.test>".parse().expect("a mailbox"))
        .to("b@contoso.test".parse().expect("a mailbox"))
        .subject("Hello")
        .body("It works.\n".to_owned())
        .expect("a message");
    let mailer = SmtpTransport::builder_dangerous(receiver.ip().to_string())
        .port(receiver.port())
        .hello_name(ClientId::Domain(helo.to_owned()))
        .build();
    mailer.send(&message).map(drop)
}

/// Plays the example.
pub fn main() -> Result<(), Box<dyn Error>> {
    let world = World::blocking()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()?;

    let refused =
        send(world.smtp_addr(), "localhost").expect_err("the EHLO name is not the PTR name");
    assert!(refused.is_permanent(), "{refused}");
    let session = world.wait_for_session()?;
    session
        .assert_rejected()
        .by_rule("helo-ptr-match")
        .with_code(554)
        .saying("localhost");
    print!("{session:?}");

    send(world.smtp_addr(), "mail.example.test")?;
    let message = world.wait_for_message()?;
    assert_eq!(message.envelope.recipients, ["b@contoso.test"]);
    print!("{}", String::from_utf8_lossy(&message.raw()));
    Ok(())
}
