//! Refusals whose remedies are not verified yet.

use std::sync::Arc;

use crate::facts::{Facts, ReceiverLookup};
use crate::policy::{Refusal, Remedies};
use crate::smtp::Receiver;
use crate::smtp::cure::Case;

/// The remedies that wait for their verification, each with what that needs.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    waiting: Vec<(Remedies, Case)>,
}

impl Proofs {
    /// Keeps what the verification of a refusal's remedies needs.
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

    /// The verification of the last refusal needs this message.
    pub(super) fn keep_message(&mut self, octets: Vec<u8>) {
        if let Some((_, case)) = self.waiting.last_mut() {
            case.message = Some(octets);
        }
    }

    /// Gives new refusals what the verification of their remedies needs: the current zones. If that needs the message,
    /// remedies are verified at once, because a refused message is not kept; otherwise when they are read.
    pub(super) fn prove(&mut self, lookup: &dyn ReceiverLookup) {
        for (remedies, case) in self.waiting.drain(..) {
            let case = Case {
                world: lookup.snapshot(),
                ..case
            };
            let at_once = case.message.is_some();
            remedies.prove_by(move |proposals| case.prove(proposals));
            if at_once {
                remedies.prove();
            }
        }
    }

    /// The same without zones, as after a TLS handshake: only the session can change then.
    pub(super) fn prove_by_session(&mut self) {
        for (remedies, case) in self.waiting.drain(..) {
            remedies.prove_by(move |proposals| case.prove(proposals));
        }
    }
}
