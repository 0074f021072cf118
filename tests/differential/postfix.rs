//! The real Postfix as a receiver: its master process, configuration and queue are in a directory of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::{LOW_LIMITS, MANY_ERRORS, Program};

/// Both variants are services of one master.
pub const PROGRAM: Program = Program {
    name: "postfix",
    needs: &["usr/lib/postfix/sbin/master"],
    profiles: &[("postfix-strict", 2500), ("postfix-no-delay", 2510)],
    at_a_time: 24,
    can_time_out: true,
    settings: MANY_ERRORS,
    tables: "",
    start: |foreign, directory| {
        let variants: [(u16, &[&str]); 2] = [(2500, &STRICT), (2510, &["smtpd_delay_reject=no"])];
        vec![start(foreign, directory, &variants)]
    },
};

/// Postfix with limits that a session reaches.
pub const LIMITED: Program = Program {
    profiles: &[("postfix-strict", 2600)],
    settings: LOW_LIMITS,
    start: |foreign, directory| {
        let limits = [
            "smtpd_hard_error_limit=3",
            "smtpd_recipient_limit=2",
            "smtpd_timeout=2s",
            "message_size_limit=4000",
        ];
        let options = [&STRICT[..], &limits].concat();
        vec![start(foreign, directory, &[(2600, &options)])]
    },
    ..PROGRAM
};

/// Postfix with encryption required.
pub const SECURED: Program = Program {
    profiles: &[("postfix-strict", 2640)],
    settings: "smtp.max_errors = 100\nsmtp.starttls = \"offered\"\n",
    tables: "[[rule]]\ncheck = \"tls-required\"\nfail = \"530 5.7.0 Must issue a STARTTLS command first\"\n",
    start: |foreign, directory| {
        let (certificate, key) = certificate(directory);
        let certificate = format!("smtpd_tls_cert_file={}", certificate.display());
        let key = format!("smtpd_tls_key_file={}", key.display());
        let encrypted = ["smtpd_tls_security_level=encrypt", &certificate, &key];
        let options = [&STRICT[..], &encrypted].concat();
        vec![start(foreign, directory, &[(2640, &options)])]
    },
    ..PROGRAM
};

/// Makes a certificate and its key.
fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    let status = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args(["-subj", "/CN=mx.martinet.test", "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .stderr(Stdio::null())
        .status()
        .expect("openssl runs");
    assert!(status.success(), "openssl makes a certificate");
    (certificate, key)
}

/// What makes Postfix judge as `postfix-strict` does.
const STRICT: [&str; 2] = [
    "smtpd_delay_reject=yes",
    "smtpd_sender_restrictions=reject_unknown_sender_domain",
];

/// Settings that all variants share: no delays, no limits, no trusted clients.
const MAIN: &str = "
compatibility_level = 3.6
myhostname = mx.martinet.test
mydestination = contoso.test
mynetworks = 0.0.0.0/0, [::]/0
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = all
inet_protocols = all
mail_owner = postfix
setgid_group = postdrop
default_process_limit = 60
smtpd_banner = $myhostname ESMTP
smtpd_helo_required = yes
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_restrictions = reject_unknown_reverse_client_hostname, reject_unknown_client_hostname
smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 100
smtpd_hard_error_limit = 100
smtpd_junk_command_limit = 1000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
";

/// Queue directories, their owner and mode.
const QUEUE: &[(&str, &str, &str)] = &[
    ("pid", "root:root", "755"),
    ("private", "postfix:root", "700"),
    ("public", "postfix:postdrop", "710"),
    ("maildrop", "postfix:postdrop", "730"),
    ("active", "postfix:root", "700"),
    ("bounce", "postfix:root", "700"),
    ("corrupt", "postfix:root", "700"),
    ("defer", "postfix:root", "700"),
    ("deferred", "postfix:root", "700"),
    ("flush", "postfix:root", "700"),
    ("hold", "postfix:root", "700"),
    ("incoming", "postfix:root", "700"),
    ("saved", "postfix:root", "700"),
    ("trace", "postfix:root", "700"),
];

/// Starts Postfix with one smtpd service for each port and its `-o` settings.
fn start(foreign: &Foreign, directory: &Path, variants: &[(u16, &[&str])]) -> Child {
    let configuration = directory.join("etc");
    fs::create_dir_all(&configuration).expect("a directory");
    fs::write(configuration.join("main.cf"), main_cf(foreign, directory)).expect("main.cf");
    fs::write(configuration.join("master.cf"), master_cf(variants)).expect("master.cf");
    for name in ["dynamicmaps.cf", "postfix-files"] {
        fs::write(configuration.join(name), "").expect("an empty file");
    }
    queue(directory);
    Command::new(foreign.path("usr/lib/postfix/sbin/master"))
        .args([Path::new("-c"), &configuration, Path::new("-d")])
        .env("LD_LIBRARY_PATH", foreign.libraries())
        .env("MAIL_CONFIG", &configuration)
        .stdin(Stdio::null())
        .spawn()
        .expect("Postfix's master runs")
}

fn main_cf(foreign: &Foreign, directory: &Path) -> String {
    let setting = |name: &str, path: PathBuf| format!("{name} = {}\n", path.display());
    let mut text = MAIN.trim_start().to_owned();
    text += &setting("queue_directory", directory.join("queue"));
    text += &setting("data_directory", directory.join("data"));
    text += &setting("maillog_file", directory.join("log"));
    text += &setting("maillog_file_prefixes", directory.to_owned());
    text += &setting("daemon_directory", foreign.path("usr/lib/postfix/sbin"));
    text += &setting("command_directory", foreign.path("usr/sbin"));
    text += &setting("shlib_directory", foreign.path("usr/lib/postfix"));
    text += &setting("meta_directory", directory.join("etc"));
    text + "import_environment = MAIL_CONFIG LD_LIBRARY_PATH\n"
}

fn master_cf(variants: &[(u16, &[&str])]) -> String {
    let mut text = String::new();
    for (port, options) in variants {
        text += &format!("{port} inet n - n - - smtpd\n");
        text.extend(options.iter().map(|option| format!("  -o {option}\n")));
    }
    text + "cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
"
}

fn queue(directory: &Path) {
    fs::create_dir_all(directory.join("data")).expect("a directory");
    chown("postfix:root", "700", &directory.join("data"));
    for (name, owner, mode) in QUEUE {
        let path = directory.join("queue").join(name);
        fs::create_dir_all(&path).expect("a directory");
        chown(owner, mode, &path);
    }
}
