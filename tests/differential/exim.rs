//! The real Exim as a receiver: a daemon in the foreground, with configuration and spool in a directory of the test.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::{LOW_LIMITS, MANY_ERRORS, Program};

/// One daemon for each variant.
pub const PROGRAM: Program = Program {
    name: "exim",
    needs: &["usr/sbin/exim4"],
    profiles: &[
        ("exim-reverse-host-lookup", 2520),
        ("exim-verify-helo", 2530),
    ],
    at_a_time: 24,
    can_time_out: true,
    settings: MANY_ERRORS,
    tables: "",
    start: |foreign, directory| {
        let verify = format!("{MANY}{NO_TLS}helo_verify_hosts = *");
        let plain = format!("{MANY}{NO_TLS}");
        vec![
            start(foreign, directory, 2520, &plain, LOOKUP),
            start(foreign, directory, 2530, &verify, "  accept"),
        ]
    },
};

/// With limits that a session reaches.
pub const LIMITED: Program = Program {
    profiles: &[("exim-reverse-host-lookup", 2620)],
    settings: LOW_LIMITS,
    start: |foreign, directory| {
        let limits = "\
smtp_max_synprot_errors = 3
smtp_max_unknown_commands = 3
recipients_max = 2
message_size_limit = 4000
smtp_receive_timeout = 2s
";
        let settings = format!("{NO_TLS}{limits}");
        vec![start(foreign, directory, 2620, &settings, LOOKUP)]
    },
    ..PROGRAM
};

/// With STARTTLS and AUTH. Exim makes a certificate of its own.
pub const SECURED: Program = Program {
    profiles: &[("exim-reverse-host-lookup", 2660)],
    settings: "smtp.max_errors = 100\nsmtp.starttls = \"offered\"\n",
    tables: "[auth]\nmechanisms = [\"PLAIN\", \"LOGIN\"]\nusers = { a = \"b\" }\n",
    start: |foreign, directory| {
        let settings = format!("{MANY}tls_advertise_hosts = *\n");
        let acl = format!("{LOOKUP}\n{AUTHENTICATORS}");
        vec![start(foreign, directory, 2660, &settings, &acl)]
    },
    ..PROGRAM
};

/// The ACL of `exim-reverse-host-lookup`.
const LOOKUP: &str = "  require verify = reverse_host_lookup\n  accept";
/// Nothing is limited.
const MANY: &str = "smtp_max_synprot_errors = 100\nsmtp_max_unknown_commands = 100\n";
/// STARTTLS is not offered.
const NO_TLS: &str = "tls_advertise_hosts =\n";
/// One user, as the specification's examples have it.
const AUTHENTICATORS: &str = "
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{a}}{eq{$auth3}{b}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{a}}{eq{$auth2}{b}}}}
";

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
smtp_accept_max_nonmail = 1000
rfc1413_query_timeout = 0s
queue_only
acl_smtp_rcpt = rcpt
";

/// Starts an Exim; `settings` are lines of the main section, `acl` is its ACL for RCPT.
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
