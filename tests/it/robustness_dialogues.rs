//! Mutated dialogues through the session: nothing panics, every reply is valid, there are never more replies than
//! lines, and packet borders make no difference.

use crate::robustness_player::{Ground, RECEIVERS};

/// Dialogues to mutate: lines end with CRLF, and `
/// ` within one is an LF.
const DIALOGUES: [&str; 12] = [
    "EHLO mail.example.test|MAIL FROM:<a@example.test>|RCPT TO:<b@contoso.test>|DATA|Subject: x||..dot|.|QUIT",
    "EHLO mail.example.test|MAIL FROM:<a@example.test> SIZE=100 BODY=8BITMIME|RCPT TO:<b@contoso.test>|BDAT 6|abcd|BDAT 3 LAST|x|NOOP",
    "LHLO mail.example.test|MAIL FROM:<>|RCPT TO:<b@contoso.test>|RCPT TO:<c@contoso.test>|DATA|x|.|RSET|QUIT",
    "XCLIENT ADDR=192.0.2.11 HELO=a.test|EHLO a.test|MAIL FROM:<a@example.test>|DATA|.|XCLIENT NAME=[UNAVAILABLE]",
    "EHLO a.test|AUTH PLAIN AHRpbQB0YW5zdGFhZg==|MAIL FROM:<a@example.test>|RCPT TO:<550-5.1.1@contoso.test>|DATA|.",
    "EHLO a.test|AUTH LOGIN|dGlt|dGFuc3RhYWY=|AUTH CRAM-MD5|dGltIGI5MTM=|*|NOOP",
    "EHLO a.test|STARTTLS|EHLO a.test|MAIL FROM:<a@example.test>|RCPT TO:<b@contoso.test>|DATA|x|.|",
    "HELO localhost|MAIL FROM:<a@example.test>|MAIL FROM:<a@example.test>|RCPT TO:<b@contoso.test>|DATA|a\n.\nb|.|QUIT|NOOP",
    "EHLO mail.example.test|MAIL FROM:<a@nowhere.test>|RCPT TO:<b@contoso.test>|BDAT 12 LAST|QUIT|NOOP|x|RSET",
    "GET / HTTP/1.1|Host: mx.martinet.test||POST / HTTP/1.1|CONNECT a:25|",
    "EHLO a.test|MAIL FROM:<a@example.test>|RCPT TO:<reset@contoso.test>|RCPT TO:<close@contoso.test>|RCPT TO:<split@contoso.test>",
    "VRFY a|EXPN b|HELP|ETRN c|TURN|NOOP x|EHLO|MAIL FROM:<\"a b\"@example.test> RET=HDRS ENVID=+20|RCPT TO:<b> NOTIFY=NEVER",
];

/// Inserted octets: invalid line ends, forms of the end of data, octets that are not allowed anywhere, wrong numbers.
const TOKENS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b".",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\0\r\n",
    b" ",
    b"\t",
    b"<",
    b">",
    b"\"",
    b"99999999999999999999",
    b"BDAT 2\r\n",
    b"=?*+",
    b"\x16\x03\x01\x00\xa5\x01",
    b"RCPT TO:<\xc3\xbc@contoso.test>\r\n",
];

/// Sebastiano Vigna's SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    /// A dialogue, changed in one to four places.
    fn dialogue(&mut self) -> Vec<u8> {
        let text = DIALOGUES[self.below(DIALOGUES.len())];
        let mut lines: Vec<Vec<u8>> = text
            .split('|')
            .map(|line| [line.as_bytes(), b"\r\n"].concat())
            .collect();
        for _ in 0..=self.below(4) {
            let line = self.below(lines.len());
            match self.below(8) {
                0 => drop(lines.remove(line)),
                1 => lines.insert(line, lines[self.below(lines.len())].clone()),
                2 => {
                    let other = self.below(lines.len());
                    lines.swap(line, other);
                }
                3 => {
                    let other = DIALOGUES[self.below(DIALOGUES.len())]
                        .split('|')
                        .map(|l| [l.as_bytes(), b"\r\n"].concat());
                    lines.truncate(line + 1);
                    lines.extend(other);
                }
                4 if self.below(50) == 0 => {
                    let long = vec![b'x'; 400 + self.below(13_000)];
                    lines[line].splice(0..0, long);
                }
                _ => self.change(&mut lines[line]),
            }
            if lines.is_empty() {
                lines.push(b"NOOP\r\n".to_vec());
            }
        }
        lines.concat()
    }

    fn change(&mut self, line: &mut Vec<u8>) {
        let at = self.below(line.len());
        match self.below(4) {
            0 if !line.is_empty() => line[at] ^= 1 << self.below(8),
            1 => line.truncate(at),
            _ => {
                let token = TOKENS[self.below(TOKENS.len())];
                line.splice(at..at, token.iter().copied());
            }
        }
    }
}

/// Plays a number of dialogues from one seed.
fn play(seed: u64, count: usize) -> usize {
    let (ground, mut chance) = (Ground::new(), Chance(seed));
    let mut messages = 0;
    for round in 0..count {
        let octets = chance.dialogue();
        let number = chance.below(2 * RECEIVERS.len());
        let whole = ground.play(number, &octets, usize::MAX);
        let seed = || {
            format!(
                "seed {seed}, dialogue {round}, receiver {number}: {}",
                octets.escape_ascii()
            )
        };
        whole
            .is_sound(&octets)
            .unwrap_or_else(|why| panic!("{why}: {}", seed()));
        // In a debug build one in sixteen is sent octet by octet, the others in packets of any size.
        let at_once = if !cfg!(debug_assertions) || round % 16 == 0 {
            1
        } else {
            8 + chance.below(120)
        };
        let split = ground.play(number, &octets, at_once);
        assert_eq!(split, whole, "{at_once} octets at once: {}", seed());
        messages += whole
            .events
            .iter()
            .filter(|event| event.contains("Some(["))
            .count();
    }
    messages
}

/// 100,000 in a release build, where each is also sent octet by octet; 3,000 in a debug build, which is far slower.
/// `MARTINET_DIALOGUES` sets the number, `MARTINET_SEED` the seed.
#[test]
fn mutated_dialogues_whole_and_cut() {
    let of = |name: &str, usual: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    let (seed, count) = (
        of("MARTINET_SEED", 2026),
        of(
            "MARTINET_DIALOGUES",
            if cfg!(debug_assertions) {
                3_000
            } else {
                100_000
            },
        ) as usize,
    );
    println!("seed {seed}, {count} dialogues");
    let start = std::time::Instant::now();
    let messages = std::thread::scope(|scope| {
        let half = scope.spawn(move || play(seed.wrapping_add(1 << 32), count / 2));
        play(seed, count - count / 2) + half.join().expect("the other half")
    });
    println!("{messages} messages were accepted, {:?}", start.elapsed());
    assert!(
        messages > count / 100,
        "mutations leave something to accept: {messages}"
    );
}
