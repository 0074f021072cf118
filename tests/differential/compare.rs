//! Compares two dialogues: what must agree, and the report of differences.

use std::collections::BTreeMap;
use std::fmt;

use crate::dialogue::Exchange;
use crate::intended;
use crate::worlds::World;

/// The result.
#[derive(Default)]
pub struct Report {
    /// Sessions compared.
    pub sessions: usize,
    /// Replies compared.
    pub replies: usize,
    /// Texts compared.
    pub texts: usize,
    /// Replies by profile and code.
    pub codes: BTreeMap<(String, String), usize>,
    /// Intended differences, by reason.
    pub intended: BTreeMap<&'static str, usize>,
    /// All other differences: world, session and both dialogues.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares one session of one world.
    pub fn compare(&mut self, world: &World, profile: &str, real: &[Exchange], ours: &[Exchange]) {
        self.sessions += 1;
        let mut disagrees = false;
        for (real, ours) in real.iter().zip(ours) {
            self.replies += 1;
            *self
                .codes
                .entry((profile.to_owned(), ours.code().to_owned()))
                .or_default() += 1;
            self.texts += 1;
            if real.code() == ours.code() && text(real) == text(ours) {
                continue;
            }
            match intended::explains(profile, real, ours) {
                Some(row) => *self.intended.entry(row.reason).or_default() += 1,
                None => disagrees = true,
            }
            if real.code() != ours.code() {
                // From here on the two servers are in different states.
                break;
            }
        }
        if disagrees {
            self.disagreements
                .push(disagreement(world, profile, real, ours));
        }
    }

    /// Adds another report.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.replies += other.replies;
        self.texts += other.texts;
        for (key, count) in other.codes {
            *self.codes.entry(key).or_default() += count;
        }
        for (reason, count) in other.intended {
            *self.intended.entry(reason).or_default() += count;
        }
        self.disagreements.extend(other.disagreements);
    }
}

/// The text of a reply without the parts that change in each session: queue ids, and the time in Exim's greeting.
fn text(exchange: &Exchange) -> &str {
    let text = exchange.text();
    if let Some((before, _)) = text.split_once(" Message accepted for delivery") {
        return before.rsplit_once(' ').map_or("", |(code, _)| code);
    }
    let ids = ["queued as ", "id=", "Message Queued ("];
    let end = ids.iter().find_map(|id| text.find(id));
    match end {
        _ if exchange.command.is_empty() && exchange.code() == "220" => "",
        Some(end) => &text[..end],
        None => text,
    }
}

fn disagreement(world: &World, profile: &str, real: &[Exchange], ours: &[Exchange]) -> String {
    use fmt::Write as _;
    let mut text = format!("world {}, {profile}: {}\n", world.number, world.client);
    for line in world.records.lines().chain(world.faults.lines()) {
        writeln!(text, "    {line}").expect("a string takes text");
    }
    for pair in 0..real.len().max(ours.len()) {
        let one = real
            .get(pair)
            .or(ours.get(pair))
            .expect("one of them goes on");
        if pair > 0 {
            writeln!(text, "  C {}", one.command).expect("a string takes text");
        }
        let reply = |exchange: Option<&Exchange>| {
            exchange.map_or("(ended)".to_owned(), |e| e.reply[0].clone())
        };
        let (real, ours) = (reply(real.get(pair)), reply(ours.get(pair)));
        if real == ours {
            writeln!(text, "  = {real}").expect("a string takes text");
        } else {
            writeln!(text, "  real {real}\n  ours {ours}").expect("a string takes text");
        }
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for disagreement in &self.disagreements {
            writeln!(f, "DISAGREEMENT {disagreement}")?;
        }
        writeln!(
            f,
            "{} sessions, {} replies, {} texts compared",
            self.sessions, self.replies, self.texts
        )?;
        for ((profile, code), count) in &self.codes {
            writeln!(f, "  {count:6} {code} {profile}")?;
        }
        for (reason, count) in &self.intended {
            writeln!(f, "  {count:6} intended: {reason}")?;
        }
        write!(f, "{} disagreements", self.disagreements.len())
    }
}
