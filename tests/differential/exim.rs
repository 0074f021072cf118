//! The real Exim as a receiver: a daemon in the foreground, its configuration and spool in a directory of the test's.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::Program;

/// One daemon for each variant.
pub const PROGRAM: Program = Program {
    name: "exim",
    needs: &["usr/sbin/exim4"],
    profiles: &[
        ("exim-reverse-host-lookup", 2520),
        ("exim-verify-helo", 2530),
    ],
    at_a_time: 24,
    patient: true,
    start: |foreign, directory| {
        let lookup = "  require verify = reverse_host_lookup\n  accept";
        let verify = "helo_verify_hosts = *";
        vec![
            start(foreign, directory, 2520, "", lookup),
            start(foreign, directory, 2530, verify, "  accept"),
        ]
    },
};

/// Settings that all variants share. Nothing is delivered, nothing is limited.
const COMMON: &str = "
primary_hostname = mx.martinet.test
exim_user = Debian-exim
exim_group = Debian-exim
local_interfaces = <; 0.0.0.0 ; ::0
dns_retrans = 1s
dns_retry = 1
smtp_accept_max = 0
smtp_connect_backlog = 200
smtp_enforce_sync = false
smtp_max_synprot_errors = 100
smtp_max_unknown_commands = 100
smtp_accept_max_nonmail = 1000
rfc1413_query_timeout = 0s
tls_advertise_hosts =
queue_only
acl_smtp_rcpt = rcpt
";

/// Starts an Exim; `settings` stand in the main section, `acl` is its ACL for RCPT.
fn start(foreign: &Foreign, lab: &Path, port: u16, settings: &str, acl: &str) -> Child {
    let directory = lab.join(format!("exim-{port}"));
    let spool = directory.join("spool");
    fs::create_dir_all(&spool).expect("a directory");
    chown("Debian-exim:Debian-exim", "750", &spool);
    let configuration = directory.join("exim.conf");
    let paths = format!(
        "spool_directory = {0}/spool\nlog_file_path = {0}/spool/%slog\npid_file_path = {0}/spool/pid\n",
        directory.display()
    );
    let text = format!(
        "{}{paths}{settings}\nbegin acl\nrcpt:\n{acl}\n",
        COMMON.trim_start()
    );
    fs::write(&configuration, text).expect("exim.conf");
    Command::new(foreign.path("usr/sbin/exim4"))
        .arg("-C")
        .arg(&configuration)
        .args(["-bdf", "-oX", &port.to_string()])
        .env("LD_LIBRARY_PATH", foreign.libraries())
        .stdin(Stdio::null())
        .spawn()
        .expect("Exim runs")
}
