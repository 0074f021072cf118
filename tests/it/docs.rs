//! The documents agree with the code.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// docs/rfcs.md lists every RFC that the sources cite.
#[test]
fn every_rfc_is_listed() {
    let listed = read("docs/rfcs.md");
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut cited = std::collections::BTreeSet::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            for after in text.split("RFC ").skip(1) {
                let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
                if digits.len() >= 4 {
                    cited.insert(digits);
                }
            }
        }
    }
    let missing: Vec<_> = cited
        .iter()
        .filter(|rfc| !listed.contains(rfc.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "cited, and not in docs/rfcs.md: {missing:?}"
    );
}

/// The tables of docs/catalogue.md name every scenario and receiver.
#[test]
fn every_scenario_and_receiver_is_in_the_catalogue() {
    let catalogue = read("docs/catalogue.md");
    let scenarios = martinet::scenario::list_scenarios()
        .expect("scenarios")
        .into_iter()
        .map(|s| s.name);
    let receivers = martinet::scenario::list_receivers()
        .expect("receivers")
        .into_iter()
        .map(|r| r.name);
    for name in scenarios.chain(receivers) {
        assert!(
            catalogue.contains(&format!("`{name}`")),
            "{name} is not in docs/catalogue.md"
        );
    }
}

/// docs/files.md agrees with the reader's tables; `MARTINET_BLESS=1` rewrites it.
#[test]
fn files_reference() {
    let expected = martinet::scenario::reference();
    if std::env::var_os("MARTINET_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/files.md");
        std::fs::write(path, &expected).expect("docs/files.md is written");
    }
    assert!(
        read("docs/files.md") == expected,
        "docs/files.md is stale: run MARTINET_BLESS=1 cargo nextest run files_reference"
    );
}

/// The README has the right numbers of receivers, rules and reply texts; `MARTINET_BLESS=1` rewrites them.
#[test]
fn counts_of_receivers_and_texts() {
    let profiles = martinet::scenario::list_receivers().expect("receivers");
    let (mut rules, mut real, mut modelled) = (0, BTreeSet::new(), BTreeSet::new());
    for profile in &profiles {
        for rule in profile.receiver.policy.rules() {
            rules += 1;
            let text = rule.fail().pattern().to_string();
            let invented = rule.is_modelled() || profile.group == "generic";
            let texts = if invented { &mut modelled } else { &mut real };
            texts.insert(text);
            let first = rule.escalation().and_then(|known| known.first.as_ref());
            texts.extend(first.map(|first| first.pattern().to_string()));
            for variant in rule.variants() {
                let texts = if variant.modelled {
                    &mut modelled
                } else {
                    &mut real
                };
                texts.insert(variant.fail.pattern().to_string());
            }
        }
    }
    let counts = format!(
        "<!-- counts -->\n{} receivers with {rules} rules; {} reply texts are captured or documented, {} are modelled.\n<!-- /counts -->",
        profiles.len(),
        real.len(),
        modelled.difference(&real).count(),
    );
    let readme = read("README.md");
    let (before, rest) = readme.split_once("<!-- counts -->").expect("the counts");
    let (_, after) = rest
        .split_once("<!-- /counts -->")
        .expect("the end of the counts");
    let expected = format!("{before}{counts}{after}");
    if std::env::var_os("MARTINET_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        std::fs::write(path, &expected).expect("README.md is written");
    }
    assert!(
        read("README.md") == expected,
        "the counts in README.md are stale: run MARTINET_BLESS=1 cargo nextest run counts_of_receivers"
    );
}
