//! Two dialogues side by side: what has to agree, and the report of what does not.

use std::collections::BTreeMap;
use std::fmt;

use martinet::policy::Template;

use crate::dialogue::Exchange;
use crate::receivers::Receiver;
use crate::worlds::World;

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
    /// Everything else: world, session and both dialogues.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares one session of one world.
    pub fn compare(
        &mut self,
        world: &World,
        receiver: &Receiver,
        real: &[Exchange],
        ours: &[Exchange],
    ) {
        self.sessions += 1;
        let mut disagrees = real.len() != ours.len();
        for (real, ours) in real.iter().zip(ours) {
            self.replies += 1;
            *self
                .codes
                .entry((receiver.profile.name.clone(), ours.code().to_owned()))
                .or_default() += 1;
            let claimed = claims(receiver, ours);
            self.texts += usize::from(claimed);
            let agrees = real.code() == ours.code() && real.enhanced() == ours.enhanced();
            disagrees |= !agrees || (claimed && real.text() != ours.text());
        }
        if disagrees {
            self.disagreements
                .push(disagreement(world, receiver, real, ours));
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
        self.disagreements.extend(other.disagreements);
    }
}

/// Whether the profile has the words of this reply: whether it is one of its rules' texts.
fn claims(receiver: &Receiver, ours: &Exchange) -> bool {
    let rules = receiver.profile.receiver.policy.rules();
    rules
        .iter()
        .any(|rule| is_filled(&rule.fail, ours) || is_filled(&rule.error, ours))
}

/// Whether a reply is this template with its placeholders filled.
fn is_filled(template: &Template, ours: &Exchange) -> bool {
    let pattern = template.pattern();
    let text = &pattern.texts()[0];
    let (before, after) = (
        text.split('{').next().unwrap_or_default(),
        text.rsplit('}').next().unwrap_or_default(),
    );
    pattern.code().to_string() == ours.code()
        && ours.text().starts_with(before)
        && ours.text().ends_with(after)
}

fn disagreement(
    world: &World,
    receiver: &Receiver,
    real: &[Exchange],
    ours: &[Exchange],
) -> String {
    use fmt::Write as _;
    let mut text = format!(
        "world {}, {}: {}\n",
        world.number, receiver.profile.name, world.client
    );
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
        let reply =
            |said: Option<&Exchange>| said.map_or("(ended)".to_owned(), |e| e.reply[0].clone());
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
        write!(f, "{} disagreements", self.disagreements.len())
    }
}
