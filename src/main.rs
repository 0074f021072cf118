//! The `martinet` command.
fn main() {}
