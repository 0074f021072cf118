//! A retry queue and greylisting: the test advances both clocks by five minutes without waiting. `cargo run --example
//! retry_queue`

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use martinet::World;
use martinet::expect::{Expectation, Sessions};
use martinet::scenario::parse_receiver;
use martinet::smtp::client::{Delivery, deliver};

/// The software under test: retries after a 4yz reply, and doubles the delay each time.
struct Queue {
    waiting: VecDeque<(Duration, Delivery)>,
    /// The queue's own clock, which the test advances.
    now: Duration,
}

impl Queue {
    async fn run(&mut self, world: &World) -> Result<u32, Box<dyn Error>> {
        let mut tries = 0;
        let mut pause = Duration::from_secs(60);
        while let Some((due, delivery)) = self.waiting.pop_front() {
            world.advance(due.saturating_sub(self.now))?;
            self.now = due;
            tries += 1;
            let dialogue = deliver(world.smtp_addr(), &delivery).await?;
            match dialogue.refused {
                Some((_, reply)) if reply.code().class() == 4 => {
                    self.waiting.push_back((self.now + pause, delivery));
                    pause *= 2;
                }
                Some((stage, reply)) => {
                    return Err(format!("given up at {stage}: {}", reply.wire_line(0)).into());
                }
                None => {}
            }
        }
        Ok(tries)
    }
}

/// Delivers one message through the queue.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let receiver = parse_receiver(
        "greylist",
        "title = \"Greylists\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"",
    )?;
    let world = World::builder()
        .scenario("one-to-one")
        .with_receiver(receiver)
        .start()
        .await?;
    world.expect(Expectation::of(Sessions::deferred().by_rule("greylist")).at_least(1));
    world.expect(
        Expectation::of(Sessions::accepted())
            .times(1)
            .named("delivered once"),
    );

    let delivery = Delivery {
        helo: "mail.example.test".into(),
        from: "a@example.test".into(),
        to: vec!["b@contoso.test".into()],
        message: b"Subject: Hello\r\n\r\nIt works.\r\n".to_vec(),
        ..Delivery::default()
    };
    let mut queue = Queue {
        waiting: VecDeque::from([(Duration::ZERO, delivery)]),
        now: Duration::ZERO,
    };
    let tries = queue.run(&world).await?;
    println!(
        "delivered after {tries} tries in {:?} of the receiver's time",
        world.now()
    );
    assert_eq!(tries, 4, "after 0, 1, 3 and 7 minutes");
    world.assert_retry_spacing(&Sessions::any(), Duration::from_secs(60));
    let message = world.wait_for_message().await?;
    print!("{}", String::from_utf8_lossy(&message.raw()));
    Ok(())
}
