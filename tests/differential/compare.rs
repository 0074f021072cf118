//! Two dialogues side by side: what has to agree, and the report of what does not.

use std::collections::BTreeMap;
use std::fmt;

use martinet::policy::Template;

use crate::dialogue::Exchange;
use crate::receivers::Receiver;
use crate::worlds::World;

/// A difference that is meant to be.
struct Intended {
    reason: &'static str,
    /// Whether it explains two replies that differ, after the hello that was said last.
    holds: fn(&Receiver, &str, real: &Exchange, ours: &Exchange) -> bool,
}

/// The whole list. An entry names both replies, so that it hides nothing else.
const INTENDED: &[Intended] = &[Intended {
    reason: "Postfix has names of 254 and 255 octets for legal, and says that DNS has none of them; they are illegal",
    holds: |receiver, hello, real, ours| {
        receiver.profile.name.starts_with("postfix-")
            && matches!(hello.len(), 254 | 255)
            && real.text().ends_with("Helo command rejected: Host not found")
            && ours.text().ends_with("Helo command rejected: Invalid name")
    },
}];

/// What came out.
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
    /// Differences that are meant, by their reason.
    pub intended: BTreeMap<&'static str, usize>,
    /// Everything else: world, session and both dialogues.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares one session of one world.
    pub fn compare(&mut self, world: &World, receiver: &Receiver, real: &[Exchange], ours: &[Exchange]) {
        self.sessions += 1;
        let mut disagrees = real.len() != ours.len();
        let mut hello = "";
        for (real, ours) in real.iter().zip(ours) {
            self.replies += 1;
            hello = hello_of(&real.command).unwrap_or(hello);
            *self.codes.entry((receiver.profile.name.clone(), ours.code().to_owned())).or_default() += 1;
            let claimed = claims(receiver, ours);
            self.texts += usize::from(claimed);
            let agrees = real.code() == ours.code() && real.enhanced() == ours.enhanced();
            if agrees && (!claimed || real.text() == ours.text()) {
                continue;
            }
            let meant = INTENDED.iter().find(|meant| (meant.holds)(receiver, hello, real, ours));
            match meant {
                Some(meant) => *self.intended.entry(meant.reason).or_default() += 1,
                None => disagrees = true,
            }
        }
        if disagrees {
            self.disagreements.push(disagreement(world, receiver, real, ours));
        }
    }

    /// Adds what another report has.
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

/// The argument of HELO or EHLO.
fn hello_of(command: &str) -> Option<&str> {
    command.strip_prefix("EHLO ").or(command.strip_prefix("HELO "))
}

/// Whether the profile has the words of this reply: whether it is one of its rules' texts.
fn claims(receiver: &Receiver, ours: &Exchange) -> bool {
    let rules = receiver.profile.receiver.policy.rules();
    rules.iter().any(|rule| is_filled(&rule.fail, ours) || is_filled(&rule.error, ours))
}

/// Whether a reply is this template with its placeholders filled.
fn is_filled(template: &Template, ours: &Exchange) -> bool {
    let pattern = template.pattern();
    let text = &pattern.texts()[0];
    let (before, after) = (text.split('{').next().unwrap_or_default(), text.rsplit('}').next().unwrap_or_default());
    pattern.code().to_string() == ours.code() && ours.text().starts_with(before) && ours.text().ends_with(after)
}

fn disagreement(world: &World, receiver: &Receiver, real: &[Exchange], ours: &[Exchange]) -> String {
    use fmt::Write as _;
    let mut text = format!("world {}, {}: {}\n", world.number, receiver.profile.name, world.client);
    for line in world.records.lines().chain(world.faults.lines()) {
        writeln!(text, "    {line}").expect("a string takes text");
    }
    for pair in 0..real.len().max(ours.len()) {
        let one = real.get(pair).or(ours.get(pair)).expect("one of them goes on");
        if pair > 0 {
            writeln!(text, "  C {}", one.command).expect("a string takes text");
        }
        let reply = |said: Option<&Exchange>| said.map_or("(ended)".to_owned(), |e| e.reply[0].clone());
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
        writeln!(f, "{} sessions, {} replies, {} texts compared", self.sessions, self.replies, self.texts)?;
        for ((profile, code), count) in &self.codes {
            writeln!(f, "  {count:6} {code} {profile}")?;
        }
        for (reason, count) in &self.intended {
            writeln!(f, "  {count} times meant: {reason}")?;
        }
        write!(f, "{} disagreements", self.disagreements.len())
    }
}
