//! Refusals whose remedies are not verified yet.

use std::sync::Arc;

use crate::facts::{Facts, ReceiverLookup};
use crate::policy::{Refusal, Remedies};
use crate::smtp::Receiver;
use crate::smtp::remedies::Case;

/// The remedies that are not verified yet, each with the data for that.
#[derive(Debug, Default)]
pub(crate) struct UnverifiedRemedies {
    waiting: Vec<(Remedies, Case)>,
}

impl UnverifiedRemedies {
    /// Stores the data for verifying the remedies of a refusal.
    pub(super) fn keep(&mut self, refusal: &Refusal, receiver: &Arc<Receiver>, facts: &Facts) {
        let case = Case {
            receiver: Arc::clone(receiver),
            nth: refusal.nth,
            stage: refusal.stage,
            facts: Box::new(facts.clone()),
            world: None,
            message: None,
        };
        self.waiting.push((refusal.remedies.clone(), case));
    }

    /// Stores the message for verifying the remedies of the last refusal.
    pub(super) fn keep_message(&mut self, octets: Vec<u8>) {
        if let Some((_, case)) = self.waiting.last_mut() {
            case.message = Some(octets);
        }
    }

    /// Adds the current zones to new refusals for verifying their remedies. If that needs the message, remedies are
    /// verified at once, because a refused message is not kept; otherwise when they are read.
    pub(super) fn verify(&mut self, lookup: &dyn ReceiverLookup) {
        for (remedies, case) in self.waiting.drain(..) {
            let case = Case {
                world: lookup.snapshot(),
                ..case
            };
            let at_once = case.message.is_some();
            remedies.verify_with(move |proposals| case.verify(proposals));
            if at_once {
                remedies.verify();
            }
        }
    }

    /// The same without zones, as after a TLS handshake: only the session can change then.
    pub(super) fn verify_in_session(&mut self) {
        for (remedies, case) in self.waiting.drain(..) {
            remedies.verify_with(move |proposals| case.verify(proposals));
        }
    }
}
