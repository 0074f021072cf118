//! The real Haraka as a receiver: node in the foreground, with Haraka's plugins for reverse DNS and HELO, and one of
//! the test.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::Foreign;
use crate::receivers::{MANY_ERRORS, Program};

/// One process.
pub const PROGRAM: Program = Program {
    name: "haraka",
    needs: &["haraka/node_modules/Haraka/bin/haraka"],
    profiles: &[("haraka-all", 2560)],
    at_a_time: 24,
    can_time_out: true,
    settings: MANY_ERRORS,
    tables: "",
    start: |foreign, directory| vec![start(foreign, directory)],
};

/// Files of its configuration, below its directory. Every check of the two plugins is set to refuse.
const FILES: &[(&str, &str)] = &[
    ("config/me", "mx.martinet.test\n"),
    ("config/plugins", "lab\nfcrdns\nhelo.checks\n"),
    ("config/log.ini", "[main]\nlevel=WARN\n"),
    (
        "config/smtp.ini",
        "listen=198.51.100.25:2560,[2001:db8::25]:2560\nnodes=0\n",
    ),
    // Haraka's own values, for which it has no defaults.
    (
        "config/connection.ini",
        "[main]\nsmtputf8=true\n[haproxy]\nenabled=false\n[headers]\nadd_received=true\nclean_auth_results=true\nmax_lines=1000\n\
         max_received=100\n[max]\nbytes=26214400\nmime_parts=1000\nline_length=512\ndata_line_length=992\n[message]\n\
         helo=Haraka is at your service.\nclose=closing connection. Have a jolly good day.\n[uuid]\nbanner_chars=0\ndeny_chars=0\n",
    ),
    (
        "config/fcrdns.ini",
        "[reject]\nno_rdns=true\nno_fcrdns=true\ninvalid_tld=true\ngeneric_rdns=true\n",
    ),
    (
        "config/helo.checks.ini",
        "[check]\nbig_company=false\n[skip]\nprivate_ip=false\nrelaying=false\n[reject]\nhost_mismatch=true\nproto_mismatch=true\n\
         rdns_match=true\ndynamic=true\nbare_ip=true\nliteral_mismatch=true\nvalid_hostname=true\nforward_dns=true\n",
    ),
    ("plugins/lab.js", LAB),
];

/// Haraka treats the documentation networks as private ones, which its plugins skip, and does not know the top-level
/// domain `test`. It accepts every recipient.
const LAB: &str = "'use strict'
const net_utils = require('haraka-net-utils')
const tlds = require('haraka-tld')
exports.register = function () {
  net_utils.is_private_ip = () => false
  this.register_hook('connect_init', 'not_private', -100)
}
exports.not_private = function (next, connection) {
  tlds.public_suffix_list.set('test', true)
  connection.set('remote.is_private', false)
  next()
}
exports.hook_rcpt = (next) => next(OK)
exports.hook_queue = (next) => next(OK)
";

fn start(foreign: &Foreign, directory: &Path) -> Child {
    for (name, text) in FILES {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    fs::create_dir_all(directory.join("queue")).expect("a directory");
    // If the machine's Node is too old for Haraka, npm has installed a newer one next to it.
    let newer = foreign.path("haraka/node_modules/.bin/node");
    let node = if newer.exists() { newer } else { "node".into() };
    Command::new(node)
        .arg(foreign.path("haraka/node_modules/Haraka/bin/haraka"))
        .arg("-c")
        .arg(directory)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(fs::File::create(directory.join("log")).expect("a file"))
        .spawn()
        .expect("node runs Haraka")
}
