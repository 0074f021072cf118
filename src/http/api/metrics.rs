//! `/metrics`, in the Prometheus text format 0.0.4.

use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::http::App;
use crate::journal::{Counts, Histogram, Metrics};

/// The counts of all worlds.
pub(crate) async fn show(State(app): State<Arc<App>>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text(&app),
    )
}

fn text(app: &App) -> String {
    let metrics = app.worlds.metrics();
    let mut page = Page::default();
    smtp(metrics, &mut page);
    dns(metrics, &mut page);
    requests(app, &mut page);
    page.histogram(
        "martinet_session_seconds",
        "Duration of SMTP sessions, from accept to close, in seconds.",
        &metrics.session_time,
    );
    let help = "Time from reading SMTP commands to sending their replies, including DNS lookups, in seconds.";
    page.histogram("martinet_smtp_reply_seconds", help, &metrics.reply_time);
    let help = "Time from reading DNS queries to sending their answers, in seconds. Delayed and forwarded queries are not included.";
    page.histogram("martinet_dns_answer_seconds", help, &metrics.answer_time);
    page.histogram(
        "martinet_http_request_seconds",
        "Duration of HTTP requests, in seconds.",
        &app.request_time,
    );
    journal(app, &mut page);
    page.gauge(
        "martinet_worlds",
        "Number of running worlds.",
        [(labels(&[]), app.worlds.count())],
    );
    let up = app.started.elapsed().as_secs_f64();
    page.gauge(
        "martinet_up_seconds",
        "Time since the HTTP API started, in seconds.",
        [(labels(&[]), up)],
    );
    page.0
}

/// Sessions, refusals and messages.
fn smtp(metrics: &Metrics, page: &mut Page) {
    page.counter(
        "martinet_sessions_total",
        "Number of SMTP connections accepted.",
        [(labels(&[]), metrics.sessions.get())],
    );
    let ended = metrics
        .ended
        .counts()
        .map(|(verdict, count)| (labels(&[("verdict", verdict)]), count));
    page.counter(
        "martinet_sessions_ended_total",
        "Number of SMTP sessions that ended, by verdict.",
        ended,
    );
    let refusals =
        metrics
            .refusals
            .counts()
            .into_iter()
            .map(|([verdict, source, rule, stage], count)| {
                (
                    labels(&[
                        ("verdict", &verdict),
                        ("source", &source),
                        ("rule", &rule),
                        ("stage", &stage),
                    ]),
                    count,
                )
            });
    page.counter(
        "martinet_refusals_total",
        "Number of refusals, by verdict, source, rule and stage.",
        refusals,
    );
    page.counter(
        "martinet_messages_total",
        "Number of messages accepted.",
        [(labels(&[]), metrics.messages.get())],
    );
    page.counter(
        "martinet_message_octets_total",
        "Total size of the accepted messages, in octets.",
        [(labels(&[]), metrics.message_octets.get())],
    );
}

/// DNS queries and faults.
fn dns(metrics: &Metrics, page: &mut Page) {
    let queries = metrics
        .queries
        .counts()
        .map(|(rcode, count)| (labels(&[("rcode", rcode)]), count));
    page.counter(
        "martinet_dns_queries_total",
        "Number of DNS queries answered, by RCODE; the RCODE none stands for queries without an answer.",
        queries,
    );
    let faults = metrics
        .faults
        .counts()
        .into_iter()
        .map(|([fault], count)| (labels(&[("fault", &fault)]), count));
    page.counter(
        "martinet_dns_faults_total",
        "Number of DNS faults that took effect, by fault.",
        faults,
    );
}

/// HTTP requests.
fn requests(app: &App, page: &mut Page) {
    let requests = app
        .requests
        .counts()
        .into_iter()
        .map(|([method, route, status], count)| {
            (
                labels(&[("method", &method), ("route", &route), ("status", &status)]),
                count,
            )
        });
    page.counter(
        "martinet_http_requests_total",
        "Number of HTTP requests, by method, route and status.",
        requests,
    );
}

/// The journals of all worlds, added up.
fn journal(app: &App, page: &mut Page) {
    let mut logs = [
        ("sessions", EMPTY),
        ("messages", EMPTY),
        ("dns_queries", EMPTY),
        ("events", EMPTY),
    ];
    for (_, world) in app.worlds.all() {
        let counts = [
            world.sessions().counts(),
            world.messages().counts(),
            world.dns_queries().counts(),
            world.events().counts(),
        ];
        for ((_, sum), counts) in logs.iter_mut().zip(counts) {
            sum.kept += counts.kept;
            sum.octets += counts.octets;
            sum.dropped += counts.dropped;
        }
    }
    let each = |value: fn(&Counts) -> u64| {
        logs.iter()
            .map(move |(log, sum)| (labels(&[("log", log)]), value(sum)))
    };
    page.gauge(
        "martinet_journal_entries",
        "Number of journal entries kept, by log.",
        each(|sum| sum.kept as u64),
    );
    page.gauge(
        "martinet_journal_octets",
        "Memory used by journal entries, in octets, by log.",
        each(|sum| sum.octets as u64),
    );
    page.gauge(
        "martinet_journal_dropped",
        "Number of journal entries dropped to stay within the limits, by log.",
        each(|sum| sum.dropped),
    );
}

const EMPTY: Counts = Counts {
    kept: 0,
    octets: 0,
    dropped: 0,
};

#[derive(Default)]
struct Page(String);

impl Page {
    fn counter<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.family(name, help, "counter", values);
    }

    fn gauge<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.family(name, help, "gauge", values);
    }

    fn family<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        kind: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn histogram(&mut self, name: &str, help: &str, times: &Histogram) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (bound, count) in times.cumulative() {
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let (count, sum) = (times.count(), times.sum());
        let _ = writeln!(
            self.0,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}"
        );
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let escaped = |value: &str| {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(labels(&[("a", "x\"y\\z\n")]), r#"{a="x\"y\\z\n"}"#);
        assert_eq!(labels(&[]), "");
    }
}
