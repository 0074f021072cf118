//! The startup message of `serve`.

use std::net::SocketAddr;

use super::args::Serve;
use super::live::origin;
use super::paint;
use crate::harness::World;
use crate::http;

/// The addresses of the listeners.
pub(super) struct Ready {
    smtp: String,
    dns: String,
    http: String,
    scenario: String,
    receiver: String,
    /// The additional listeners, each with its key.
    further: Vec<(String, String)>,
}

impl Ready {
    pub(super) fn new(world: &World, options: &Serve, http: Option<SocketAddr>) -> Self {
        let shown = |address: SocketAddr| http::shown(address, options.advertise.as_deref());
        let asked = [options.smtps.map(|_| "smtps"), options.lmtp.map(|_| "lmtp")];
        let own = world.scenario().listeners.len();
        let words = (1..=own)
            .map(|n| format!("listener{n}"))
            .chain(asked.into_iter().flatten().map(str::to_owned));
        let addresses = world.listeners().iter().map(ToString::to_string);
        Self {
            further: words.zip(addresses).collect(),
            smtp: shown(world.smtp_addr()),
            dns: shown(world.dns_addr()),
            http: http.map_or_else(|| "off".to_owned(), shown),
            scenario: world.scenario().name.clone(),
            receiver: world.receiver().name.clone(),
        }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let Self {
            smtp,
            dns,
            http,
            scenario,
            receiver,
            further,
        } = self;
        let mut line = serde_json::json!({ "smtp": smtp, "dns": dns, "http": http, "scenario": scenario, "receiver": receiver });
        for (word, address) in [("smtp", smtp), ("dns", dns)] {
            if let Some((host, port)) = http::host_and_port(address) {
                line[format!("{word}_host")] = host.into();
                line[format!("{word}_port")] = port.into();
            }
        }
        if http != "off" {
            line["http_url"] = format!("http://{http}").into();
        }
        for (word, address) in further {
            line[word] = address.clone().into();
        }
        format!("{line}\n")
    }

    /// The message for a terminal.
    pub(super) fn human(&self, world: &World) -> String {
        let (bold, dim) = (paint::HEADING, paint::DIM);
        let each = |(word, address): &(String, String)| {
            format!("  {dim}{}{dim:#}  {address}\n", word.to_uppercase())
        };
        let further: String = self.further.iter().map(each).collect();
        let http = if self.http == "off" {
            "off".to_owned()
        } else {
            format!("accessible via http://{}/", self.http)
        };
        format!(
            "{bold}{}{bold:#}: {}\n{bold}{}{bold:#}: {}\n  {dim}SMTP{dim:#}  {}\n  {dim}DNS{dim:#}   {} (UDP and TCP)\n  {dim}HTTP{dim:#}  {http}\n{further}  {dim}clients judged as{dim:#}  {}\n{dim}For tests only: it refuses mail on purpose. Ctrl-C stops it.{dim:#}\n",
            self.scenario,
            world.scenario().title,
            self.receiver,
            world.receiver().title,
            self.smtp,
            self.dns,
            origin(&world.client()),
        )
    }
}
