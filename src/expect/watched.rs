//! How sessions, DNS queries and messages are watched, and the condition by which each filter is indexed.

use super::mail::Mail;
use super::watch::{Fields, Key, Watched};
use super::{Mismatch, Queries, Sessions};
use crate::journal::{DnsQuery, Message};
use crate::smtp::{SessionEntry, SessionRecord};

/// The fields that can be keys, most selective first.
mod field {
    pub(crate) const RECIPIENT: u8 = 0;
    pub(super) const SENDER: u8 = 1;
    pub(super) const HELO: u8 = 2;
    pub(super) const CLIENT: u8 = 3;
    pub(crate) const RULE: u8 = 4;
    pub(crate) const ENHANCED: u8 = 5;
    pub(crate) const CODE: u8 = 6;
    pub(crate) const STAGE: u8 = 7;
    pub(crate) const SOURCE: u8 = 8;
    pub(crate) const TRANSACTION: u8 = 9;
    pub(crate) const VERDICT: u8 = 10;
    pub(super) const NAME: u8 = 11;
    pub(crate) const TYPE: u8 = 12;
    pub(super) const RCODE: u8 = 13;
    pub(crate) const SESSION: u8 = 14;
}

fn text(field: u8, value: Option<&String>) -> Option<Key> {
    value.map(|value| Key::new(field, value))
}

impl Watched for SessionEntry {
    type Pattern = Sessions;
    type View = SessionRecord;

    fn number(&self) -> u64 {
        self.id
    }

    fn view<R>(&self, look: impl FnOnce(&SessionRecord) -> R) -> R {
        self.look(look)
    }

    fn is_settled(record: &SessionRecord) -> bool {
        record.is_settled()
    }

    fn is_final(record: &SessionRecord) -> bool {
        record.closed_by.is_some()
    }

    fn key(pattern: &Sessions) -> Option<Key> {
        let client = pattern
            .client_address
            .as_ref()
            .and_then(|client| client.one());
        text(field::RECIPIENT, pattern.recipient.as_ref())
            .or_else(|| text(field::SENDER, pattern.sender.as_ref()))
            .or_else(|| text(field::HELO, pattern.helo.as_ref()))
            .or_else(|| client.map(|client| Key::new(field::CLIENT, &client.to_string())))
            .or_else(|| text(field::RULE, pattern.rule.as_ref()))
            .or_else(|| text(field::ENHANCED, pattern.enhanced.as_ref()))
            .or_else(|| {
                pattern
                    .code
                    .map(|code| Key::of_number(field::CODE, code.into()))
            })
            .or_else(|| {
                pattern
                    .stage
                    .map(|stage| Key::new(field::STAGE, stage.name()))
            })
            .or_else(|| {
                pattern
                    .source
                    .map(|source| Key::new(field::SOURCE, source.name()))
            })
            .or_else(|| {
                pattern
                    .transaction
                    .map(|v| Key::new(field::TRANSACTION, v.name()))
            })
            .or_else(|| pattern.verdict.map(|v| Key::new(field::VERDICT, v.name())))
    }

    fn keys(record: &SessionRecord, fields: Fields, each: &mut dyn FnMut(Key)) {
        if fields.has(field::RECIPIENT) {
            let recipients = record.recipients.iter();
            recipients.for_each(|path| each(Key::new(field::RECIPIENT, path)));
        }
        if fields.has(field::SENDER) {
            record.senders(|sender| each(Key::new(field::SENDER, sender)));
        }
        if fields.has(field::HELO) {
            each(Key::new(field::HELO, &record.helo));
        }
        if fields.has(field::CLIENT) {
            let client = record.client_address.to_string();
            each(Key::new(field::CLIENT, &client));
        }
        if fields.has(field::VERDICT) {
            each(Key::new(field::VERDICT, record.verdict.name()));
        }
        for refusal in &record.refusals {
            if fields.has(field::RULE) {
                each(Key::new(field::RULE, refusal.rule));
            }
            if fields.has(field::STAGE) {
                each(Key::new(field::STAGE, refusal.stage.name()));
            }
            if fields.has(field::SOURCE) {
                each(Key::new(field::SOURCE, refusal.source.name()));
            }
            if fields.has(field::CODE) {
                let code = refusal.reply.code().get();
                each(Key::of_number(field::CODE, code.into()));
            }
            if fields.has(field::ENHANCED) {
                let enhanced = refusal.enhanced().unwrap_or_default();
                each(Key::new(field::ENHANCED, &enhanced));
            }
        }
        for transaction in &record.transactions {
            if fields.has(field::TRANSACTION) {
                each(Key::new(field::TRANSACTION, transaction.verdict.name()));
            }
            if fields.has(field::CODE)
                && let Some(code) = crate::reply::code_of(&transaction.reply)
            {
                each(Key::of_number(field::CODE, code.into()));
            }
            if fields.has(field::ENHANCED) {
                let enhanced = crate::reply::enhanced_of(&transaction.reply);
                each(Key::new(field::ENHANCED, &enhanced));
            }
        }
    }

    fn meets(record: &SessionRecord, pattern: &Sessions) -> bool {
        pattern.matches(record)
    }

    fn mismatches(record: &SessionRecord, pattern: &Sessions) -> Vec<Mismatch> {
        pattern.mismatches(record)
    }

    fn line(record: &SessionRecord) -> String {
        record.headline()
    }

    fn story(record: &SessionRecord) -> String {
        record.story()
    }
}

impl Watched for DnsQuery {
    type Pattern = Queries;
    type View = Self;

    fn number(&self) -> u64 {
        self.id
    }

    fn view<R>(&self, look: impl FnOnce(&Self) -> R) -> R {
        look(self)
    }

    fn key(pattern: &Queries) -> Option<Key> {
        let name = pattern.name.as_ref().map(|name| name.trim_end_matches('.'));
        let client = pattern
            .client_address
            .as_ref()
            .and_then(|client| client.one());
        name.map(|name| Key::new(field::NAME, name))
            .or_else(|| client.map(|client| Key::new(field::CLIENT, &client.to_string())))
            .or_else(|| text(field::TYPE, pattern.record_type.as_ref()))
            .or_else(|| text(field::RCODE, pattern.rcode.as_ref()))
    }

    fn keys(query: &Self, fields: Fields, each: &mut dyn FnMut(Key)) {
        if fields.has(field::NAME) {
            let name = query.name();
            each(Key::new(field::NAME, name.trim_end_matches('.')));
        }
        if fields.has(field::CLIENT) {
            let client = query.client.ip().to_canonical().to_string();
            each(Key::new(field::CLIENT, &client));
        }
        if fields.has(field::TYPE) {
            each(Key::new(field::TYPE, &query.record_type()));
        }
        if fields.has(field::RCODE) {
            each(Key::new(field::RCODE, &query.rcode()));
        }
    }

    fn meets(query: &Self, pattern: &Queries) -> bool {
        pattern.matches(query)
    }

    fn mismatches(query: &Self, pattern: &Queries) -> Vec<Mismatch> {
        pattern.mismatches(query)
    }

    fn line(query: &Self) -> String {
        query.headline()
    }
}

impl Watched for Message {
    type Pattern = Mail;
    type View = Self;

    fn number(&self) -> u64 {
        self.id
    }

    fn view<R>(&self, look: impl FnOnce(&Self) -> R) -> R {
        look(self)
    }

    fn key(pattern: &Mail) -> Option<Key> {
        text(field::RECIPIENT, pattern.recipient.as_ref())
            .or_else(|| text(field::SENDER, pattern.sender.as_ref()))
            .or_else(|| {
                pattern
                    .session
                    .map(|session| Key::of_number(field::SESSION, session))
            })
    }

    fn keys(message: &Self, fields: Fields, each: &mut dyn FnMut(Key)) {
        let envelope = &message.envelope;
        if fields.has(field::RECIPIENT) {
            let paths = envelope.recipients.iter();
            paths.for_each(|path| each(Key::new(field::RECIPIENT, path)));
        }
        if fields.has(field::SENDER) {
            each(Key::new(field::SENDER, &envelope.sender));
        }
        if fields.has(field::SESSION) {
            each(Key::of_number(field::SESSION, message.session));
        }
    }

    fn meets(message: &Self, pattern: &Mail) -> bool {
        pattern.matches(message)
    }

    fn mismatches(message: &Self, pattern: &Mail) -> Vec<Mismatch> {
        pattern.mismatches(message)
    }

    fn line(message: &Self) -> String {
        let envelope = &message.envelope;
        format!(
            "message {} of session {}, from <{}> to {}",
            message.id,
            message.session,
            envelope.sender,
            envelope.recipients.join(", ")
        )
    }
}
