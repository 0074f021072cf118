//! Makes a world for each case with a fixture of rstest. As a program it plays one case: `cargo run --example rstest`

use std::error::Error;

use martinet::World;
use martinet::harness::blocking;
use martinet::smtp::client::{Delivery, deliver};
use rstest::{fixture, rstest};

/// One server, one name, the strictest receiver.
#[fixture]
fn world() -> blocking::World {
    let builder = World::blocking().scenario("one-to-one");
    let started = builder.receiver("helo-equals-ptr").start();
    started.expect("the world starts")
}

#[rstest]
#[case::its_own_name("mail.example.test", None)]
#[case::another_name("wrong.test", Some("helo-ptr-match"))]
fn the_helo_name_decides(
    world: blocking::World,
    #[case] helo: &str,
    #[case] rule: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    play(&world, helo, rule)
}

fn play(world: &blocking::World, helo: &str, rule: Option<&str>) -> Result<(), Box<dyn Error>> {
    send_mail(world, helo)?;
    let session = world.wait_for_session()?;
    match rule {
        None => session.assert_accepted(),
        Some(rule) => session.assert_rejected().by_rule(rule),
    };
    Ok(())
}

/// Replace this with the software under test. Here it is martinet's own SMTP client.
fn send_mail(world: &World, helo: &str) -> Result<(), Box<dyn Error>> {
    let delivery = Delivery {
        helo: helo.to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        ..Delivery::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(deliver(world.smtp_addr(), &delivery))?;
    Ok(())
}

/// Plays the example.
pub fn main() -> Result<(), Box<dyn Error>> {
    let world = World::blocking().scenario("one-to-one");
    play(
        &world.receiver("helo-equals-ptr").start()?,
        "wrong.test",
        Some("helo-ptr-match"),
    )
}
