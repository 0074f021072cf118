//! Files that need a Cargo feature, in a build without it: nothing is left out in silence.

use super::{parse_receiver, parse_scenario};

#[track_caller]
fn check(is_built: bool, feature: &str, line: usize, report: Result<(), crate::Error>) {
    match report {
        Ok(()) => assert!(is_built, "{feature}"),
        Err(error) => {
            let (report, needs) = (
                error.to_string(),
                format!("which needs martinet's Cargo feature {feature:?}"),
            );
            let says_where = report.contains(&format!("{line} |"));
            assert!(
                !is_built && report.contains(&needs) && says_where,
                "{report}"
            );
        }
    }
}

#[test]
fn what_a_build_lacks_is_reported_at_its_line() {
    let receiver = |text: &str| {
        let file = format!("title = \"t\"\n{text}");
        parse_receiver("t", &file).map(|_| ())
    };
    check(
        cfg!(feature = "dkim"),
        "dkim",
        5,
        receiver("[[rule]]\ncheck = \"ptr-exists\"\n[[rule]]\ncheck = \"dkim\"\n"),
    );
    check(
        cfg!(feature = "cram-md5"),
        "cram-md5",
        3,
        receiver("[auth]\nmechanisms = [\"PLAIN\", \"CRAM-MD5\"]\n"),
    );
    let listener = "title = \"t\"\n[[listener]]\naddress = \"127.0.0.1:0\"\nproxy = \"required\"\n";
    check(
        cfg!(feature = "proxy"),
        "proxy",
        4,
        parse_scenario("t", listener).map(|_| ()),
    );
}
