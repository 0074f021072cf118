//! The real rspamd: one process with the modules for the profile's symbols, and Debian's settings for them.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::foreign::{Foreign, chown};
use crate::receivers::{DNS, HOST_4};
use crate::scores::{Case, Scorer, request};

/// Requests symbols over HTTP, as a mail server does, with the client's data.
pub const SCORER: Scorer = Scorer {
    name: "rspamd",
    needs: &["usr/bin/rspamd", "usr/share/rspamd/plugins/hfilter.lua"],
    port: 2570,
    start,
    ask: |case| Box::pin(ask(case)),
};

fn start(foreign: &Foreign, directory: &Path) -> Child {
    let configuration = directory.join("rspamd.conf");
    fs::write(&configuration, configured(foreign, directory)).expect("rspamd.conf");
    // Debian's list takes half a minute to compile; the modules here do not use it.
    fs::write(directory.join("tlds"), "test\n").expect("a file");
    // The start of rules/rspamd.lua, without the rules.
    fs::write(
        directory.join("lab.lua"),
        "require \"global_functions\" ()\n",
    )
    .expect("a file");
    chown("nobody", "755", directory);
    let share = foreign.path("usr/share/rspamd");
    let mut libraries = foreign.libraries();
    libraries.push(":");
    libraries.push(foreign.path("usr/lib/rspamd"));
    Command::new(foreign.path("usr/bin/rspamd"))
        .args(["--no-fork", "--user=nobody", "--group=nogroup", "--config"])
        .arg(&configuration)
        .env("LD_LIBRARY_PATH", libraries)
        .env("SHAREDIR", &share)
        .env("LUALIBDIR", share.join("lualib"))
        .env("PLUGINSDIR", share.join("plugins"))
        .env("RULESDIR", share.join("rules"))
        .env("LIBDIR", foreign.path("usr/lib/rspamd"))
        .env("DBDIR", directory)
        .stdin(Stdio::null())
        .stderr(fs::File::create(directory.join("start")).expect("a file"))
        .spawn()
        .expect("rspamd runs")
}

fn configured(foreign: &Foreign, directory: &Path) -> String {
    let directory = directory.display();
    let share = foreign.path("usr/share/rspamd");
    let share = share.display();
    let address = SocketAddr::new(HOST_4, SCORER.port);
    let ([a, b, c, d], port) = DNS;
    format!(
        r#"
options {{
    pidfile = "{directory}/pid";
    control_socket = "{directory}/control mode=0600";
    hs_cache_dir = "{directory}/";
    history_file = "{directory}/history";
    stats_file = "{directory}/stats";
    url_tld = "{directory}/tlds";
    filters = "";
    local_addrs = [192.168.0.0/16, 10.0.0.0/8, 172.16.0.0/12, fd00::/8, 169.254.0.0/16, fe80::/10];
    task_timeout = 20s;
    dns {{ nameserver = ["{a}.{b}.{c}.{d}:{port}"]; timeout = 1s; retransmits = 1; sockets = 16; }}
}}
logging {{ type = "file"; filename = "{directory}/log"; level = "warning"; }}
worker "normal" {{ bind_socket = "{address}"; count = 2; }}
lua = "{directory}/lab.lua";
modules {{
    path = "{share}/plugins/hfilter.lua";
    path = "{share}/plugins/once_received.lua";
}}
hfilter {{
    helo_enabled = true; hostname_enabled = true; url_enabled = true;
    from_enabled = true; rcpt_enabled = true; mid_enabled = false;
}}
once_received {{
    good_host = "mail"; bad_host = "static"; bad_host = "dynamic";
    symbol_strict = "ONCE_RECEIVED_STRICT"; symbol = "ONCE_RECEIVED"; symbol_mx = "DIRECT_TO_MX";
}}
"#
    )
}

async fn ask(case: &Case) -> Result<BTreeSet<String>, String> {
    let mut head = format!(
        "POST /checkv2 HTTP/1.1\r\nHost: rspamd\r\nConnection: close\r\nContent-Length: {}\r\nIP: {}\r\nHelo: {}\r\nFrom: <{}>\r\nRcpt: <{}>\r\n",
        case.message().len(),
        case.client,
        case.helo,
        case.sender,
        case.recipient,
    );
    // Postfix's {client_name} is `unknown` if there is none, and rspamd's milter leaves that out.
    if let Some(name) = &case.hostname {
        head += &format!("Hostname: {name}\r\n");
    }
    head += "\r\n";
    let address = SocketAddr::new(HOST_4, SCORER.port);
    let answer = request(address, &(head + &case.message())).await?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("no HTTP response: {answer:?}"))?;
    let body: serde_json::Value =
        serde_json::from_str(body).map_err(|error| format!("{error}: {body:?}"))?;
    let symbols = body["symbols"]
        .as_object()
        .ok_or_else(|| format!("no symbols: {body}"))?;
    Ok(symbols.keys().cloned().collect())
}
