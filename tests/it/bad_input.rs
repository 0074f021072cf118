//! Mistakes in files: all are reported at once, with file, line, expected and found.

use martinet::scenario::{load_receiver, load_scenario, parse_receiver, parse_scenario};

/// Compares mistakes with (line, part of expected, part of found).
#[track_caller]
fn check(error: martinet::Error, expected: &[(usize, &str, &str)]) {
    assert!(error.is_scenario(), "{error}");
    let mistakes = error.mistakes_found();
    let got: Vec<_> = mistakes
        .iter()
        .map(|m| format!("{}: {} | {}", m.line, m.expected, m.found))
        .collect();
    assert_eq!(got.len(), expected.len(), "{got:#?}");
    for (mistake, (line, part, found)) in mistakes.iter().zip(expected) {
        assert_eq!(mistake.line, *line, "{got:#?}");
        assert!(
            mistake.expected.contains(part),
            "expected …{part}… in {got:#?}"
        );
        assert!(mistake.found.contains(found), "found …{found}… in {got:#?}");
        assert!(
            error
                .to_string()
                .contains(&format!("{}:{line}", mistake.file)),
            "{error}"
        );
    }
}

#[track_caller]
pub(crate) fn scenario(text: &str, expected: &[(usize, &str, &str)]) {
    check(
        parse_scenario("bad.toml", text).expect_err("a mistake"),
        expected,
    );
}

#[track_caller]
pub(crate) fn receiver(text: &str, expected: &[(usize, &str, &str)]) {
    check(
        parse_receiver("bad.toml", text).expect_err("a mistake"),
        expected,
    );
}

#[test]
fn broken_toml() {
    scenario("title = \"t\"\nfoo = [1,", &[(2, "TOML", "")]);
    scenario("title = \"t\"\ntitle = \"u\"", &[(2, "TOML", "duplicate")]);
}

#[test]
fn keys() {
    scenario(
        "title = \"t\"\nsorces = []",
        &[(2, "a known key", "\"sorces\": did you mean \"sources\"?")],
    );
    scenario("sources = [\"x\"]", &[(1, "the key \"title\"", "none")]);
    scenario("title = 1", &[(1, "a string", "1")]);
    scenario(
        "title = \"t\"\n[[pool]]\nname = \"p\"\nhelo = \"h\"\naddresses = [\"192.0.2.1\"]\nptrs = \"x\"",
        &[(6, "a known key", "\"ptrs\": did you mean \"ptr\"?")],
    );
}

#[test]
fn addresses_and_names() {
    let pool =
        |line: &str| format!("title = \"t\"\n[[pool]]\nname = \"p\"\nhelo = \"h.test\"\n{line}");
    scenario(
        &pool("addresses = [\"192.0.2.300\"]"),
        &[(5, "a range", "192.0.2.300")],
    );
    scenario(
        &pool("addresses = [\"192.0.2.1\", \"192.0.2.9-1\"]"),
        &[(5, "a range", "192.0.2.9-1")],
    );
    scenario(
        &pool("addresses = [\"192.0.2.1\"]\nptr = \"{x}.test\""),
        &[(6, "a host name", "{x}.test")],
    );
    scenario(
        &pool("addresses = [\"192.0.2.1\"]\nhelo_addresses = 2"),
        &[(6, "at most 1", "2")],
    );
    scenario(
        "title = \"t\"\n[client]\nfrom = \"192.0.2\"",
        &[(3, "\"socket\", or an address", "192.0.2")],
    );
    scenario(
        "title = \"t\"\n[client]\nfrom = { pool = \"x\" }",
        &[(3, "one of", "unknown pool \"x\"")],
    );
    scenario(
        "title = \"t\"\n[client]\nfrom = { map = { a = \"192.0.2.1\" } }",
        &[(3, "an address", "\"a\"")],
    );
}

/// A value without any meaning is a mistake at its own line.
#[test]
fn sources_without_addresses_and_seeds_without_use() {
    let pool =
        "title = \"t\"\n[[pool]]\nname = \"p\"\nhelo = \"h.test\"\naddresses = [\"192.0.2.1\"]\n";
    let from = |source: &str| format!("{pool}[client]\n\nfrom = {source}");
    scenario(
        &pool.replace("\"192.0.2.1\"", ""),
        &[(5, "at least one address in addresses", "none")],
    );
    scenario(&from("{ pool = [] }"), &[(8, "at least one pool", "none")]);
    scenario(
        &from("{ map = {} }"),
        &[(8, "at least one address in map", "none")],
    );
    for source in [
        "{ pool = \"p\", seed = 7 }",
        "{ pool = \"p\", order = \"round-robin\", seed = 7 }",
        "{ map = { \"127.0.0.1\" = \"192.0.2.1\" }, seed = 7 }",
    ] {
        scenario(
            &from(source),
            &[(8, "order = \"random\"", "seed = 7 without it")],
        );
    }
    scenario(
        &from("{ map = { \"127.0.0.1\" = \"192.0.2.1\" }, order = \"round-robin\" }"),
        &[(8, "with pool", "with map")],
    );
    scenario(
        &format!("{pool}[[fault]]\nname = \"a.test\"\ndo = \"servfail\"\nseed = 7"),
        &[(9, "jitter or order = \"seeded\"", "seed = 7")],
    );
    scenario(
        &format!(
            "{pool}[[fault]]\nname = \"a.test\"\ndo = \"reorder\"\norder = \"fixed\"\nseed = 7"
        ),
        &[(10, "jitter or order = \"seeded\"", "seed = 7")],
    );
    receiver(
        "title = \"t\"\n[[script]]\nstage = \"rcpt\"\nreply = \"451 x\"\nseed = 7",
        &[(5, "a probability", "seed = 7 without it")],
    );
}

#[test]
fn zones() {
    scenario(
        "title = \"t\"\n[[zone]]\ntext = \"\"",
        &[(2, "the key \"origin\"", "none")],
    );
    scenario(
        "title = \"t\"\n[[zone]]\norigin = \"a.test\"",
        &[(2, "text = ", "neither")],
    );
    scenario(
        "title = \"t\"\n[[zone]]\norigin = \"a.test\"\ntext = \"\"\"\nok A 192.0.2.1\nbad A 300.1.1.1\nworse FOO x\n\"\"\"",
        &[
            (6, "an IPv4 address", "300.1.1.1"),
            (7, "a record type", "FOO"),
        ],
    );
    scenario(
        "title = \"t\"\n[[zone]]\norigin = \"a.test\"\ntext = \"x A 1\"",
        &[(4, "an IPv4 address", "1")],
    );
    let two = "title = \"t\"\n[[zone]]\norigin = \"a.test\"\ntext = \"\"\n[[zone]]\norigin = \"A.test.\"\ntext = \"\"";
    scenario(two, &[(5, "one zone for each origin", "a second zone")]);
    let nested = "title = \"t\"\n[[zone]]\norigin = \"a.test\"\ntext = '''\nx.b A 192.0.2.1\n'''\n[[zone]]\norigin = \"b.a.test\"\ntext = \"\"";
    scenario(nested, &[(5, "zone b.a.test. holds it", "x.b.a.test.")]);
    let outside =
        "title = \"t\"\n[[zone]]\norigin = \"a.test\"\ntext = '''\nx.other.test. A 192.0.2.1\n'''";
    scenario(
        outside,
        &[(5, "a name within the zone a.test.", "x.other.test.")],
    );
    scenario(
        "title = \"t\"\n[[zone]]\norigin = \"a.test\"\nfile = \"/nonexistent.zone\"",
        &[(4, "a zone file that can be read", "nonexistent")],
    );
}

#[test]
fn faults_and_expectations() {
    scenario(
        "title = \"t\"\n[[fault]]\nname = \"a.test\"\ndo = \"explode\"",
        &[(4, "one of nxdomain", "explode")],
    );
    scenario(
        "title = \"t\"\n[[fault]]\nname = \"a.test\"",
        &[(2, "do = ", "none")],
    );
    scenario(
        "title = \"t\"\n[[fault]]\nname = \"a.test\"\ndo = \"delay\"",
        &[(2, "delay = ", "none")],
    );
    scenario(
        "title = \"t\"\n[[fault]]\nname = \"a.test\"\ndo = \"delay\"\ndelay = \"soon\"",
        &[(5, "a time", "soon")],
    );
    let fault = |lines: &str| format!("title = \"t\"\n[[fault]]\nname = \"a.test\"\n{lines}");
    scenario(&fault("do = \"ttl\""), &[(2, "ttl = 0", "none")]);
    scenario(
        &fault("do = \"reorder\"\norder = \"up\""),
        &[(5, "round-robin", "up")],
    );
    scenario(
        &fault("do = \"drop\"\ntimes = 2\nevery = 2"),
        &[(6, "above times = 2", "2")],
    );
    scenario(
        &fault("do = \"drop\"\ndelay = \"1s\""),
        &[(5, "no delay", "delay")],
    );
    scenario(
        &fault("do = \"tcp-hang\"\ntransport = \"udp\""),
        &[(5, "tcp", "udp")],
    );
    scenario(
        &fault("do = \"drop\"\ntype = \"FOO\""),
        &[(5, "a record type", "FOO")],
    );
    let dns = |lines: &str| format!("title = \"t\"\n[dns]\n{lines}");
    scenario(&dns("outside = \"forward\""), &[(3, "upstream = ", "none")]);
    scenario(
        &dns("upstream = \"127.0.0.1:53\""),
        &[(3, "outside = \"forward\"", "none")],
    );
    scenario(
        &dns("outside = \"forward\"\nupstream = \"localhost\""),
        &[(4, "an address and a port", "localhost")],
    );
    scenario(
        &dns("axfr = \"all\"\nrecursion = true"),
        &[
            (3, "one of refused, loopback", "all"),
            (4, "recursion_available", "recursion"),
        ],
    );
    scenario(
        "title = \"t\"\n[[expect]]\nclient = \"x\"\nhelo = \"h\"\nreply = \"9\"\nrule = \"nope\"",
        &[
            (3, "an address", "x"),
            (5, "a reply such as", "9"),
            (6, "one of pregreet", "unknown check \"nope\""),
        ],
    );
    scenario(
        "title = \"t\"\n[[expect]]\nask = \"a.test\"",
        &[(3, "a name and a type", "a.test")],
    );
}

#[test]
fn receivers() {
    let rule = |lines: &str| format!("title = \"t\"\n[[rule]]\n{lines}");
    receiver(
        &rule("check = \"ptr-exist\""),
        &[(3, "a known check", "did you mean \"ptr-exists\"?")],
    );
    receiver(
        &rule("stage = \"mail\""),
        &[(2, "the key \"check\"", "none")],
    );
    receiver(
        &rule("check = \"iprev\"\nmode = \"any\""),
        &[(4, "one of", "unknown key \"mode\"")],
    );
    receiver(
        &rule("check = \"helo-ptr-match\"\nmode = \"exact\""),
        &[(4, "one of first, any", "exact")],
    );
    receiver(
        &rule("check = \"helo-fqdn\"\nstage = \"connect\""),
        &[(4, "a stage from helo on", "connect")],
    );
    receiver(
        &rule("check = \"iprev\"\nstage = \"late\""),
        &[(4, "one of connect", "late")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = \"no\""),
        &[(4, "a reply line", "no")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = \"550 {who}\""),
        &[(4, "one of {ip}", "{who}")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = \"550 4.7.25 no\""),
        &[(4, "an enhanced code of class 5", "4.7.25")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = [\"550 a\", \"550 b\"]"),
        &[(4, "a hyphen after the code", "550 a")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = [\"550-a\", \"551 b\"]"),
        &[(4, "the same reply code", "551 b")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = \"250 ok\""),
        &[(4, "a 4yz or 5yz reply", "250")],
    );
    receiver(
        &rule("check = \"iprev\"\nerror = \"550 no\""),
        &[(4, "never a 5yz", "550")],
    );
    receiver(
        &rule("check = \"iprev\"\nfail = \"550 a\\r\\nb\""),
        &[(4, "without CR, LF", "a")],
    );
    receiver(
        &rule(&format!(
            "check = \"iprev\"\nfail = \"550 {}\"",
            "x".repeat(510)
        )),
        &[(4, "at most 512 octets", "516 octets")],
    );
    receiver(
        "title = \"t\"\n[[allow]]\nchecks = [\"iprev\"]",
        &[(2, "addresses, ptr_suffix, helo_suffix", "none")],
    );
    receiver(
        "title = \"t\"\n[iprev]\nptr_names = 0",
        &[(3, "a number from 1", "0")],
    );
    receiver(
        "title = \"t\"\nhostname = \"a b\"\nsmtp.without = \"TURN\"",
        &[(2, "a host name", "a b"), (3, "one of PIPELINING", "TURN")],
    );
}

#[test]
fn scores_and_times() {
    let rule = |text: &str| format!("title = \"t\"\n[[rule]]\n{text}");
    let part = |text: &str| rule(&format!("check = \"score\"\n[[rule.weights]]\n{text}"));
    receiver(
        &rule("check = \"greylist\"\ndelay = 5"),
        &[(4, "a time such as", "5")],
    );
    receiver(
        &rule("check = \"greylist\"\ndelay = \"soon\""),
        &[(4, "a time such as", "soon")],
    );
    receiver(
        &rule("check = \"limits\"\nmesages = 3"),
        &[(4, "a known key", "did you mean \"messages\"?")],
    );
    receiver(
        &rule("check = \"score\"\nreject = 1.234"),
        &[(4, "at most two decimal places", "1.234")],
    );
    receiver(&part("check = \"helo-fqdn\""), &[(4, "score", "none")]);
    receiver(
        &part("check = \"helo-fqnd\"\nscore = 1.0"),
        &[(5, "a known check", "did you mean \"helo-fqdn\"?")],
    );
    receiver(
        &part("check = \"helo-fqdn\"\nscore = 1.0\nmx = true"),
        &[(7, "one of check", "mx")],
    );
    receiver(
        &part("check = \"score\"\nscore = 1.0"),
        &[(5, "a check other than score", "score")],
    );
    receiver(
        &rule("check = \"non-smtp-command\"\nfail = \"250 fine\""),
        &[(4, "a 221, 4yz or 5yz", "250")],
    );
}

#[test]
fn all_mistakes_at_once_with_their_source() {
    let error = parse_scenario("many.toml", "title = 1\nfoo = 2\n[[pool]]\nhelo = 3\n")
        .expect_err("mistakes");
    assert_eq!(error.mistakes_found().len(), 5, "{error}");
    let report = error.to_string();
    assert!(
        report.contains("expected a string, found 1") && report.contains("1 | title = 1"),
        "{report}"
    );
}

#[test]
fn names_and_files_that_do_not_exist() {
    let error = load_scenario("ofice365")
        .expect_err("no such scenario")
        .to_string();
    assert!(
        error.contains("unknown scenario \"ofice365\": did you mean \"office365\"?"),
        "{error}"
    );
    assert!(
        load_receiver("./nonexistent.toml")
            .expect_err("no such file")
            .is_environment()
    );
}

#[test]
fn senders_and_domains() {
    for bad in [
        "nobody",
        "@example.test",
        "a@",
        "a b@example.test",
        "<a@example.test>",
        "a@-x.test",
    ] {
        scenario(
            &format!("title = \"t\"\nsender = \"{bad}\""),
            &[(2, "a mailbox such as", bad)],
        );
    }
    for good in [
        "",
        "a@example.test",
        "\\\"a b\\\"@example.test",
        "a@[192.0.2.1]",
        "jörg@exämple.test",
    ] {
        let text = format!("title = \"t\"\nsender = \"{good}\"");
        assert!(parse_scenario("good.toml", &text).is_ok(), "{good}");
    }
    scenario(
        "title = \"t\"\n[[domain]]\nname = \"a.test\"\n[[domain]]\nname = \"b.test\"\n[[domain]]\nname = \"A.Test.\"",
        &[(6, "each recipient domain once", "a second domain")],
    );
}

#[test]
fn rules_that_never_apply() {
    let rule = |text: &str| format!("title = \"t\"\n[[rule]]\n{text}");
    receiver(
        &rule("check = \"iprev\"\nstage = \"mail\"\nafter = \"each-command\""),
        &[(5, "a rule with stage = \"connect\"", "each-command")],
    );
    receiver(
        &rule("check = \"bare-lf\"\nonce = true"),
        &[(4, "a check that is judged at a stage", "bare-lf")],
    );
    for check in ["dnsbl", "rhsbl-helo", "rhsbl-sender"] {
        receiver(
            &rule(&format!("check = \"{check}\"")),
            &[(2, "with the name of a block list", "none")],
        );
        receiver(
            &rule(&format!("check = \"{check}\"\nzones = []")),
            &[(4, "with the name of a block list", "none")],
        );
        receiver(
            &rule(&format!(
                "check = \"{check}\"\nzones = [\"bl.test\", \"a..b\"]"
            )),
            &[(4, "the names of block lists", "a..b")],
        );
        receiver(
            &rule(&format!(
                "check = \"score\"\n[[rule.weights]]\nscore = 1.0\ncheck = \"{check}\""
            )),
            &[(4, "with the name of a block list", "none")],
        );
    }
    for (thresholds, line) in [
        ("reject = 5.0\ndefer = 5.01", 5),
        ("reject = 5.0\ndefer = 5.0", 5),
        ("defer = 16.0", 4),
    ] {
        receiver(
            &rule(&format!("check = \"score\"\n{thresholds}")),
            &[(line, "a threshold below reject", "not below it")],
        );
    }
    let good = rule("check = \"score\"\nreject = 5.0\ndefer = 4.99");
    assert!(parse_receiver("good.toml", &good).is_ok());
}
