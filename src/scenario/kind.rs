//! The kind of a file, a scenario or a receiver: decided once, by all its keys, for every command.

use toml::de::{DeTable, DeValue};

use super::keys::{RECEIVER, SCENARIO, Section};
use super::words::nearest;

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Scenario,
    Receiver,
}

impl Kind {
    /// The word of the key `kind`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Receiver => "receiver",
        }
    }

    /// The keys of files of this kind.
    pub(super) fn section(self) -> &'static Section {
        match self {
            Self::Scenario => &SCENARIO,
            Self::Receiver => &RECEIVER,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Scenario => Self::Receiver,
            Self::Receiver => Self::Scenario,
        }
    }
}

/// The evidence for the kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The value of the key `kind`.
    stated: Option<Kind>,
    /// Keys that only scenario files have, as the file spells them.
    scenario: Vec<String>,
    /// Keys that only receiver files have.
    receiver: Vec<String>,
    /// The kind with more evidence.
    leaning: Option<Kind>,
}

impl Evidence {
    /// Examines all top-level keys. A misspelt key counts too, but less than a correct one.
    pub(super) fn of(table: &DeTable<'_>) -> Self {
        let mut evidence = Self {
            stated: None,
            scenario: Vec::new(),
            receiver: Vec::new(),
            leaning: None,
        };
        let mut weights = [0, 0];
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if let ("kind", DeValue::String(word)) = (name, value.get_ref()) {
                let kinds = [Kind::Scenario, Kind::Receiver];
                evidence.stated = kinds.into_iter().find(|kind| kind.word() == word);
            }
            let Some((kind, weight)) = belongs(name) else {
                continue;
            };
            weights[kind as usize] += weight;
            evidence.keys_mut(kind).push(name.to_owned());
        }
        evidence.leaning = match weights[0].cmp(&weights[1]) {
            std::cmp::Ordering::Greater => Some(Kind::Scenario),
            std::cmp::Ordering::Less => Some(Kind::Receiver),
            std::cmp::Ordering::Equal => None,
        };
        evidence
    }

    fn keys_mut(&mut self, kind: Kind) -> &mut Vec<String> {
        match kind {
            Kind::Scenario => &mut self.scenario,
            Kind::Receiver => &mut self.receiver,
        }
    }

    fn keys(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Scenario => &self.scenario,
            Kind::Receiver => &self.receiver,
        }
    }

    /// The kind of the file; `usual` if its keys do not show it.
    pub(super) fn kind(&self, usual: Kind) -> Kind {
        self.stated.or(self.leaning).unwrap_or(usual)
    }

    /// Explains a key that belongs to the other kind of file.
    pub(super) fn stray(&self, key: &str, kind: Kind) -> Option<String> {
        kind.other().section().key(key)?;
        Some(format!(
            "{key:?}, a key of {} files; this file is read as a {} because {}",
            kind.other().word(),
            kind.word(),
            self.reason(kind)
        ))
    }

    /// The reason for this kind.
    pub(super) fn reason(&self, kind: Kind) -> String {
        if self.stated == Some(kind) {
            return format!("it says kind = {:?}", kind.word());
        }
        let (own_keys, other_keys) = (self.keys(kind), self.keys(kind.other()));
        match (self.leaning, own_keys.is_empty()) {
            (Some(leaning), _) if leaning == kind => format!("it has {}", listed(own_keys)),
            (_, false) => format!(
                "{} and {} do not decide; add the key kind",
                listed(own_keys),
                listed(other_keys)
            ),
            (_, true) => format!("{} is expected here", kind.word()),
        }
    }
}

/// The only kind of file that has this key, and the weight of this evidence.
fn belongs(key: &str) -> Option<(Kind, u32)> {
    let (scenario, receiver) = (SCENARIO.key(key), RECEIVER.key(key));
    match (scenario.is_some(), receiver.is_some()) {
        (true, false) => return Some((Kind::Scenario, 2)),
        (false, true) => return Some((Kind::Receiver, 2)),
        (true, true) => return None,
        (false, false) => {}
    }
    let names = |section: &Section| section.keys.iter().map(|key| key.name).collect::<Vec<_>>();
    let near = |section: &Section| nearest(key, &names(section)).is_some();
    match (near(&SCENARIO), near(&RECEIVER)) {
        (true, false) => Some((Kind::Scenario, 1)),
        (false, true) => Some((Kind::Receiver, 1)),
        _ => None,
    }
}

fn listed(keys: &[String]) -> String {
    match keys {
        [] => "no keys".to_owned(),
        [one] => format!("the key {one}"),
        [first @ .., last] => format!("the keys {} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Kind>) {
        let (table, _) = DeTable::parse_recoverable(text);
        let evidence = Evidence::of(table.get_ref());
        let kinds = [Kind::Scenario, Kind::Receiver].map(|usual| evidence.kind(usual));
        let expected = expected.map_or([Kind::Scenario, Kind::Receiver], |kind| [kind, kind]);
        assert_eq!(kinds, expected, "{text}: {evidence:?}");
    }

    #[test]
    fn every_key_counts() {
        for file in [Kind::Scenario, Kind::Receiver] {
            for key in file.section().keys {
                let shared = file.other().section().key(key.name).is_some();
                let text = format!("{} = 1", key.name);
                check(&text, (!shared).then_some(file));
            }
        }
    }

    #[test]
    fn one_stray_key_does_not_decide() {
        check("[[pool]]\n[[zone]]\n[[rule]]", Some(Kind::Scenario));
        check("[[rule]]\n[smtp]\n[[zone]]", Some(Kind::Receiver));
        check("[[rule]]\n[[zone]]", None);
        check("title = 1", None);
    }

    #[test]
    fn a_misspelt_key_counts_less() {
        check("[[poool]]", Some(Kind::Scenario));
        check("[[poool]]\n[[rule]]", Some(Kind::Receiver));
    }

    #[test]
    fn a_file_can_declare_its_kind() {
        check(
            "kind = \"receiver\"\n[[pool]]\n[[zone]]",
            Some(Kind::Receiver),
        );
        check("kind = \"scenario\"\n[[rule]]", Some(Kind::Scenario));
    }
}
