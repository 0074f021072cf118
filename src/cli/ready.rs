//! The startup message of `serve`.

use std::net::SocketAddr;

use comfy_table::{ContentArrangement, Table, presets};

use super::args::Serve;
use super::live::origin;
use super::paint;
use crate::harness::World;
use crate::http;
use crate::name;
use crate::scenario::Place;

/// The exchanges of the recipient domains; empty if all of them are the main listener.
pub(super) fn exchanges(world: &World) -> Vec<Place> {
    let places = world.exchanges();
    let own = |place: &Place| place.listener != Some(world.smtp_addr());
    let any = places.iter().any(own);
    places.iter().filter(|_| any).cloned().collect()
}

/// The receiver and listener of each domain. `main` is the receiver of the main listener.
pub(super) fn table(exchanges: &[Place], main: &str) -> String {
    if exchanges.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([" domain", "receiver", "exchange", "SMTP"]);
    for place in exchanges {
        let exchange = match place.preference {
            Some(preference) => format!("{preference} {}", name::display(&place.exchange)),
            None => format!("{} (no MX)", name::display(&place.exchange)),
        };
        let (receiver, listener) = match (place.listener, place.address) {
            (Some(listener), _) => (
                place.receiver.as_deref().unwrap_or(main),
                listener.to_string(),
            ),
            (None, Some(address)) => ("none", format!("nothing listens at {address}")),
            (None, None) => ("none", "no address".to_owned()),
        };
        let domain = format!(" {}", name::display(&place.domain));
        table.add_row([domain.as_str(), receiver, &exchange, &listener]);
    }
    table.trim_fmt() + "\n"
}

/// The addresses of the listeners.
pub(super) struct Ready {
    smtp: String,
    dns: String,
    http: String,
    scenario: String,
    receiver: String,
    /// The additional listeners, each with its key.
    further: Vec<(String, String)>,
    /// The exchanges of recipient domains, if any of them has a listener of its own.
    exchanges: Vec<Place>,
}

impl Ready {
    pub(super) fn new(world: &World, options: &Serve, http: Option<SocketAddr>) -> Self {
        let shown = |address: SocketAddr| http::shown(address, options.advertise.as_deref());
        let from_options = [options.smtps.map(|_| "smtps"), options.lmtp.map(|_| "lmtp")];
        let own = world.scenario().listeners.len();
        let words = (1..=own)
            .map(|n| format!("listener{n}"))
            .chain(from_options.into_iter().flatten().map(str::to_owned));
        let addresses = world.listeners().iter().map(ToString::to_string);
        Self {
            further: words.zip(addresses).collect(),
            smtp: shown(world.smtp_addr()),
            dns: shown(world.dns_addr()),
            http: http.map_or_else(|| "off".to_owned(), shown),
            scenario: world.scenario().name.clone(),
            receiver: world.receiver().name.clone(),
            exchanges: exchanges(world),
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
            exchanges,
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
        if !exchanges.is_empty() {
            let exchanges: Vec<_> = exchanges.iter().map(|place| self.exchange(place)).collect();
            line["exchanges"] = exchanges.into();
        }
        format!("{line}\n")
    }

    /// One exchange as JSON; absent values are left out.
    fn exchange(&self, place: &Place) -> serde_json::Value {
        let mut object = serde_json::json!({
            "domain": name::display(&place.domain),
            "exchange": name::display(&place.exchange),
        });
        if let Some(preference) = place.preference {
            object["preference"] = preference.into();
        }
        if let Some(address) = place.address {
            object["address"] = address.to_string().into();
        }
        if let Some(listener) = place.listener {
            object["smtp"] = listener.to_string().into();
            object["receiver"] = place
                .receiver
                .as_ref()
                .unwrap_or(&self.receiver)
                .as_str()
                .into();
        }
        object
    }

    /// The message for a terminal.
    pub(super) fn human(&self, world: &World) -> String {
        let (bold, dim) = (paint::HEADING, paint::DIM);
        let each = |(word, address): &(String, String)| {
            format!("  {dim}{}{dim:#}  {address}\n", word.to_uppercase())
        };
        let further: String = self.further.iter().map(each).collect();
        let table = table(&self.exchanges, &self.receiver);
        let http = if self.http == "off" {
            "off".to_owned()
        } else {
            format!("accessible via http://{}/", self.http)
        };
        format!(
            "{bold}{}{bold:#}: {}\n{bold}{}{bold:#}: {}\n  {dim}SMTP{dim:#}  {}\n  {dim}DNS{dim:#}   {} (UDP and TCP)\n  {dim}HTTP{dim:#}  {http}\n{further}{table}  {dim}clients judged as{dim:#}  {}\n{dim}For tests only: it refuses mail on purpose. Ctrl-C stops it.{dim:#}\n",
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
