//! The transactions of a session: the open one, and the results of earlier ones.

use std::sync::Arc;

use crate::journal::Envelope;
use crate::reply::{Reply, ReplyCode};
use crate::smtp::protocol::parameters::Parameters;
use crate::smtp::session::dialogue::Mark;
use crate::smtp::session::event::AcceptedMessage;
use crate::verdict::Verdict;

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Open {
    pub(super) envelope: Envelope,
    /// The reply to the last refused recipient, without its code, for the reply to DATA without recipients.
    pub(super) refused: Option<String>,
    /// Whether addresses and header may have UTF-8 (RFC 6531).
    pub(super) smtputf8: bool,
    /// Whether the message is binary and requires BDAT (RFC 3030 §3).
    pub(super) binary: bool,
}

impl Open {
    pub(super) fn has_recipients(&self) -> bool {
        !self.envelope.recipients.is_empty()
    }
}

/// The arguments of MAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(super) sender: String,
    pub(super) parameters: Parameters,
}

/// A message whose facts are being observed.
#[derive(Debug)]
pub(crate) struct Received {
    pub(super) open: Open,
    pub(super) octets: Vec<u8>,
}

/// A message that no rule refuses, with its reply.
#[derive(Debug)]
pub(crate) struct Storing {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) message: AcceptedMessage,
    pub(crate) reply: Reply,
    /// The session as it was before that reply.
    pub(crate) before: Mark,
}

/// The transactions of a session. The open one is in the [`State`](super::State).
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// The code of the first refusal since the last MAIL.
    refused: Option<ReplyCode>,
    /// The reply to the final dot that a recipient asked for.
    requested_reply: Option<Reply>,
    /// The rules that escalate and the transactions in which they last refused.
    counted: Vec<(usize, u64)>,
    /// Whether a message was acknowledged.
    acknowledged: bool,
}

impl Transactions {
    /// Begins a transaction, or a MAIL that will be refused.
    pub(super) fn begin(&mut self) {
        self.refused = None;
    }

    /// Records a refusal with this code.
    pub(super) fn refuse(&mut self, code: ReplyCode) {
        self.refused.get_or_insert(code);
    }

    /// Records the reply to the final dot that a recipient asks for.
    pub(super) fn request_reply(&mut self, reply: Reply) {
        self.requested_reply = Some(reply);
    }

    /// The reply to the final dot that a recipient asked for, once.
    pub(super) fn take_requested_reply(&mut self) -> Option<Reply> {
        self.requested_reply.take()
    }

    /// Ends a transaction. Returns its verdict.
    pub(super) fn end(&mut self, acknowledged: bool) -> Verdict {
        self.acknowledged |= acknowledged;
        Verdict::of(self.refused.take(), acknowledged)
    }

    /// Whether a message was acknowledged.
    pub(super) fn has_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// Whether a refusal by a rule in the nth transaction is counted.
    pub(super) fn is_counted(&self, rule: usize, nth: u64) -> bool {
        self.counted.contains(&(rule, nth))
    }

    /// Counts a refusal by a rule in the nth transaction. Returns false if it was counted before.
    pub(super) fn count(&mut self, rule: usize, nth: u64) -> bool {
        if self.is_counted(rule, nth) {
            return false;
        }
        self.counted.retain(|(other, _)| *other != rule);
        self.counted.push((rule, nth));
        true
    }
}
