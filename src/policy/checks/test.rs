//! The table-driven helper for the tests of all checks.

use std::time::Duration;

use super::find;
use crate::facts::lookup::table::Table;
use crate::facts::{Facts, Observations, Verb};
use crate::policy::check::{
    Check, Complaint, Finding, Kind, Pattern, Points, Setting, Settings, Weight,
};
use crate::policy::{Policy, Rule};

/// One judgement: a check, its settings, a client and a small world.
pub(super) struct Case<'a> {
    pub(super) check: &'a str,
    pub(super) client: &'a str,
    pub(super) helo: Option<&'a str>,
    pub(super) sender: Option<&'a str>,
    pub(super) world: &'a str,
    pub(super) settings: &'a str,
    /// The header fields of a message, for judgements at its final dot.
    pub(super) message: Option<&'a str>,
    /// Changes the facts before the judgement.
    pub(super) conduct: fn(&mut Facts),
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            check: "",
            client: "192.0.2.10",
            helo: Some("mail.example.test"),
            sender: None,
            world: "",
            settings: "",
            message: None,
            conduct: |_| {},
        }
    }
}

pub(super) const SATISFIED: &str = "satisfied";
pub(super) const VIOLATED: &str = "violated";
pub(super) const DEFERRED: &str = "deferred";
pub(super) const UNAVAILABLE: &str = "unavailable";
pub(super) const NOT_APPLICABLE: &str = "not applicable";

/// The result of the judgement.
pub(super) struct Outcome {
    word: &'static str,
    complaint: Option<Complaint>,
}

impl Outcome {
    #[track_caller]
    pub(super) fn is(self, word: &str) -> Self {
        assert_eq!(self.word, word, "{:?}", self.complaint);
        self
    }

    #[track_caller]
    pub(super) fn because(self, part: &str) -> Self {
        let why = &self.complaint.as_ref().expect("a complaint").why;
        assert!(why.contains(part), "{why}");
        self
    }

    #[track_caller]
    pub(super) fn remedied_by(self, part: &str) -> Self {
        let remedies: Vec<_> = self
            .complaint
            .iter()
            .flat_map(|c| &c.remedies)
            .map(ToString::to_string)
            .collect();
        assert!(remedies.iter().any(|r| r.contains(part)), "{remedies:?}");
        self
    }
}

/// A judgement of facts that are set and not observed.
#[track_caller]
pub(super) fn check_conduct(check: &str, settings: &str, expected: &str, conduct: fn(&mut Facts)) {
    case(Case {
        check,
        settings,
        conduct,
        ..Case::default()
    })
    .is(expected);
}

#[track_caller]
pub(super) fn case(case: Case<'_>) -> Outcome {
    let check = find(case.check).expect("a check of the catalogue");
    let settings = settings(check, case.settings);
    let rule = Rule::new(check, &settings);
    let record = Observations {
        iprev: case.world.contains("PTR"),
        ..Observations::default()
    };
    let policy = Policy::new(vec![rule], Vec::new(), false, record);
    let needs = policy.needs();
    let table = Table::new(case.world);
    let mut facts = Facts::new(case.client.parse().expect("an address"));
    facts.receiver_name = "mx.martinet.test".into();
    facts.observe_client(needs, &table);
    if let Some(helo) = case.helo {
        facts.observe_helo(Verb::Ehlo, helo, needs, &table);
    }
    if let Some(sender) = case.sender {
        facts.observe_sender(sender, needs, &table);
    }
    if let Some(message) = case.message {
        facts.observe_message(message.as_bytes(), needs, &table);
    }
    (case.conduct)(&mut facts);
    match policy.rules()[0].judge(&facts) {
        Finding::Satisfied => Outcome {
            word: SATISFIED,
            complaint: None,
        },
        Finding::NotApplicable => Outcome {
            word: NOT_APPLICABLE,
            complaint: None,
        },
        Finding::Violated(complaint) => Outcome {
            word: VIOLATED,
            complaint: Some(complaint),
        },
        Finding::Deferred(complaint) => Outcome {
            word: DEFERRED,
            complaint: Some(complaint),
        },
        Finding::Unavailable(complaint) => Outcome {
            word: UNAVAILABLE,
            complaint: Some(complaint),
        },
    }
}

/// Parses `key = value` lines as in a receiver file; an unknown key fails the test.
fn settings(check: &'static Check, text: &str) -> Settings {
    of_table(check, toml::from_str(text).expect("TOML"))
}

fn of_table(check: &'static Check, table: toml::Table) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in table {
        let parameter = check
            .parameters
            .iter()
            .find(|p| p.name == key)
            .expect("a parameter of the check");
        let strings = || {
            value
                .as_array()
                .expect("a list")
                .iter()
                .map(|v| v.as_str().expect("a string").to_owned())
        };
        let setting = match parameter.kind {
            Kind::Flag => Setting::Flag(value.as_bool().expect("a flag")),
            Kind::Count => Setting::Count(
                value
                    .as_integer()
                    .and_then(|n| n.try_into().ok())
                    .expect("a number"),
            ),
            Kind::Choice(words) => {
                let word = value.as_str().expect("a word");
                Setting::Choice(
                    words
                        .iter()
                        .find(|w| **w == word)
                        .expect("a word of the choice"),
                )
            }
            Kind::Words | Kind::Zones => Setting::Words(strings().collect()),
            Kind::Patterns => Setting::Patterns(
                strings()
                    .map(|text| Pattern::new(&text).expect("a regular expression"))
                    .collect(),
            ),
            Kind::Choices(words) => Setting::Choices(
                strings()
                    .map(|s| {
                        *words
                            .iter()
                            .find(|w| **w == s)
                            .expect("a word of the choice")
                    })
                    .collect(),
            ),
            Kind::Duration => Setting::Duration(duration(value.as_str().expect("a time"))),
            Kind::Points => Setting::Points(points(&value)),
            Kind::Weights => Setting::Weights(
                value
                    .as_array()
                    .expect("tables")
                    .iter()
                    .map(weight)
                    .collect(),
            ),
            Kind::Networks => Setting::Networks(
                strings()
                    .map(|s| s.parse::<std::net::IpAddr>().expect("an address").into())
                    .collect(),
            ),
        };
        settings.set(parameter, setting);
    }
    settings
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        _ => panic!("no unit {unit} here"),
    };
    Duration::from_secs(seconds * number.parse::<u64>().expect("a number"))
}

fn points(value: &toml::Value) -> Points {
    Points((value.as_float().expect("a decimal number") * 100.0).round() as i64)
}

fn weight(value: &toml::Value) -> Weight {
    let mut table = value.as_table().expect("a table").clone();
    let name = table.remove("check").expect("a check");
    let score = points(&table.remove("score").expect("a score"));
    let check = find(name.as_str().expect("a name")).expect("a check of the catalogue");
    let words = |list: toml::Value| {
        let words = list.as_array().expect("a list").clone();
        let word = |word: toml::Value| word.as_str().expect("a word").to_owned();
        words.into_iter().map(word).collect()
    };
    let unless = table.remove("unless").map(words).unwrap_or_default();
    let group = table.remove("group");
    let temp = table.remove("temp");
    let settings = of_table(check, table);
    Weight {
        unless,
        group: group.map(|group| group.as_str().expect("a group").to_owned()),
        temp_as_fail: temp.is_some_and(|temp| temp.as_str() == Some("as_fail")),
        symbol: check.name.to_uppercase(),
        check,
        settings,
        score,
    }
}

/// The catalogue's texts are valid, and its names unique.
#[test]
fn the_catalogue_is_sound() {
    use crate::policy::Template;
    for check in super::CATALOGUE {
        let fail = Template::parse(check.fail).unwrap_or_else(|e| panic!("{}: {e:?}", check.name));
        let error =
            Template::parse(check.error).unwrap_or_else(|e| panic!("{}: {e:?}", check.name));
        let code = fail.pattern().code();
        assert!(code.is_refusal() || code.get() == 221, "{}", check.name);
        assert_eq!(
            error.pattern().code().class(),
            4,
            "{}: a temporary failure is never a 5yz",
            check.name
        );
        assert!(std::ptr::eq(
            find(check.name).expect("found by its name"),
            *check
        ));
    }
}
