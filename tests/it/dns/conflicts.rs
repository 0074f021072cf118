//! Records that no server loads are an error in files, at start, and in a running world.

use martinet::scenario::parse_scenario;

use super::*;

/// Text that no server loads, with the line and a part of the message.
const REFUSED: &[(&str, usize, &str)] = &[
    (
        "a CNAME b\na A 192.0.2.1",
        2,
        "no other data alongside a CNAME",
    ),
    ("@ CNAME b", 1, "no CNAME at the origin"),
    ("a CNAME b\na CNAME c", 2, "one CNAME"),
    ("a DNAME b\na DNAME c", 2, "one DNAME"),
    ("a DNAME b\nx.a A 192.0.2.1", 2, "no data below the DNAME"),
    ("@ SOA a b 1 1 1 1 1\n@ SOA a b 2 1 1 1 1", 2, "one SOA"),
    ("a.other.test. A 192.0.2.1", 1, "a name within the zone"),
];

/// A pool whose PTR records are generated into the same reverse zone as this text.
fn pool(reverse: &str) -> String {
    format!(
        "title = \"t\"\n[[pool]]\nname = \"p\"\naddresses = [\"192.0.2.8-11\"]\nptr = \"out{{n}}.example.test.\"\nhelo = \"out.example.test\"\n[[zone]]\norigin = \"2.0.192.in-addr.arpa\"\ntext = \"\"\"\n{reverse}\n\"\"\"\n"
    )
}

#[test]
fn files_with_such_data_are_refused_at_the_line() {
    for (text, line, part) in REFUSED {
        let scenario =
            format!("title = \"t\"\n[[zone]]\norigin = \"example.test\"\ntext = '''\n{text}\n'''");
        let error = parse_scenario("bad.toml", &scenario).expect_err("a mistake");
        let [mistake] = error.mistakes_found() else {
            panic!("{error}");
        };
        assert_eq!(mistake.line, line + 4, "{error}");
        assert!(mistake.expected.contains(part), "{error}");
    }
}

#[test]
fn generated_records_are_checked_against_zone_text() {
    parse_scenario("t", &pool("8 TXT x\n20 CNAME x.test.")).expect("nothing clashes");
    // RFC 2317: the PTR records of two hosts are aliases to another zone, and a generated record cannot be added to an
    // alias.
    let error =
        parse_scenario("t", &pool("9 CNAME 9.8-11\n10 CNAME 10.8-11")).expect_err("clashes");
    let [mistake] = error.mistakes_found() else {
        panic!("{error}");
    };
    assert_eq!(mistake.line, 2, "the pool: {error}");
    assert!(mistake.expected.contains("alongside a CNAME"), "{error}");
    assert_eq!(
        mistake.found,
        "the generated 9.2.0.192.in-addr.arpa. PTR and 1 more"
    );
    let zone = "[[zone]]\norigin = \"contoso.test\"\ntext = \"mx CNAME other.test.\"\n";
    let domain = format!("title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n{zone}");
    let error = parse_scenario("t", &domain).expect_err("a clash");
    assert!(
        error
            .to_string()
            .contains("the generated mx.contoso.test. A"),
        "{error}"
    );
}

#[test]
fn lint_and_serve_refuse_such_a_file() {
    let directory = std::env::temp_dir().join(format!("martinet-conflicts-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("bad.toml");
    std::fs::write(&path, pool("9 CNAME 9.8-11")).expect("a file");
    let path = path.to_str().expect("a path");
    for arguments in [&["lint", path][..], &["serve", "--scenario", path]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_martinet"))
            .args(arguments)
            .output()
            .expect("martinet runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {stderr}");
        assert!(
            stderr.contains("no other data alongside a CNAME"),
            "{stderr}"
        );
    }
    std::fs::remove_dir_all(&directory).expect("removed");
}

/// `PUT /zones` refuses the zone: the world does not change.
#[tokio::test]
async fn a_running_world_refuses_such_a_zone() {
    let world = world(&pool("8 TXT x")).await;
    for (text, line, part) in REFUSED {
        let error = world.set_zone("example.test", text).expect_err("a mistake");
        let [mistake] = error.mistakes_found() else {
            panic!("{error}");
        };
        assert_eq!(mistake.line, *line, "{error}");
        assert!(mistake.expected.contains(part), "{error}");
    }
    let error = world
        .set_zone("192.in-addr.arpa", "8.2.0 PTR a.test.")
        .expect_err("a mistake");
    let part = "zone 2.0.192.in-addr.arpa. holds it";
    assert!(error.to_string().contains(part), "{error}");
    let answer = ask(world.dns_addr(), "out2.example.test", Transport::Udp).await;
    assert_eq!(summary(&answer.expect("an answer")), "NoError 192.0.2.9");
    // A zone that was set has only its own records and no generated ones, so nothing conflicts.
    world
        .set_zone("2.0.192.in-addr.arpa", "9 CNAME 9.8-11")
        .expect("a zone");
}

/// A zone that would hide records of its parent zone is refused, as `lint` refuses both together; a delegation is
/// permitted.
#[tokio::test]
async fn a_zone_that_hides_records_is_refused() {
    let scenario = format!(
        "{}[[zone]]\norigin = \"parent.test.\"\ntext = \"\"\"\nb.sub TXT x\na.sub A 192.0.2.1\nchild NS ns.child\nns.child A 192.0.2.2\n\"\"\"\n",
        pool("8 TXT x")
    );
    let world = world(&scenario).await;
    let error = world
        .set_zone("sub.parent.test", "c A 192.0.2.3")
        .expect_err("records are hidden");
    let [mistake] = error.mistakes_found() else {
        panic!("{error}");
    };
    let expected = "each name in one zone: zone sub.parent.test. holds it";
    assert_eq!(
        (mistake.expected.as_str(), mistake.found.as_str()),
        (expected, "a.sub.parent.test. A")
    );
    let answer = ask(world.dns_addr(), "a.sub.parent.test", Transport::Udp).await;
    assert_eq!(summary(&answer.expect("an answer")), "NoError 192.0.2.1");
    world
        .set_zone("child.parent.test", "@ A 192.0.2.4\nns A 192.0.2.2")
        .expect("it is delegated");
    let answer = ask(world.dns_addr(), "child.parent.test", Transport::Udp).await;
    assert_eq!(summary(&answer.expect("an answer")), "NoError 192.0.2.4");
}

#[test]
fn a_pool_below_a_delegation_is_refused() {
    let delegated = pool("8-11 NS ns.example.test.\n9 NS ns.example.test.");
    let error = parse_scenario("t", &delegated).expect_err("a clash");
    let part = "expected no data at or below 9.2.0.192.in-addr.arpa., which NS records delegate (RFC 1034 §4.2.1), in the text of the zone";
    assert!(error.to_string().contains(part), "{error}");
}
