//! A session written by hand over a socket. `cargo run --example raw_socket`

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use martinet::World;
use martinet::stage::Stage;

/// Plays the example.
pub fn main() -> Result<(), Box<dyn Error>> {
    let world = World::blocking()
        .scenario("no-ptr")
        .receiver("postfix-strict")
        .start()?;
    let mut stream = BufReader::new(TcpStream::connect(world.smtp_addr())?);
    // Postfix refuses a client at RCPT (`smtpd_delay_reject`).
    for command in [
        "",
        "EHLO mail.example.test",
        "MAIL FROM:<a@example.test>",
        "RCPT TO:<b@contoso.test>",
        "QUIT",
    ] {
        if !command.is_empty() {
            println!("C: {command}");
            stream
                .get_mut()
                .write_all(format!("{command}\r\n").as_bytes())?;
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            print!("S: {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
    let session = world.wait_for_session()?;
    session
        .assert_that()
        .at_stage(Stage::Rcpt)
        .saying("mail.example.test")
        .to(&["b@contoso.test"]);
    for remedy in session.refusals()[0].remedies.iter() {
        println!("remedy: {remedy}");
    }
    Ok(())
}
