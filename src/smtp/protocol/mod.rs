//! The syntax of the protocol, without a session: commands, paths and mailboxes (RFC 5321 §4.1), message text (§4.5.2),
//! extensions (§2.2), XCLIENT, and the receiver's core replies (§4.2).

pub(crate) mod command;
pub(crate) mod data;
pub(crate) mod extension;
pub(crate) mod mailbox;
pub(crate) mod mistake;
pub(crate) mod parameters;
pub(crate) mod path;
pub(crate) mod replies;
pub(crate) mod syntax;
pub(crate) mod xclient;
pub(crate) mod xtext;
