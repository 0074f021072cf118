//! Compares the symbols of a real program with those of its profile, and reports differences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::scores::{Case, Profile};
use crate::scores_intended::explains;

/// The result.
#[derive(Default)]
pub struct Report {
    /// Worlds played.
    pub worlds: usize,
    /// Cases that an SMTP rule of the profile refuses before the score.
    pub unjudged: usize,
    /// Cases compared, by program.
    pub cases: BTreeMap<&'static str, usize>,
    /// How often a symbol was found by both.
    pub both: BTreeMap<(&'static str, String), usize>,
    /// Intended differences, by reason.
    pub intended: BTreeMap<&'static str, usize>,
    /// How often only one of them found a symbol, without a reason: program, symbol, and which one found it.
    pub differences: BTreeMap<(&'static str, String, &'static str), usize>,
    /// The cases with such a symbol.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares one case.
    pub fn compare(
        &mut self,
        case: &Case,
        profile: &Profile,
        real: Result<BTreeSet<String>, String>,
        ours: &BTreeSet<String>,
    ) {
        let program = profile.scorer.name;
        *self.cases.entry(program).or_default() += 1;
        let real = match real {
            Ok(real) => real,
            Err(why) => {
                self.disagreements
                    .push(format!("{program}: {why}\n{}", described(case)));
                return;
            }
        };
        let mut differ = Vec::new();
        for symbol in &profile.symbols {
            match (real.contains(symbol), ours.contains(symbol)) {
                (true, true) => *self.both.entry((program, symbol.clone())).or_default() += 1,
                (false, false) => {}
                (by_real, _) => {
                    let who = if by_real { "real" } else { "ours" };
                    match explains(program, symbol, by_real, case) {
                        Some(reason) => *self.intended.entry(reason).or_default() += 1,
                        None => differ.push((symbol, who)),
                    }
                }
            }
        }
        for (symbol, who) in &differ {
            let key = (program, (*symbol).clone(), *who);
            *self.differences.entry(key).or_default() += 1;
        }
        if !differ.is_empty() {
            let known = real.intersection(&profile.symbols);
            self.disagreements.push(format!(
                "{program}: {differ:?}\n  real {:?}\n  ours {ours:?}\n{}",
                known.collect::<Vec<_>>(),
                described(case)
            ));
        }
    }

    /// Adds another report.
    pub fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.unjudged += other.unjudged;
        let sum = |into: &mut BTreeMap<_, usize>, from| {
            for (key, count) in from {
                *into.entry(key).or_default() += count;
            }
        };
        sum(&mut self.cases, other.cases);
        sum(&mut self.intended, other.intended);
        for (key, count) in other.both {
            *self.both.entry(key).or_default() += count;
        }
        for (key, count) in other.differences {
            *self.differences.entry(key).or_default() += count;
        }
        self.disagreements.extend(other.disagreements);
    }
}

fn described(case: &Case) -> String {
    use fmt::Write as _;
    let mut text = format!(
        "  world {}: {} {:?}, HELO {}, from <{}>\n",
        case.world.number, case.client, case.hostname, case.helo, case.sender
    );
    let lines = case.world.records.lines().chain(case.world.faults.lines());
    for line in lines {
        writeln!(text, "    {line}").expect("a string takes text");
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
            "{} worlds, {} cases refused before the score",
            self.worlds, self.unjudged
        )?;
        for (program, count) in &self.cases {
            writeln!(f, "  {count:6} cases of {program}")?;
        }
        for ((program, symbol), count) in &self.both {
            writeln!(f, "  {count:6} {program} {symbol}")?;
        }
        for (reason, count) in &self.intended {
            writeln!(f, "  {count:6} intended: {reason}")?;
        }
        for ((program, symbol, who), count) in &self.differences {
            writeln!(f, "  {count:6} {program} {symbol}: {who} only")?;
        }
        write!(f, "{} disagreements", self.disagreements.len())
    }
}
