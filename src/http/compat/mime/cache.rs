//! Cache of parsed messages with a limit in octets.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::http::compat::mime::Mail;
use crate::journal::Message;

/// Maximum size of the cache in octets, as counted by [`Mail::octets`].
const OCTETS: usize = 64 << 20;

#[derive(Debug)]
pub(crate) struct Cache {
    known: Mutex<Known>,
    most: usize,
}

#[derive(Debug, Default)]
struct Known {
    /// By the address of the message. The weak reference keeps the address from being reused.
    mails: HashMap<usize, (Weak<Message>, Arc<Mail>, usize)>,
    /// Addresses, the oldest first.
    order: VecDeque<usize>,
    octets: usize,
    /// Messages that are being parsed; concurrent requests for the same message wait for the result.
    reading: HashMap<usize, Arc<OnceLock<Arc<Mail>>>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self::of(OCTETS)
    }
}

impl Cache {
    fn of(most: usize) -> Self {
        Self {
            known: Mutex::default(),
            most,
        }
    }

    /// The parsed message, from the cache or parsed once, outside the lock, for all concurrent requests.
    pub(super) fn read(&self, message: &Arc<Message>) -> Arc<Mail> {
        let address = Arc::as_ptr(message).addr();
        let reading = {
            let mut known = self.known.lock();
            if let Some((_, mail, _)) = known.mails.get(&address) {
                return Arc::clone(mail);
            }
            Arc::clone(known.reading.entry(address).or_default())
        };
        let mail = Arc::clone(reading.get_or_init(|| Arc::new(Mail::read(&message.raw()))));
        let mut known = self.known.lock();
        // The first reader caches the message for the others. A message larger than the cache is parsed each time.
        let first = known
            .reading
            .get(&address)
            .is_some_and(|now| Arc::ptr_eq(now, &reading));
        if first {
            known.reading.remove(&address);
            let octets = mail.octets();
            if octets <= self.most {
                known.keep(message, &mail, octets, self.most);
            }
        }
        mail
    }
}

impl Known {
    fn keep(&mut self, message: &Arc<Message>, mail: &Arc<Mail>, octets: usize, most: usize) {
        let address = Arc::as_ptr(message).addr();
        let row = (Arc::downgrade(message), Arc::clone(mail), octets);
        if self.mails.insert(address, row).is_some() {
            return;
        }
        self.order.push_back(address);
        self.octets += octets;
        while self.octets > most {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some((_, _, octets)) = self.mails.remove(&oldest) {
                self.octets -= octets;
            }
        }
        // Messages that the journal has dropped are removed.
        while let Some(oldest) = self.order.front() {
            match self.mails.get(oldest) {
                Some((message, _, _)) if message.strong_count() > 0 => break,
                _ => {}
            }
            let oldest = self.order.pop_front().unwrap_or_default();
            if let Some((_, _, octets)) = self.mails.remove(&oldest) {
                self.octets -= octets;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u64) -> Arc<Message> {
        Arc::new(Message {
            id,
            session: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            envelope: Arc::default(),
            trace: String::new(),
            octets: Arc::new(format!("Subject: {id}\r\n\r\nx\r\n").into_bytes()),
        })
    }

    #[test]
    fn a_message_is_read_once_while_there_is_room() {
        let cache = Cache::of(64 << 10);
        let first = message(1);
        let read = cache.read(&first);
        assert_eq!(read.subject, "1");
        assert!(Arc::ptr_eq(&read, &cache.read(&first)), "read once");
        let others: Vec<_> = (2..2000).map(message).collect();
        for other in &others {
            cache.read(other);
        }
        let known = cache.known.lock();
        assert!(known.octets <= 64 << 10 && known.mails.len() == known.order.len());
        drop(known);
        assert!(
            !Arc::ptr_eq(&read, &cache.read(&first)),
            "the oldest goes first"
        );
    }

    /// A message of 100,000 parts is cached like any other, and parsed once for all concurrent requests.
    #[test]
    fn concurrent_requests_share_one_parse() {
        let mut octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
        for _ in 0..100_000 {
            octets.extend_from_slice(b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n");
        }
        octets.extend_from_slice(b"--b--\r\n");
        let message = Arc::new(Message {
            octets: Arc::new(octets),
            ..Message::clone(&message(1))
        });
        let cache = Cache::default();
        let mails: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| cache.read(&message)))
                .collect();
            let joined = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            joined.collect()
        });
        assert_eq!(mails[0].parts.len(), 100_000);
        assert!(
            mails.iter().all(|mail| Arc::ptr_eq(mail, &mails[0])),
            "read once"
        );
        assert!(Arc::ptr_eq(&cache.read(&message), &mails[0]), "remembered");
        let known = cache.known.lock();
        assert!(known.octets <= OCTETS && known.reading.is_empty());
    }

    #[test]
    fn messages_dropped_by_the_journal_leave_the_cache() {
        let cache = Cache::of(1 << 20);
        for id in 1..100 {
            cache.read(&message(id));
        }
        assert!(cache.known.lock().mails.len() <= 1);
    }
}
