//! A whole session: the first octet selects the receiver, the second how the rest is cut into packets.
#![no_main]

use std::sync::LazyLock;

use player::Ground;

#[path = "../../tests/it/robustness_player.rs"]
mod player;

static GROUND: LazyLock<Ground> = LazyLock::new(Ground::new);

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let [receiver, size, rest @ ..] = octets else { return };
    let whole = GROUND.play(usize::from(*receiver), rest, usize::MAX);
    assert_eq!(whole.is_sound(rest), Ok(()));
    assert_eq!(GROUND.play(usize::from(*receiver), rest, usize::from(*size).max(1)), whole, "cut into packets");
});
