//! Dialogues as scripts: `C:` lines are sent, `S:` lines must come back, compared in full.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use martinet::facts::Resolver;
use martinet::scenario::{load_scenario, parse_receiver, parse_scenario};
use martinet::smtp::{ClientAddress, Session, SessionEvents, Step};

/// The scenario and receiver of a script.
pub struct Stage<'a> {
    /// The name of a built-in scenario, or the text of one.
    pub scenario: &'a str,
    pub receiver: &'a str,
    pub client: &'a str,
}

impl Default for Stage<'_> {
    fn default() -> Self {
        Self {
            scenario: "one-to-one",
            receiver: "title = \"t\"",
            client: "192.0.2.10",
        }
    }
}

impl Stage<'_> {
    /// Plays a script and returns the session's events. Client lines may have `\r`, `
    /// ` and `\0` as escapes; each gets CRLF unless it ends in `\`. The same script sent octet by octet must give the
    /// same result.
    #[track_caller]
    pub fn play(&self, script: &str) -> SessionEvents {
        let (whole, events) = self.run(script, usize::MAX);
        assert_eq!(whole, normal(script));
        let (split, _) = self.run(script, 1);
        assert_eq!(split, whole, "octet by octet");
        events
    }

    fn run(&self, script: &str, chunk: usize) -> (String, SessionEvents) {
        let profile = parse_receiver("script", self.receiver).expect("a receiver");
        let scenario = match self.scenario.contains('\n') {
            true => parse_scenario("script.toml", self.scenario),
            false => load_scenario(self.scenario),
        };
        let scenario = scenario.expect("a scenario");
        let zones = scenario.zones([127, 0, 0, 1].into());
        let resolver = Resolver::new(&zones, Duration::from_secs(5));
        let client = ClientAddress::fixed(self.client.parse().expect("an address"));
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let mut session = Session::new(
            Arc::clone(&profile.receiver),
            Arc::default(),
            client,
            peer,
            1,
        )
        .with_recipients(&Arc::new(scenario.recipients()));
        let (mut input, mut dialogue) = (BytesMut::new(), String::new());
        advance(&mut session, &mut input, &resolver, &mut dialogue);
        for line in script.lines().filter_map(|l| l.trim().strip_prefix("C:")) {
            dialogue.push_str(&format!("C:{line}\n"));
            for octets in octets(line.strip_prefix(' ').unwrap_or(line)).chunks(chunk) {
                input.extend_from_slice(octets);
                advance(&mut session, &mut input, &resolver, &mut dialogue);
            }
        }
        (dialogue, session.take_events())
    }
}

fn advance(
    session: &mut Session,
    input: &mut BytesMut,
    resolver: &Resolver<'_>,
    dialogue: &mut String,
) {
    let mut output = Vec::new();
    let mut step = session.advance(input, &mut output, resolver);
    while let Step::Pause(_) | Step::Listen(_) | Step::Flush = step {
        session.take_send_mode();
        step = session.advance(input, &mut output, resolver);
    }
    for line in String::from_utf8(output).expect("replies are text").lines() {
        // A challenge may be empty; a line of a script does not end in a blank.
        dialogue.push_str(&format!("S: {}\n", line.trim_end()));
    }
    if step == Step::Close && !dialogue.ends_with("S: (closed)\n") {
        dialogue.push_str("S: (closed)\n");
    }
}

fn octets(line: &str) -> Vec<u8> {
    let (line, end) = match line.strip_suffix('\\') {
        Some(line) => (line, ""),
        None => (line, "\r\n"),
    };
    let text = line
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0");
    format!("{text}{end}").into_bytes()
}

fn normal(script: &str) -> String {
    script
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(|l| format!("{l}\n"))
        .collect()
}
