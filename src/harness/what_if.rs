//! Judgements of a running world, without sending mail.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::World;
use crate::check::{Attempt, Judgement, judge_remembering, remedied};
use crate::dns::Zones;
use crate::facts::Memory;
use crate::policy::Remedy;
use crate::scenario::ReceiverProfile;
use crate::smtp::ClientAddress;

impl World {
    /// An attempt of this client with the sender, recipient and message of the scenario.
    pub fn attempt(&self, client: IpAddr, helo: &str) -> Attempt {
        Attempt::of(&self.scenario(), client, helo)
    }

    /// The client address of the next connection from 127.0.0.1 to [`World::smtp_addr`], before the scenario's address
    /// translation.
    pub fn next_client(&self) -> IpAddr {
        let session_config = self.service.session_config.load();
        let next = session_config.identity.peek(Ipv4Addr::LOCALHOST.into());
        next.translated_from.unwrap_or(next.address)
    }

    /// Judges a client as the receiver of the recipient's domain would judge it now: with the current zones and faults,
    /// the scenario's address translation, and the receiver's clock and memory.
    ///
    /// The attempt leaves no trace: it does not change the counts of faults, the positions of pools or the memory of
    /// the receiver. Greylisting therefore defers a new client each time, and accepts a client whose first session was
    /// long enough ago.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use martinet::World;
    ///
    /// let world = World::blocking().scenario("one-to-one").receiver("fcrdns").start()?;
    /// let attempt = world.attempt("192.0.2.10".parse()?, "mail.example.test");
    /// assert_eq!(world.check(&attempt).verdict.name(), "accept");
    /// world.set_zone("2.0.192.in-addr.arpa.", "")?;
    /// assert_eq!(world.check(&attempt).rule, Some("iprev"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self, attempt: &Attempt) -> Judgement {
        self.check_by(&self.receiver_for(&attempt.recipient), attempt)
    }

    /// Judges an attempt by another receiver, like [`World::check`].
    pub fn check_by(&self, profile: &ReceiverProfile, attempt: &Attempt) -> Judgement {
        let Detached {
            attempt,
            memory,
            zones,
        } = self.detached(profile, attempt);
        let timeout = profile.dns_timeout;
        judge_remembering(&profile.receiver, memory, &zones, timeout, &attempt)
    }

    /// Judges an attempt after a remedy, which is applied to a copy of the zones or to the attempt. `None` if the remedy cannot be
    /// applied. The world is unchanged.
    pub(crate) fn check_remedied(
        &self,
        profile: &ReceiverProfile,
        attempt: &Attempt,
        remedy: &Remedy,
    ) -> Option<Judgement> {
        let Detached {
            attempt,
            memory,
            zones,
        } = self.detached(profile, attempt);
        let (zones, attempt) = remedied(&zones, &attempt, remedy)?;
        let timeout = profile.dns_timeout;
        Some(judge_remembering(
            &profile.receiver,
            memory,
            &zones,
            timeout,
            &attempt,
        ))
    }

    /// Copies of everything that judges an attempt now. A receiver that the world does not have uses the memory of the
    /// main receiver.
    fn detached(&self, profile: &ReceiverProfile, attempt: &Attempt) -> Detached {
        let _changing = self.changing.lock();
        let own = self.receivers.lock().memory(&profile.name);
        let session_config = self.service.session_config.load();
        let untranslated = ClientAddress::fixed(attempt.client);
        let client = session_config.identity.translated(untranslated).address;
        let memory = own.unwrap_or_else(|| Arc::clone(&session_config.memory));
        let memory = memory.detached(client);
        let attempt = Attempt {
            client,
            ..attempt.clone()
        };
        Detached {
            attempt,
            memory: Arc::new(memory),
            zones: self.zones.load().detached(),
        }
    }
}

/// Copies of everything that judges an attempt.
struct Detached {
    attempt: Attempt,
    memory: Arc<Memory>,
    zones: Zones,
}
