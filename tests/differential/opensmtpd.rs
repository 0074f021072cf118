//! The real OpenSMTPD as a receiver: its daemon in the foreground. Its paths are compiled in; lab.sh mounts other
//! directories there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::{MANY_ERRORS, Program};

/// One daemon.
pub const PROGRAM: Program = Program {
    name: "opensmtpd",
    needs: &["usr/sbin/smtpd"],
    profiles: &[("opensmtpd-fcrdns", 2540)],
    at_a_time: 1,
    can_time_out: false,
    settings: MANY_ERRORS,
    tables: "",
    start: |foreign, directory| vec![start(foreign, directory)],
};

/// The filters of the profile. Mail is relayed to a port without a listener, so it stays in the queue.
const CONFIGURATION: &str = r#"
smtp max-message-size 36700160
filter "norev" phase connect match !rdns disconnect "550 no rDNS"
filter "nofwd" phase connect match !fcrdns disconnect "550 no FCrDNS"
filter "both" chain { "norev", "nofwd" }
listen on 198.51.100.25 port 2540 hostname mx.martinet.test filter "both"
listen on 2001:db8::25 port 2540 hostname mx.martinet.test filter "both"
action "out" relay host smtp://127.0.0.1:9
match from any for domain "contoso.test" action "out"
match from any for any action "out"
"#;

fn start(foreign: &Foreign, directory: &Path) -> std::process::Child {
    let configuration = directory.join("smtpd.conf");
    fs::write(&configuration, CONFIGURATION.trim_start()).expect("smtpd.conf");
    chown("root:root", "644", &configuration);
    fs::create_dir_all("/var/lib/opensmtpd/empty").expect("a directory");
    fs::create_dir_all("/var/spool/smtpd").expect("a directory");
    chown("root:root", "711", Path::new("/var/spool/smtpd"));
    Command::new(foreign.path("usr/sbin/smtpd"))
        .args(["-d", "-f"])
        .arg(&configuration)
        .env("LD_LIBRARY_PATH", foreign.libraries())
        .stdin(Stdio::null())
        .spawn()
        .expect("OpenSMTPD runs")
}
