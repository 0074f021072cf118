//! Warnings of `lint`: files that can be used, but probably not as intended. `--strict` makes each warning a mistake.

use std::path::PathBuf;

use martinet::scenario::lint;

/// A file of its own for each case.
fn file(name: &str, text: &str) -> PathBuf {
    let unique = format!("martinet-lint-{}-{name}", std::process::id());
    let directory = std::env::temp_dir().join(unique);
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("bad.toml");
    std::fs::write(&path, text).expect("a file");
    path
}

/// Each warning as line, part of expected, part of found; `--strict` reports the same as mistakes.
#[track_caller]
fn check(name: &str, text: &str, expected: &[(usize, &str, &str)]) {
    let path = file(name, text);
    let paths = [path.clone()];
    let linted = lint(&paths, false).expect("no mistakes");
    assert_eq!(linted.files, 1);
    let got: Vec<_> = linted
        .warnings
        .iter()
        .map(|m| format!("{}: {} | {}", m.line, m.expected, m.found))
        .collect();
    assert_eq!(got.len(), expected.len(), "{got:#?}");
    for (warning, (line, part, found)) in linted.warnings.iter().zip(expected) {
        let same = warning.line == *line
            && warning.expected.contains(part)
            && warning.found.contains(found);
        assert!(same, "expected {line}: …{part}… | …{found}… in {got:#?}");
        let place = format!("bad.toml:{line}:");
        let report = linted.report();
        assert!(
            report.contains("warning: expected") && report.contains(&place),
            "{report}"
        );
    }
    match lint(&paths, true) {
        Ok(_) => assert!(expected.is_empty(), "strict has no mistakes"),
        Err(error) => {
            assert_eq!(error.mistakes_found(), linted.warnings.as_slice());
            assert!(error.to_string().contains("error: expected"), "{error}");
        }
    }
    let directory = path.parent().expect("a directory");
    std::fs::remove_dir_all(directory).expect("removed");
}

const HEAD: &str = "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n";

fn pool(name: &str, addresses: &str) -> String {
    format!(
        "[[pool]]\nname = \"{name}\"\nhelo = \"{name}.example.test\"\naddresses = [{addresses}]\n"
    )
}

#[test]
fn no_domain() {
    check("none", HEAD, &[]);
    check(
        "domain",
        "title = \"t\"",
        &[(1, "[[domain]] with the name", "no MX record leads")],
    );
}

#[test]
fn overlapping_pools() {
    let apart = [pool("a", "\"192.0.2.0/29\""), pool("b", "\"192.0.2.8/29\"")];
    check("apart", &format!("{HEAD}{}", apart.concat()), &[]);
    let overlapping = [pool("a", "\"192.0.2.0/29\""), pool("b", "\"192.0.2.6-9\"")];
    check(
        "overlapping",
        &format!("{HEAD}{}", overlapping.concat()),
        &[(
            11,
            "each address in one pool",
            "192.0.2.6 and 1 more, also in pool \"a\"",
        )],
    );
    let mapped = [
        pool("a", "\"192.0.2.1\""),
        pool("b", "\"::ffff:192.0.2.1\""),
    ];
    check(
        "mapped",
        &format!("{HEAD}{}", mapped.concat()),
        &[(11, "each address in one pool", "192.0.2.1, also in pool")],
    );
    check(
        "twice",
        &format!("{HEAD}{}", pool("a", "\"192.0.2.1-3\", \"192.0.2.2\"")),
        &[(7, "and once", "192.0.2.2, twice")],
    );
}

#[test]
fn faults_on_names_in_no_zone() {
    let fault = |head: &str, name: &str| {
        format!("{HEAD}{head}[[fault]]\nname = \"{name}\"\ndo = \"servfail\"\n")
    };
    let zone = "[[zone]]\norigin = \"example.test\"\ntext = \"\"\n";
    for name in [
        "example.test",
        "A.B.EXAMPLE.TEST.",
        "*.example.test",
        "*.test",
        "*.",
        "mx.contoso.test",
    ] {
        check("held", &fault(zone, name), &[]);
    }
    // Pools generate zones too.
    let pool = format!("{}ptr = \"out.farm.test\"\n", pool("a", "\"192.0.2.1\""));
    for name in ["1.2.0.192.in-addr.arpa", "out.farm.test"] {
        check("generated", &fault(&pool, name), &[]);
    }
    for name in [
        "example.tset",
        "test",
        "*.example.com",
        "1.2.0.193.in-addr.arpa",
    ] {
        check(
            "not-held",
            &fault(zone, name),
            &[(8, "a name in a zone", "in no zone")],
        );
    }
    let forward = "[dns]\noutside = \"forward\"\nupstream = \"127.0.0.1:53\"\n";
    check("forwarded", &fault(forward, "elsewhere.test"), &[]);
}

#[test]
fn expectations_of_rules_that_the_receiver_lacks() {
    let expect = |receiver: &str, rule: &str| {
        format!(
            "{HEAD}[[expect]]\nclient = \"192.0.2.1\"\nhelo = \"h.test\"\nreply = \"550\"\nreceiver = \"{receiver}\"\nrule = \"{rule}\"\n"
        )
    };
    check("has", &expect("fcrdns", "iprev"), &[]);
    check(
        "lacks",
        &expect("fcrdns", "helo-fqdn"),
        &[(
            9,
            "a rule of the receiver fcrdns",
            "\"helo-fqdn\", which the receiver does not have",
        )],
    );
}

#[test]
fn clients_outside_every_pool() {
    let expect = |client: &str, more: &str| {
        format!(
            "{HEAD}{}{more}[[expect]]\nclient = \"{client}\"\nhelo = \"h.test\"\nreply = \"550\"\n",
            pool("a", "\"192.0.2.0/30\"")
        )
    };
    check("inside", &expect("192.0.2.3", ""), &[]);
    let outside = (9, "an address of a pool", "192.0.2.9, which is in no pool");
    check("outside", &expect("192.0.2.9", ""), &[outside]);
    let assigned = "[client]\nfrom = { pool = \"a\" }\n";
    check(
        "assigned",
        &expect("192.0.2.9", assigned),
        &[(11, outside.1, outside.2)],
    );
    let socket = "[client]\nfrom = \"socket\"\n";
    check("socket", &expect("192.0.2.9", socket), &[]);
    let nat = "[[client.nat]]\nfrom = \"192.0.2.0/30\"\nto = \"192.0.2.9\"\n";
    check("translated", &expect("192.0.2.9", nat), &[]);
}

#[test]
fn rules_twice() {
    let rule = |lines: &str| format!("[[rule]]\ncheck = \"helo-ptr-match\"\n{lines}");
    let two = |one: &str, other: &str| format!("title = \"t\"\n{}{}", rule(one), rule(other));
    check("modes", &two("mode = \"first\"\n", "mode = \"any\"\n"), &[]);
    check("stages", &two("", "stage = \"mail\"\n"), &[]);
    for lines in ["", "fail = \"550 no\"\n"] {
        check(
            "same",
            &two("", lines),
            &[(4, "each rule once", "a second rule helo-ptr-match")],
        );
    }
    let mode = "mode = \"any\"\n";
    check(
        "same-mode",
        &two(mode, mode),
        &[(5, "each rule once", "helo-ptr-match")],
    );
}

#[test]
fn reply_text_beyond_ascii() {
    let with = |extensions: &str| {
        format!(
            "title = \"t\"\ngreeting = [\"mx.test\", \"grüezi\"]\n[smtp]\n{extensions}\n[[rule]]\ncheck = \"iprev\"\nfail = [\"550-no\", \"550 ungültig\"]\nerror = \"451 später\"\n[[script]]\nstage = \"mail\"\nreply = \"451 später\"\n[replies]\nvrfy = \"252 weiß nicht\"\n"
        )
    };
    check("offered", &with("with = \"SMTPUTF8\""), &[]);
    let expected: Vec<_> = [
        (2, "grüezi"),
        (7, "ungültig"),
        (8, "später"),
        (11, "später"),
        (13, "weiß"),
    ]
    .map(|(line, found)| (line, "ASCII: the receiver does not offer SMTPUTF8", found))
    .into();
    check("not-offered", &with("without = \"SMTPUTF8\""), &expected);
}

/// A warning in one file is reported together with a mistake in another.
#[test]
fn every_file_is_read() {
    let path = file("two", "title = \"t\"\n");
    let other = path.with_file_name("other.toml");
    std::fs::write(&other, "titel = \"u\"\n").expect("a file");
    let directory = path.parent().expect("a directory").to_owned();
    let count = |strict| {
        let error = lint(std::slice::from_ref(&directory), strict).expect_err("a mistake");
        error.mistakes_found().len()
    };
    assert_eq!((count(false), count(true)), (1, 2));
    std::fs::remove_dir_all(&directory).expect("removed");
}

#[test]
fn shipped_files_have_no_warnings() {
    let shipped = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"));
    let linted = lint(&[shipped], true).unwrap_or_else(|error| panic!("{error}"));
    assert!(linted.files > 60, "{}", linted.files);
}
