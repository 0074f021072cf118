//! Worlds in code without async.

use super::*;

#[tokio::test]
async fn a_blocking_world_in_async_code_names_the_way_out() {
    let error = World::blocking()
        .start()
        .expect_err("it would block the runtime");
    assert_eq!(
        error.to_string(),
        "World::blocking() cannot start inside a tokio runtime, which it would block: \
         use World::builder() in async code"
    );
}

/// A world in a panicking test must not panic again: that would abort the process.
#[test]
fn a_world_stops_inside_a_panicking_test() {
    let mut address = None;
    let text = complaint(|| {
        let world = World::blocking().start().expect("a world");
        address = Some(world.smtp_addr());
        world.expect(Sessions::deferred());
        let _guard = world.expect_scoped(Sessions::deferred());
        std::panic::panic_any("the test's own complaint".to_owned());
    });
    assert_eq!(text, "the test's own complaint");
    let address = address.expect("it started");
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "the port stays open");
        std::thread::yield_now();
    }
}
