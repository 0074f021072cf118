//! The sockets of the DNS server. The caller owns the sockets and stops the server.

mod batch;
mod forward;
mod tcp;
mod transfer;
mod udp;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::counts::{Counters, Counts};
use super::limit::Limiter;
use super::query::HEADER_OCTETS;
use super::respond::{Response, complete, respond, respond_locally};
use super::{Transport, Zones};
use crate::journal::{DnsExchange, DnsQuery, Event, Log, Metrics};

/// RCODE 1.
const FORMERR: u16 = 1;

/// The state that all sockets of a server share.
#[derive(Debug)]
pub(crate) struct ServerState {
    zones: Arc<ArcSwap<Zones>>,
    journal: Arc<Log<DnsQuery>>,
    events: Arc<Log<Event>>,
    counters: Counters,
    limiter: Limiter,
    metrics: Arc<Metrics>,
}

impl ServerState {
    /// Makes a server from zones, journal, event log and metrics.
    pub(crate) fn new(
        zones: Arc<ArcSwap<Zones>>,
        journal: Arc<Log<DnsQuery>>,
        events: Arc<Log<Event>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            zones,
            journal,
            events,
            counters: Counters::default(),
            limiter: Limiter::default(),
            metrics,
        }
    }

    /// The counts.
    pub(crate) fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Answers a request that is not in the cache.
    fn respond(
        &self,
        zones: &Zones,
        request: &[u8],
        transport: Transport,
        client: SocketAddr,
    ) -> Response {
        let local = client.ip().to_canonical().is_loopback();
        let response = if local {
            respond_locally(zones, request, transport)
        } else {
            respond(zones, request, transport)
        };
        let counters = &self.counters;
        if request.len() < HEADER_OCTETS || is_response(request) {
            Counters::add(&counters.ignored, 1);
        }
        if response.rcode == FORMERR && response.fault.is_empty() {
            Counters::add(&counters.malformed, 1);
        }
        if !response.fault.is_empty() {
            Counters::add(&counters.faults, 1);
        }
        response
    }

    /// Asks the upstream server, and makes the response from its answer.
    async fn forward(
        &self,
        upstream: SocketAddr,
        zones: &Zones,
        request: &[u8],
        transport: Transport,
    ) -> Response {
        Counters::add(&self.counters.forwarded, 1);
        let answer = forward::ask(upstream, zones, request, transport).await;
        complete(zones, request, transport, answer.as_deref())
    }

    /// Writes queries to the journal.
    fn record(
        &self,
        transport: Transport,
        at: Timestamp,
        queries: impl IntoIterator<Item = (Arc<DnsExchange>, SocketAddr)>,
    ) {
        let logs = tracing::enabled!(tracing::Level::DEBUG);
        self.journal
            .extend(queries.into_iter().map(|(exchange, client)| {
                let query = move |id| DnsQuery {
                    id,
                    at,
                    client,
                    transport,
                    exchange,
                };
                if logs {
                    log(&query.clone()(0));
                }
                query
            }));
    }
}

/// Logs a query with its answer.
fn log(query: &DnsQuery) {
    let fault = Some(query.fault()).filter(|fault| !fault.is_empty());
    tracing::debug!(
        client = %query.client,
        transport = query.transport.word(),
        name = query.name(),
        "type" = query.record_type(),
        rcode = %query.rcode(),
        fault,
        "DNS query"
    );
}

fn is_response(request: &[u8]) -> bool {
    request.get(2).is_some_and(|flags| flags & 0x80 != 0)
}

fn exchange(request: &[u8], response: &Response) -> Arc<DnsExchange> {
    let octets = response.octets.as_slice().into();
    Arc::new(DnsExchange {
        request: request.into(),
        response: octets,
        fault: response.fault,
    })
}

/// Answers on both sockets until shutdown, and returns when both are closed; answers that are delayed or wait for the
/// upstream server are dropped. The journal records every query, except those over the limit of a client, which are
/// only counted.
pub(crate) async fn serve(
    udp: UdpSocket,
    tcp: TcpListener,
    service: Arc<ServerState>,
    shutdown: CancellationToken,
) {
    let (running, mut all_ended) = mpsc::channel(1);
    let tasks = Tasks {
        running,
        shutdown: shutdown.clone(),
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = udp::serve(Arc::new(udp), Arc::clone(&service), tasks.clone()) => {}
        () = tcp::serve(tcp, service, tasks.clone()) => {}
    }
    drop(tasks);
    // Nothing is sent: the channel is closed when the last task has dropped its sender.
    let _ = all_ended.recv().await;
}

/// Connections and delayed answers, which end with the server.
#[derive(Clone, Debug)]
struct Tasks {
    /// Each task holds a copy until it ends.
    running: mpsc::Sender<Infallible>,
    shutdown: CancellationToken,
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (shutdown, running) = (self.shutdown.clone(), self.running.clone());
        tokio::spawn(async move {
            shutdown.run_until_cancelled(task).await;
            drop(running);
        });
    }
}
