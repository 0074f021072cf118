//! The examples run, and their assertions hold.

#[path = "../../examples/raw_socket.rs"]
mod raw_socket;
#[path = "../../examples/retry_queue.rs"]
mod retry_queue;
#[path = "../../examples/rstest.rs"]
mod with_fixture;
#[path = "../../examples/lettre.rs"]
mod with_lettre;

#[test]
fn lettre() {
    with_lettre::main().expect("the example ends well");
}

#[test]
fn a_raw_socket() {
    raw_socket::main().expect("the example ends well");
}

#[test]
fn a_retry_queue() {
    retry_queue::main().expect("the example ends well");
}

#[test]
fn a_fixture() {
    with_fixture::main().expect("the example ends well");
}
