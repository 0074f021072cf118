//! The real Sendmail as a receiver: its daemon in the foreground, with a configuration that m4 makes from Sendmail's
//! macros.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::{MANY_ERRORS, Program};

/// One daemon.
pub const PROGRAM: Program = Program {
    name: "sendmail",
    needs: &[
        "usr/libexec/sendmail/sendmail",
        "usr/share/sendmail/cf/m4/cf.m4",
        "usr/bin/m4",
    ],
    profiles: &[("sendmail-rdns", 2550)],
    at_a_time: 24,
    can_time_out: true,
    settings: MANY_ERRORS,
    tables: "",
    start: |foreign, directory| vec![start(foreign, directory)],
};

/// The configuration that the profile models. Mail stays in the queue; nothing is limited.
const MACROS: &str = "divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.martinet.test')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`confTO_IDENT', `0s')dnl
define(`confTO_RESOLVER_RETRANS', `1s')dnl
define(`confTO_RESOLVER_RETRY', `1')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confRUN_AS_USER', `root')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`require_rdns')dnl
FEATURE(`block_bad_helo')dnl
DAEMON_OPTIONS(`Name=4, Family=inet, Addr=198.51.100.25, Port=2550')dnl
DAEMON_OPTIONS(`Name=6, Family=inet6, Addr=2001:db8::25, Port=2550')dnl
MAILER(`smtp')dnl
";

fn start(foreign: &Foreign, directory: &Path) -> Child {
    let queue = directory.join("queue");
    fs::create_dir_all(&queue).expect("a directory");
    chown("root:root", "700", &queue);
    // The packaged program has its own group (set-group-ID), and then the linker ignores LD_LIBRARY_PATH.
    let program = directory.join("sendmail");
    fs::copy(foreign.path("usr/libexec/sendmail/sendmail"), &program).expect("a copy");
    chown("root:root", "755", &program);
    let configuration = directory.join("sendmail.cf");
    fs::write(&configuration, configured(foreign, directory)).expect("sendmail.cf");
    chown("root:root", "644", &configuration);
    Command::new(&program)
        .arg("-C")
        .arg(&configuration)
        .arg("-bD")
        .env("LD_LIBRARY_PATH", foreign.libraries())
        .stdin(Stdio::null())
        .spawn()
        .expect("Sendmail runs")
}

/// The output of m4.
fn configured(foreign: &Foreign, directory: &Path) -> Vec<u8> {
    let define = |name: &str, value: &Path| format!("define(`{name}', `{}')dnl\n", value.display());
    let macros = directory.join("sendmail.mc");
    let paths = define("QUEUE_DIR", &directory.join("queue"))
        + &define("confPID_FILE", &directory.join("pid"))
        + &define("HELP_FILE", &foreign.path("etc/mail/helpfile"));
    fs::write(&macros, format!("{paths}{MACROS}")).expect("sendmail.mc");
    let output = Command::new(foreign.path("usr/bin/m4"))
        .arg(format!(
            "-D_CF_DIR_={}/",
            foreign.path("usr/share/sendmail/cf").display()
        ))
        .arg(foreign.path("usr/share/sendmail/cf/m4/cf.m4"))
        .arg(&macros)
        .stderr(Stdio::null())
        .output()
        .expect("m4 runs");
    assert!(output.status.success(), "m4 fails");
    output.stdout
}
