//! Sockets and time around sessions. The caller owns the listener and the end of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::replies;
use super::session::{Event, Session, Step};
use super::tell::Teller;
use super::trace::Trace;
use super::{Identity, Receiver, SessionEntry};
use crate::dns::Zones;
use crate::facts::{Memory, Resolver};
use crate::journal::{Deposit, Envelope, Happening, Keeper, Log, Message, Tally, What};

/// Octets read at once.
const READ_OCTETS: usize = 64 << 10;
/// How long sessions may take to end once the world stops.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// How long, and how much, is still read after the last reply.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1 << 20;

/// What all sessions of a listener share.
#[derive(Debug)]
pub struct Service {
    /// The receiver, and whom it takes connections to come from; replaced for later connections.
    pub reception: ArcSwap<Reception>,
    /// The zones of the world.
    pub zones: Arc<ArcSwap<Zones>>,
    /// What the receiver remembers of its clients.
    pub memory: Arc<Memory>,
    /// Sessions go here.
    pub sessions: Arc<Log<SessionEntry>>,
    /// Accepted messages go here.
    pub messages: Arc<Log<Message>>,
    /// Everything that happens, in order.
    pub events: Arc<Log<Happening>>,
    /// Counts for monitoring.
    pub tally: Arc<Tally>,
    /// Where messages have to be safe before they are acknowledged, if anywhere.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Most connections at a time; a further one gets 421.
    pub max_connections: usize,
}

/// How connections are received: what a session keeps from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Reception {
    /// The receiver.
    pub receiver: Arc<Receiver>,
    /// Which client address each connection has.
    pub identity: Arc<Identity>,
    /// How long the receiver waits for a DNS answer.
    pub lookup_patience: Duration,
}

/// Serves sessions until shut down: idle ones then get 421, and all a bounded time to end.
pub async fn serve(listener: TcpListener, service: Arc<Service>, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(service.max_connections));
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while sessions.try_join_next().is_some() {}
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(Duration::from_millis(10)).await; // out of descriptors: let sessions end
            continue;
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let (service, shutdown) = (Arc::clone(&service), shutdown.clone());
                sessions.spawn(async move {
                    converse(stream, peer, &service, &shutdown).await;
                    drop(place);
                });
            }
            Err(_) => turn_away(stream),
        }
    }
    drop(listener);
    let _ = timeout(SHUTDOWN_PATIENCE, async { while sessions.join_next().await.is_some() {} }).await;
}

/// Says 421 and closes, without keeping anybody waiting.
fn turn_away(mut stream: TcpStream) {
    tokio::spawn(async move {
        let mut octets = Vec::new();
        replies::TOO_MANY_CONNECTIONS.reply(true).write_to(&mut octets);
        if timeout(LINGER, stream.write_all(&octets)).await.is_ok() {
            let _ = linger(&mut stream).await;
        }
    });
}

/// Closes our side and takes in what the client still says: octets left unread would make the kernel reset the
/// connection, and the client lose the last reply.
async fn linger(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut octets = [0; 4096];
    let mut left = LINGER_OCTETS;
    let _ = timeout(LINGER, async {
        while left > 0 {
            match stream.read(&mut octets).await {
                Ok(read) if read > 0 => left = left.saturating_sub(read),
                _ => break,
            }
        }
    })
    .await;
    Ok(())
}

async fn converse(stream: TcpStream, peer: SocketAddr, service: &Service, shutdown: &CancellationToken) {
    let reception = service.reception.load_full();
    let client = reception.identity.next(peer.ip());
    let clock = service.memory.clock().now();
    let entry = service.sessions.append(|id| SessionEntry::new(id, peer, client, clock));
    service.tally.sessions.add(1);
    let what = What::Connection { peer, client_address: client.address };
    service.events.append(|id| Happening { id, at: Timestamp::now(), session: entry.id, what });
    let session = Session::new(Arc::clone(&reception.receiver), Arc::clone(&service.memory), client, peer, entry.id);
    let mut conversation = Conversation {
        stream,
        session,
        entry,
        reception,
        service,
        teller: Teller::default(),
        input: BytesMut::new(),
        output: Vec::new(),
        began: Instant::now(),
    };
    let began = conversation.began;
    if conversation.run(shutdown).await.is_err() {
        conversation.session.lost();
    }
    conversation.publish();
    service.tally.ended.count(conversation.entry.look(|record| record.verdict));
    service.tally.session_time.observe(began.elapsed());
    if let Some(keeper) = &service.keeper {
        let record = conversation.entry.look(|record| serde_json::to_string(record).unwrap_or_default());
        keeper.session(conversation.entry.id, record);
    }
    tracing::debug!(session = conversation.entry.id, %peer, client = %client.address, "session ended");
}

struct Conversation<'a> {
    stream: TcpStream,
    session: Session,
    entry: Arc<SessionEntry>,
    reception: Arc<Reception>,
    service: &'a Service,
    teller: Teller,
    input: BytesMut,
    output: Vec<u8>,
    /// When the octets came that are being answered.
    began: Instant,
}

impl Conversation<'_> {
    async fn run(&mut self, shutdown: &CancellationToken) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            let step = {
                let zones = self.service.zones.load();
                let resolver = Resolver::new(&zones, self.reception.lookup_patience);
                self.session.advance(&mut self.input, &mut self.output, &resolver)
            };
            self.flush().await?;
            match step {
                Step::Read => self.read(shutdown).await?,
                Step::Pause(pause) => self.wait(pause, shutdown).await,
                Step::Listen(wait) => self.listen(wait, shutdown).await?,
                Step::Close => return linger(&mut self.stream).await,
            }
        }
    }

    /// Sends the replies of one burst in one write, then publishes what they say: whoever waits for an outcome must
    /// not overtake the client.
    async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.deposit().await?;
            let patience = self.reception.receiver.settings.command_timeout;
            timeout(patience, self.stream.write_all(&self.output)).await??;
            self.output.clear();
            self.service.tally.reply_time.observe(self.began.elapsed());
        }
        self.publish();
        Ok(())
    }

    /// Has accepted messages made safe before they are acknowledged; where that fails, nothing is said.
    async fn deposit(&self) -> io::Result<()> {
        let Some(keeper) = &self.service.keeper else { return Ok(()) };
        let (at, session) = (Timestamp::now(), self.entry.id);
        let accepted = self.session.events.iter().filter_map(|event| match event {
            Event::Transaction { envelope, message: Some((trace, octets)), .. } => Some((envelope, trace, octets)),
            _ => None,
        });
        let deposit = |(envelope, trace, octets): (&Envelope, &Trace, &Vec<u8>)| Deposit {
            session,
            at,
            envelope: envelope.clone(),
            trace: trace.clone().dated(at),
            octets: octets.clone(),
        };
        let deposits: Vec<_> = accepted.map(deposit).collect();
        if deposits.is_empty() {
            return Ok(());
        }
        keeper.messages(deposits).await.map_err(|_| io::Error::other("the journal has ended"))?
    }

    fn publish(&mut self) {
        let events = self.session.take_events();
        if events.is_empty() {
            return;
        }
        let session = self.entry.id;
        self.teller.tell(session, &events, &self.service.events, &self.service.tally);
        self.entry.publish(events, |envelope, trace, octets| {
            let (at, envelope) = (Timestamp::now(), envelope.clone());
            let trace = trace.dated(at);
            self.service.messages.append(|id| Message { id, session, at, envelope, trace, octets }).id
        });
        let grown = self.entry.grown();
        if grown > 0 {
            self.service.sessions.grow(session, grown);
        }
        self.service.sessions.touch();
    }

    /// Lookups take time; a world that stops does not wait for them.
    async fn wait(&mut self, pause: Duration, shutdown: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => self.session.shut_down(&mut self.output),
        }
    }

    /// Waits a fixed time for input that should not come.
    async fn listen(&mut self, wait: Duration, shutdown: &CancellationToken) -> io::Result<()> {
        self.make_room();
        tokio::select! {
            read = timeout(wait, self.stream.read_buf(&mut self.input)) => match read {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) | Err(_) => self.began = Instant::now(),
            },
            () = shutdown.cancelled() => self.session.shut_down(&mut self.output),
        }
        Ok(())
    }

    fn make_room(&mut self) {
        if self.input.capacity() - self.input.len() < READ_OCTETS / 4 {
            self.input.reserve(READ_OCTETS);
        }
    }

    async fn read(&mut self, shutdown: &CancellationToken) -> io::Result<()> {
        let settings = &self.reception.receiver.settings;
        let patience = if self.session.awaits_data() { settings.data_timeout } else { settings.command_timeout };
        self.make_room();
        tokio::select! {
            read = timeout(patience, self.stream.read_buf(&mut self.input)) => match read {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Ok(_)) => self.began = Instant::now(),
                Ok(Err(error)) => return Err(error),
                Err(_) => self.session.timed_out(&mut self.output),
            },
            () = shutdown.cancelled() => self.session.shut_down(&mut self.output),
        }
        Ok(())
    }
}
