//! Skipped parts of tests. A test runner does not show the output of a passing test, so each skip is also written to
//! the file that `MARTINET_SKIPS` names; `scripts/test.sh` prints that file at its end.

use std::io::Write;

/// Records that something is not tested on this machine, and why. With `MARTINET_FOREIGN=required` it fails instead.
#[track_caller]
pub fn skip(what: &str) {
    let required = std::env::var("MARTINET_FOREIGN").is_ok_and(|value| value == "required");
    assert!(!required, "required here: {what}");
    record(what);
}

/// Records a skip that is allowed everywhere.
pub fn record(what: &str) {
    println!("skipped: {what}");
    if let Some(file) = std::env::var_os("MARTINET_SKIPS") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        // One write, because tests run concurrently.
        file.and_then(|mut file| file.write_all(format!("{what}\n").as_bytes()))
            .expect("MARTINET_SKIPS names a file that can be written");
    }
}
