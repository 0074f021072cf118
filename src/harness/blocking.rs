//! Worlds for tests without tokio: a world with its own runtime, and waits that block the thread.
//!
//! ```
//! use martinet::World;
//! use std::io::{BufRead, BufReader};
//! use std::net::TcpStream;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let world = World::blocking().scenario("one-to-one").receiver("helo-equals-ptr").start()?;
//! let mut greeting = String::new();
//! BufReader::new(TcpStream::connect(world.smtp_addr())?).read_line(&mut greeting)?;
//! assert!(greeting.starts_with("220 "));
//! assert_eq!(world.wait_for_session()?.closed_by(), Some(martinet::verdict::ClosedBy::Lost));
//! # Ok(())
//! # }
//! ```

use std::ops::Deref;
use std::sync::Arc;

use tokio::runtime::{self, Runtime};

use crate::dns::Fault;
use crate::error::Error;
use crate::expect::{Mail, Queries, Session, Sessions, WaitTimeout};
use crate::journal::{DnsQuery, Message};
use crate::scenario::{ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, SessionRecord};

/// Sets up a [`World`], with the most used methods of [`super::Builder`]; `with` gives access to the others.
#[derive(Debug, Default)]
#[must_use = "nothing runs until `start`"]
pub struct Builder(super::Builder);

impl Builder {
    /// Sets the scenario by name or path.
    pub fn scenario(self, name: &str) -> Self {
        self.with(|builder| builder.scenario(name))
    }

    /// Sets a scenario that was parsed or built in code.
    pub fn with_scenario(self, scenario: Scenario) -> Self {
        self.with(|builder| builder.with_scenario(scenario))
    }

    /// Sets the receiver by name or path.
    pub fn receiver(self, name: &str) -> Self {
        self.with(|builder| builder.receiver(name))
    }

    /// Sets a receiver that was parsed or built in code.
    pub fn with_receiver(self, receiver: ReceiverProfile) -> Self {
        self.with(|builder| builder.with_receiver(receiver))
    }

    /// Sets the source of client addresses.
    pub fn client(self, source: ClientSource) -> Self {
        self.with(|builder| builder.client(source))
    }

    /// Adds a DNS fault.
    pub fn fault(self, fault: Fault) -> Self {
        self.with(|builder| builder.fault(fault))
    }

    /// Applies other methods of [`super::Builder`].
    pub fn with(self, set_up: impl FnOnce(super::Builder) -> super::Builder) -> Self {
        Self(set_up(self.0))
    }

    /// Starts the world on its own thread. When this returns, every socket accepts connections.
    ///
    /// # Errors
    /// Those of [`super::Builder::start`]; a thread cannot be started; or the calling thread runs async code, which must use
    /// [`super::World::builder`].
    pub fn start(self) -> Result<World, Error> {
        if runtime::Handle::try_current().is_ok() {
            return Err(Error::other(
                "World::blocking() cannot start inside a tokio runtime, which it would block: \
                 use World::builder() in async code",
            ));
        }
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|e| Error::io("cannot start a runtime", e))?;
        let world = runtime.block_on(self.0.start())?;
        Ok(World {
            world,
            runtime: Some(runtime),
        })
    }
}

/// A running world with blocking waits. It dereferences to [`super::World`].
#[derive(Debug)]
pub struct World {
    world: super::World,
    /// `None` only during drop.
    runtime: Option<Runtime>,
}

impl World {
    /// As [`super::World::wait_for_session`].
    ///
    /// # Errors
    /// No session ended in time.
    pub fn wait_for_session(&self) -> Result<Session, WaitTimeout> {
        self.wait(self.world.wait_for_session())
    }

    /// As [`super::World::wait_for_sessions`].
    ///
    /// # Errors
    /// Fewer than `count` matched in time.
    pub fn wait_for_sessions(
        &self,
        pattern: &Sessions,
        count: usize,
    ) -> Result<Vec<Session>, WaitTimeout> {
        self.wait(self.world.wait_for_sessions(pattern, count))
    }

    /// As [`super::World::wait_for_message`].
    ///
    /// # Errors
    /// No message arrived in time.
    pub fn wait_for_message(&self) -> Result<Arc<Message>, WaitTimeout> {
        self.wait(self.world.wait_for_message())
    }

    /// As [`super::World::wait_for_mail`].
    ///
    /// # Errors
    /// Fewer than `count` matched in time.
    pub fn wait_for_mail(
        &self,
        pattern: &Mail,
        count: usize,
    ) -> Result<Vec<Arc<Message>>, WaitTimeout> {
        self.wait(self.world.wait_for_mail(pattern, count))
    }

    /// As [`super::World::wait_for_queries`].
    ///
    /// # Errors
    /// Fewer than `count` matched in time.
    pub fn wait_for_queries(
        &self,
        pattern: &Queries,
        count: usize,
    ) -> Result<Vec<Arc<DnsQuery>>, WaitTimeout> {
        self.wait(self.world.wait_for_queries(pattern, count))
    }

    /// As [`super::World::wait_until`].
    ///
    /// # Errors
    /// No session matched in time.
    pub fn wait_until(
        &self,
        wanted: impl Fn(&SessionRecord) -> bool,
    ) -> Result<Session, WaitTimeout> {
        self.wait(self.world.wait_until(wanted))
    }

    fn wait<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime
            .as_ref()
            .expect("the runtime exists until the world is dropped")
            .block_on(future)
    }
}

impl Deref for World {
    type Target = super::World;
    fn deref(&self) -> &super::World {
        &self.world
    }
}

impl Drop for World {
    /// The runtime is dropped without waiting for its tasks, and the inner world verifies its expectations afterwards.
    /// Therefore they are verified here, while sessions can still end.
    fn drop(&mut self) {
        let verified = self.world.verify();
        let verified = verified.map_err(|unmet| self.world.ledger.failure(&unmet));
        self.world.ledger.clear();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if let Err(failure) = verified
            && !std::thread::panicking()
        {
            panic!("{failure}");
        }
    }
}
