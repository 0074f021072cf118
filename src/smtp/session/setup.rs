//! The constant parts of a session: the receiver, the listener, the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::facts::{Facts, Memory};
use crate::policy::Values;
use crate::reply::Reply;
use crate::smtp::budget::{MailData, MessageBudget};
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::settings::StartTls;
use crate::smtp::{Extension, Receiver, RecipientKind, Recipients, Settings};

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and one reply for each recipient after the final dot.
    Lmtp,
}

/// What a session needs to know about its listener.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListenerMode {
    /// The protocol.
    pub protocol: Protocol,
    /// Whether the listener has TLS.
    pub tls: bool,
    /// The setting of STARTTLS; that of the receiver if `None`.
    pub starttls: Option<StartTls>,
    /// The networks that may use XCLIENT; those of the receiver if `None`.
    pub xclient: Option<Arc<[IpNet]>>,
    /// Whether the connection uses implicit TLS.
    pub secured: bool,
}

/// The setup of a session.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(super) receiver: Arc<Receiver>,
    pub(super) memory: Arc<Memory>,
    /// The memory budget of messages; unlimited if `None`.
    pub(super) budget: Option<Arc<MessageBudget>>,
    /// The peer of the socket.
    pub(super) peer: SocketAddr,
    /// The number of the session in the world.
    pub(super) id: u64,
    /// The number as replies and Received fields show it.
    pub(super) token: String,
    pub(super) listener: ListenerMode,
    /// Whether messages are stored before they are acknowledged.
    pub(super) stores_messages: bool,
    /// The mailboxes of the recipient domains; every recipient is known if `None`.
    pub(super) recipients: Option<Arc<Recipients>>,
}

impl Setup {
    pub(super) fn new(
        receiver: Arc<Receiver>,
        memory: Arc<Memory>,
        peer: SocketAddr,
        id: u64,
    ) -> Self {
        Self {
            receiver,
            memory,
            budget: None,
            peer,
            id,
            token: format!("{id:08x}"),
            listener: ListenerMode::default(),
            stores_messages: false,
            recipients: None,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.receiver.settings
    }

    pub(super) fn is_lmtp(&self) -> bool {
        self.listener.protocol == Protocol::Lmtp
    }

    /// Whether replies have enhanced status codes.
    pub(super) fn enhanced(&self) -> bool {
        let extensions = &self.settings().extensions;
        extensions.offers(Extension::EnhancedStatusCodes)
    }

    /// The values of placeholders that do not come from the facts.
    pub(super) fn values<'a>(&'a self, quotes: &'a [(&'static str, String)]) -> Values<'a> {
        Values {
            mx: &self.settings().hostname,
            id: &self.token,
            quotes,
        }
    }

    /// A core reply with its placeholders filled.
    pub(super) fn core_reply(
        &self,
        reply: CoreReply,
        facts: &Facts,
        quotes: &[(&'static str, String)],
    ) -> Reply {
        let replies = &self.settings().replies;
        let template = replies.template(reply, self.enhanced());
        template.fill(facts, &self.values(quotes))
    }

    /// The text lines of the greeting.
    pub(super) fn greeting(&self) -> Vec<String> {
        let settings = self.settings();
        let lines = settings.greeting.iter();
        lines
            .map(|line| line.replace("{mx}", &settings.hostname))
            .collect()
    }

    /// The setting of STARTTLS: that of the listener, or else of the receiver.
    pub(super) fn starttls(&self) -> StartTls {
        self.listener.starttls.unwrap_or(self.settings().starttls)
    }

    /// Whether the peer may use XCLIENT.
    pub(super) fn may_xclient(&self) -> bool {
        let peer = crate::name::normalise(self.peer.ip());
        let of_listener = self.listener.xclient.as_deref();
        let networks = of_listener.unwrap_or(&self.settings().xclient);
        networks.iter().any(|net| net.contains(&peer))
    }

    /// The refusal of a recipient that the receiver does not accept.
    pub(super) fn refusal_of_recipient(&self, recipient: &str) -> Option<CoreReply> {
        let settings = self.settings();
        let recipients = self.recipients.as_ref()?;
        if settings.any_domain && !recipients.is_limited() {
            return None;
        }
        match recipients.kind(recipient) {
            RecipientKind::UnknownMailbox if !settings.any_recipient => {
                Some(CoreReply::UnknownRecipient)
            }
            RecipientKind::UnknownDomain if !settings.any_domain => Some(CoreReply::RelayDenied),
            _ => None,
        }
    }

    /// Makes the buffer of a message.
    pub(super) fn mail_data(&self) -> MailData {
        MailData::new(self.settings().max_message_octets, self.budget.clone())
    }

    /// The reply to a message that is too large for the receiver, or for the memory now (RFC 1870 §6.1); the size is 0
    /// without SIZE.
    pub(super) fn has_no_room(&self, size: usize) -> Option<CoreReply> {
        if size > self.settings().max_message_octets {
            return Some(CoreReply::SizeTooLarge);
        }
        let budget = self.budget.as_ref();
        let full = budget.is_some_and(|budget| !budget.has_room(size.max(1)));
        full.then_some(CoreReply::NoStorage)
    }
}
