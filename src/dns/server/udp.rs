//! DNS over UDP (RFC 1035 §4.2.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;

use super::batch::{Outgoing, Received};
use super::{ServerState, Tasks, exchange};
use crate::dns::cache::Cache;
use crate::dns::counts::Counters;
use crate::dns::limit::Allowance;
use crate::dns::respond::{Disposition, Response};
use crate::dns::{Transport, Zones};
use crate::journal::DnsExchange;

/// Maximum number of answers that are delayed or wait for the upstream server; further ones are dropped.
const WAITING: usize = 4_096;

/// Answers until dropped.
pub(super) async fn serve(socket: Arc<UdpSocket>, service: Arc<ServerState>, tasks: Tasks) {
    let mut server = UdpServer {
        socket: Arc::clone(&socket),
        service,
        cache: Cache::default(),
        outgoing: Outgoing::default(),
        answered: Vec::new(),
        waiting: Arc::new(Semaphore::new(WAITING)),
        tasks,
    };
    let mut received = Received::new(&socket);
    loop {
        // An error here comes from an ICMP message of another host, and does not affect the socket.
        if socket.readable().await.is_ok() && received.fill(&socket).is_ok() {
            server.answer(&received).await;
        }
    }
}

struct UdpServer {
    socket: Arc<UdpSocket>,
    service: Arc<ServerState>,
    cache: Cache,
    outgoing: Outgoing,
    /// The exchanges for the journal.
    answered: Vec<(Arc<DnsExchange>, SocketAddr)>,
    waiting: Arc<Semaphore>,
    tasks: Tasks,
}

impl UdpServer {
    async fn answer(&mut self, received: &Received) {
        let began = Instant::now();
        self.outgoing.clear();
        // The guard is not held across an await, so that a replaced snapshot is freed as soon as nobody reads it.
        {
            let zones = self.service.zones.load();
            self.cache.follow(&zones);
            for (request, client) in received.iter() {
                match self.allowance(&zones, client) {
                    Allowance::Answer => self.one(&zones, request, client),
                    Allowance::Truncated => self.limited(request, client, true),
                    Allowance::Nothing => self.limited(request, client, false),
                }
            }
        }
        Counters::add(&self.service.counters.udp, received.len() as u64);
        self.service
            .record(Transport::Udp, Timestamp::now(), self.answered.drain(..));
        self.outgoing.send(&self.socket).await;
        self.service
            .metrics
            .answer_time
            .observe_each(began.elapsed(), self.outgoing.len() as u64);
    }

    fn allowance(&self, zones: &Zones, client: SocketAddr) -> Allowance {
        if client.ip().is_loopback() {
            return Allowance::Answer;
        }
        let per_second = zones.settings().limits.responses_per_second;
        self.service
            .limiter
            .response(client.ip(), per_second, Instant::now())
    }

    /// Over the limit: TC without records, or no answer.
    fn limited(&mut self, request: &[u8], client: SocketAddr, answered: bool) {
        Counters::add(&self.service.counters.limited, 1);
        let Some(octets) = crate::dns::respond::truncated(request).filter(|_| answered) else {
            return;
        };
        self.outgoing
            .push([request[0], request[1]], &octets, client);
    }

    fn one(&mut self, zones: &Arc<Zones>, request: &[u8], client: SocketAddr) {
        let id = request.first_chunk().copied().unwrap_or_default();
        if let Some(known) = self.cache.get(request) {
            self.outgoing.push(id, &known.response, client);
            self.answered.push((Arc::clone(known), client));
            return;
        }
        let response = self.service.respond(zones, request, Transport::Udp, client);
        if let Disposition::Forward(upstream) = response.disposition {
            return self.forward(upstream, Arc::clone(zones), request, client);
        }
        let exchange = exchange(request, &response);
        if response.lasting {
            self.cache.keep(&exchange);
        }
        self.send(&response, client);
        self.answered.push((exchange, client));
    }

    fn send(&mut self, response: &Response, client: SocketAddr) {
        let Some(id) = response.octets.first_chunk() else {
            return;
        };
        if response.delay.is_zero() {
            return self.outgoing.push(*id, &response.octets, client);
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return;
        };
        let (socket, octets, delay) = (
            Arc::clone(&self.socket),
            response.octets.clone(),
            response.delay,
        );
        self.tasks.spawn(async move {
            tokio::time::sleep(delay).await;
            let _ = socket.send_to(&octets, client).await;
            drop(place);
        });
    }

    fn forward(
        &mut self,
        upstream: SocketAddr,
        zones: Arc<Zones>,
        request: &[u8],
        client: SocketAddr,
    ) {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return;
        };
        let (socket, service, request) = (
            Arc::clone(&self.socket),
            Arc::clone(&self.service),
            request.to_vec(),
        );
        self.tasks.spawn(async move {
            let response = service
                .forward(upstream, &zones, &request, Transport::Udp)
                .await;
            service.record(
                Transport::Udp,
                Timestamp::now(),
                [(exchange(&request, &response), client)],
            );
            let _ = socket.send_to(&response.octets, client).await;
            drop(place);
        });
    }
}
