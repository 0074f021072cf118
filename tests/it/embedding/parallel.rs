//! Many worlds in one process.

use super::*;

/// Two hundred tests at once, each with its own world: none sees another's sessions.
#[test]
fn two_hundred_tests_in_parallel() {
    let tests: Vec<_> = (0..200_u8)
        .map(|n| {
            std::thread::Builder::new()
                .stack_size(512 << 10)
                .spawn(move || {
                    let world = World::blocking()
                        .scenario("one-to-one")
                        .receiver("helo-equals-ptr")
                        .start()
                        .expect("a world");
                    world
                        .set_client(ClientSource::Fixed([198, 51, 100, n].into()))
                        .expect("a client");
                    let helo = format!("host{n}.test");
                    send_blocking(&world, &helo);
                    world
                        .wait_for_session()
                        .expect("a session")
                        .assert_deferred_or_rejected(&helo, n);
                    assert_eq!(
                        world.sessions().counts().kept,
                        1,
                        "no session of another test"
                    );
                })
        })
        .collect();
    for test in tests {
        test.expect("a thread").join().expect("the test passes");
    }
}

trait Own {
    fn assert_deferred_or_rejected(&self, helo: &str, n: u8);
}

impl Own for martinet::expect::Session {
    fn assert_deferred_or_rejected(&self, helo: &str, n: u8) {
        self.assert_rejected()
            .saying(helo)
            .from_client([198, 51, 100, n]);
    }
}

/// A thousand worlds in one process, each on its own ports.
#[tokio::test]
async fn a_thousand_worlds() {
    let began = Instant::now();
    let mut worlds = Vec::new();
    for _ in 0..1000 {
        worlds.push(
            World::builder()
                .scenario("one-to-one")
                .receiver("helo-equals-ptr")
                .start()
                .await
                .expect("a world"),
        );
    }
    println!("1,000 worlds started in {:?}", began.elapsed());
    let (first, last) = (&worlds[0], &worlds[999]);
    send(last, "wrong.test").await;
    last.wait_for_session()
        .await
        .expect("a session")
        .assert_rejected();
    assert_eq!(first.sessions().counts().kept, 0);
}
