//! `verify` and `matrix --format junit`: the expectations of scenarios on the command line.

use crate::cli::check;
use martinet::scenario::{Expectation, list_scenarios, load_scenario};

/// A scenario file that is removed when it is dropped.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("martinet-{name}-{}.toml", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn verify_takes_names_and_plays_each_scenario_once() {
    let text = check(&["verify", "one-to-one", "two-ptrs", "one-to-one"], 0, &[]);
    for name in ["one-to-one", "two-ptrs"] {
        let count = text.lines().filter(|line| *line == name).count();
        assert_eq!(count, 1, "{name} in\n{text}");
    }
}

#[test]
fn verify_suggests_the_intended_name() {
    check(
        &["verify", "ofice365"],
        2,
        &["unknown scenario \"ofice365\": did you mean \"office365\"?"],
    );
    check(&["verify", "./ofice365"], 2, &["cannot read ./ofice365"]);
}

/// Expectations that differ only in their message get numbers.
#[test]
fn no_two_sentences_of_a_scenario_are_the_same() {
    for scenario in list_scenarios().expect("scenarios") {
        let mut sentences = scenario.sentences();
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(
            sentences.len(),
            scenario.expectations.len(),
            "{}",
            scenario.name
        );
    }
}

/// Clients of these scenarios are often refused, and always as expected: no case fails. Some expectations are about
/// faults with counts, about later sessions, or have their own message.
#[test]
fn matrix_fails_no_case_of_shipped_scenarios() {
    let names = [
        "authentication",
        "flapping",
        "heavy-sender",
        "message-format",
        "office365",
    ];
    let mut arguments = vec!["matrix", "--format", "junit"];
    names
        .iter()
        .for_each(|name| arguments.extend(["--scenario", name]));
    let text = check(&arguments, 0, &["failures=\"0\""]);
    assert!(!text.contains("<failure"), "{text}");
    let is_session = |each: &&Expectation| matches!(each, Expectation::Session(_));
    let expected: usize = names
        .map(|name| load_scenario(name).expect("a scenario").expectations)
        .iter()
        .map(|all| all.iter().filter(is_session).count())
        .sum();
    let cases = text.matches("<testcase").count();
    let skipped = text.matches("<skipped message=\"no [[expect]]; ").count();
    assert_eq!(cases - skipped, expected, "each expectation is a case");
}

#[test]
fn matrix_judges_by_the_expectations() {
    let file = File::new(
        "matrix-expects",
        "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n\
         [[expect]]\nclient = \"192.0.2.1\"\nhelo = \"x.test\"\nreceiver = \"fcrdns\"\nreply = \"550\"\nrule = \"iprev\"\n\
         [[expect]]\nclient = \"192.0.2.1\"\nhelo = \"x.test\"\nreceiver = \"lenient\"\nreply = \"550\"\n\
         [[expect]]\nclient = \"192.0.2.1\"\nhelo = \"x.test\"\nreceiver = \"postfix-postscreen\"\nreply = \"250\"\nsessions = 2\n",
    );
    let arguments = ["fcrdns", "lenient", "gmx"].map(|name| ["--receiver", name]);
    let arguments: Vec<_> = ["matrix", "--format", "junit", "--scenario", file.path()]
        .into_iter()
        .chain(arguments.into_iter().flatten())
        .collect();
    check(
        &arguments,
        1,
        &[
            "tests=\"3\" skipped=\"1\" failures=\"1\"",
            "<testcase name=\"fcrdns answers 550 to 192.0.2.1 saying EHLO x.test, by iprev\"/>",
            "<failure message=\"expected reply 550, found 250 2.0.0 Ok\"/>",
            "<testcase name=\"gmx to 192.0.2.1 saying x.test\">",
            "<skipped message=\"no [[expect]]; 554 ptr-exists\"/>",
        ],
    );
}
