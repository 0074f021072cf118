//! `[[sent]]`: what a sender had sent before the first session.

use super::reader::Reader;
use super::report::Mistakes;
use super::values::{address, domain_name};
use crate::facts::{CountBy, MOST_COUNTED, SentBefore};
use crate::name::Name;

/// Messages that a sender had sent before.
pub(super) fn sent(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<SentBefore> {
    const SENDERS: [&str; 3] = ["client", "sender_domain", "from_domain"];
    table.require("messages", mistakes);
    let messages = table.number("messages", mistakes).map(|number| {
        if !(1..=MOST_COUNTED).contains(&number.value) {
            let expected = format!("a whole number from 1 to {MOST_COUNTED}");
            mistakes.add(number.span, expected, number.value.to_string());
        }
        number.value
    });
    let senders = SENDERS.iter().filter(|key| table.has(key)).count();
    if senders != 1 {
        let found = if senders == 0 { "none" } else { "several" };
        let expected = "one of client, sender_domain and from_domain";
        mistakes.add(table.span(), expected, found);
    }
    let client = table.parsed("client", mistakes, address);
    let sender_domain = table.parsed("sender_domain", mistakes, domain_name);
    let from_domain = table.parsed("from_domain", mistakes, domain_name);
    table.finish();
    let messages = messages?;
    let by_client = client.map(|address| SentBefore::from_client(address, messages));
    let of = |by, domain: &Name| SentBefore::from_domain(by, domain, messages);
    let by_sender = sender_domain.map(|domain| of(CountBy::SenderDomain, &domain));
    let by_from = from_domain.map(|domain| of(CountBy::FromDomain, &domain));
    by_client.or(by_sender).or(by_from)
}
