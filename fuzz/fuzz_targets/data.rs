//! The data of a message, by DATA and by BDAT: the first octet selects receiver and command, the second how the rest is
//! cut into packets. An accepted message is always what was sent before the only valid end of the data.
#![no_main]

use std::sync::LazyLock;

use player::Ground;

#[path = "../../tests/it/robustness_player.rs"]
mod player;

static GROUND: LazyLock<Ground> = LazyLock::new(Ground::new);
const BEGIN: &str = "EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\n";

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let [choice, size, rest @ ..] = octets else { return };
    let (receiver, by_bdat) = (usize::from(choice >> 1) % 4, choice & 1 == 1);
    let command = if by_bdat { format!("BDAT {} LAST\r\n", rest.len()) } else { "DATA\r\n".to_owned() };
    let dialogue = [BEGIN.as_bytes(), command.as_bytes(), rest].concat();
    let whole = GROUND.play(receiver, &dialogue, usize::MAX);
    assert_eq!(whole.is_sound(&dialogue), Ok(()));
    assert_eq!(GROUND.play(receiver, &dialogue, usize::from(*size).max(1)), whole, "cut into packets");
    if receiver == 0 && !by_bdat {
        let ended = rest.starts_with(b".\r\n") || rest.windows(5).any(|octets| octets == b"\r\n.\r\n");
        let transactions = whole.events.iter().filter(|event| event.starts_with("Envelope")).count();
        assert_eq!(transactions > 0, ended, "only CRLF . CRLF ends the data");
    }
});
