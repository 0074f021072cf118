//! The real SpamAssassin: spamd with those rule files of Debian that have the profile's rules.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::{DNS, HOST_4};
use crate::scores::{Case, Scorer, request};

/// Requests symbols as spamc does, for a message with the Received header that Postfix writes.
pub const SCORER: Scorer = Scorer {
    name: "spamassassin",
    needs: &["usr/sbin/spamd", "usr/share/spamassassin/20_dynrdns.cf"],
    port: 2580,
    start,
    ask: |case| Box::pin(ask(case)),
};

/// Debian's rule files, unchanged.
const RULES: [&str; 4] = [
    "20_aux_tlds.cf",
    "20_dynrdns.cf",
    "20_fake_helo_tests.cf",
    "25_spf.cf",
];

/// The plugins, which are loaded before the rules that need them.
const PLUGINS: &str = "
loadplugin Mail::SpamAssassin::Plugin::Check
loadplugin Mail::SpamAssassin::Plugin::RelayEval
loadplugin Mail::SpamAssassin::Plugin::SPF
";

/// The one rule of 20_head_tests.cf without the hundreds of others in that file, and the lab's network. Debian's 4.0.1
/// has the function of RCVD_NUMERIC_HELO but no rule that calls it; this rule is from SpamAssassin 3.4.
const SITE: &str = "
header RCVD_NUMERIC_HELO eval:check_for_numeric_helo()
header RCVD_HELO_IP_MISMATCH eval:helo_ip_mismatch()
trusted_networks 198.51.100.25
internal_networks 198.51.100.25
dns_available yes
envelope_sender_header X-Envelope-From
spf_timeout 10
";

fn start(foreign: &Foreign, directory: &Path) -> Child {
    let (rules, site) = (directory.join("rules"), directory.join("site"));
    for path in [&rules, &site] {
        fs::create_dir_all(path).expect("a directory");
    }
    for file in RULES {
        let stock = foreign.path("usr/share/spamassassin").join(file);
        fs::copy(stock, rules.join(file)).expect("a rule file");
    }
    fs::write(site.join("init.pre"), PLUGINS.trim_start()).expect("init.pre");
    let ([a, b, c, d], port) = DNS;
    let local = format!("{}dns_server {a}.{b}.{c}.{d}:{port}\n", SITE.trim_start());
    fs::write(site.join("local.cf"), local).expect("local.cf");
    chown("nobody", "755", directory);
    let log = fs::File::create(directory.join("log")).expect("a file");
    // The user nobody cannot read a checkout below /root.
    let libraries = directory.join("perl5");
    let copied = Command::new("cp")
        .arg("-r")
        .args([&foreign.path("usr/share/perl5"), &libraries])
        .status();
    assert!(copied.expect("cp runs").success(), "the modules of spamd");
    Command::new("perl")
        // spamd requires taint mode, which ignores PERL5LIB.
        .args(["-T", "-I", &libraries.to_string_lossy()])
        .arg(foreign.path("usr/sbin/spamd"))
        .args([
            "-D",
            "spf",
            "--nouser-config",
            "--syslog=stderr",
            "--username=nobody",
        ])
        .args([
            "--max-children=8",
            "--min-children=8",
            "--min-spare=8",
            "--max-spare=8",
        ])
        .arg(format!("--listen={}", SocketAddr::new(HOST_4, SCORER.port)))
        .arg(format!("--allowed-ips={HOST_4}"))
        .arg("--configpath")
        .arg(&rules)
        .arg("--siteconfigpath")
        .arg(&site)
        .env("HOME", directory)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("perl runs spamd")
}

async fn ask(case: &Case) -> Result<BTreeSet<String>, String> {
    let name = case.hostname.as_deref().unwrap_or("unknown");
    let tag = if case.client.is_ipv4() { "" } else { "IPv6:" };
    let message = format!(
        "X-Envelope-From: <{}>\r\nReceived: from {} ({name} [{tag}{}])\r\n\tby mx.martinet.test (Postfix) with ESMTP id 4Y0000000z1\r\n\tfor <{}>; Thu, 26 Nov 2026 11:00:00 +0000 (UTC)\r\n{}",
        case.sender,
        case.helo,
        case.client,
        case.recipient,
        case.message(),
    );
    let head = format!(
        "SYMBOLS SPAMC/1.5\r\nContent-length: {}\r\n\r\n",
        message.len()
    );
    let address = SocketAddr::new(HOST_4, SCORER.port);
    let answer = request(address, &(head + &message)).await?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("no response of spamd: {answer:?}"))?;
    let symbols = body.trim().split(',');
    Ok(symbols
        .filter(|symbol| !symbol.is_empty())
        .map(str::to_owned)
        .collect())
}
