use std::fs;

use jiff::Timestamp;

use super::mail::{LARGE_OCTETS, NumberedMessage, compact};
use super::*;
use crate::journal::Envelope;

/// A journal of its own, removed when dropped.
struct Journal(PathBuf);

impl Journal {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir();
        let directory = directory.join(format!("martinet-mail-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).expect("a directory");
        Self(directory)
    }

    fn mail(&self) -> PathBuf {
        self.0.join("journal.mail")
    }

    fn open(&self, limits: Limits) -> io::Result<(MailFile, Vec<NumberedMessage>)> {
        MailFile::open(&self.mail(), limits)
    }

    /// Messages of sessions 1, 2 and so on.
    fn holding(self, messages: &[&[u8]]) -> Self {
        let (mut mail, _) = self.open(ALL).expect("a file");
        for (session, octets) in (1..).zip(messages) {
            mail.append(&message(session, octets)).expect("written");
        }
        self
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ALL: Limits = Limits {
    entries: 100,
    octets: 1 << 30,
};

fn message(session: u64, octets: &[u8]) -> StoredMessage {
    let envelope = Envelope {
        sender: "a@example.test".into(),
        ..Envelope::default()
    };
    StoredMessage {
        session,
        at: Timestamp::UNIX_EPOCH,
        envelope: Arc::new(envelope),
        trace: "Received: x\r\n".to_owned(),
        octets: Arc::new(octets.to_vec()),
    }
}

fn sessions(kept: &[NumberedMessage]) -> Vec<u64> {
    kept.iter().map(|(message, _)| message.session).collect()
}

#[test]
fn messages_with_any_content_are_loaded() {
    let journal = Journal::new("again");
    let large = vec![b'\n'; LARGE_OCTETS];
    let sent = [
        message(1, b"{\"session\":1}\n\0\xff\r\n"),
        message(2, &large),
        message(3, b""),
        message(4, b"x"),
    ];
    let (mut mail, none) = journal.open(ALL).expect("a file");
    assert!(none.is_empty());
    for (key, message) in (1..).zip(&sent) {
        assert_eq!(mail.append(message).expect("written"), Some(key));
    }
    assert!(journal.open(ALL).is_err(), "one process at a time");
    drop(mail);
    let (mut mail, kept) = journal.open(ALL).expect("the file");
    let kept: Vec<_> = kept.into_iter().map(|(message, _)| message).collect();
    assert_eq!(format!("{kept:?}"), format!("{sent:?}"));
    mail.clear(3).expect("cleared");
    assert_eq!(mail.append(&sent[2]).expect("passed over"), None);
    mail.append(&sent[3]).expect("written");
    drop(mail);
    assert_eq!(sessions(&journal.open(ALL).expect("the file").1), [4]);
}

#[test]
fn numbers_are_read_again() {
    let journal = Journal::new("numbers");
    let (mut mail, _) = journal.open(ALL).expect("a file");
    let key = |mail: &mut MailFile, session| {
        let key = mail.append(&message(session, b"x")).expect("written");
        key.expect("a key")
    };
    let (one, two) = (key(&mut mail, 1), key(&mut mail, 2));
    mail.number(two, 7);
    mail.number(one, 8);
    mail.write_numbers().expect("written");
    let three = key(&mut mail, 3);
    mail.number(three, 9);
    key(&mut mail, 4); // also writes the number of the previous message
    key(&mut mail, 5);
    drop(mail);
    let (_, kept) = journal.open(ALL).expect("the file");
    let numbers: Vec<_> = kept.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [Some(8), Some(7), Some(9), None, None]);
}

/// The process can end at any octet of a record: the earlier records are read again, and the next record is written
/// after them.
#[test]
fn an_incomplete_record_is_cut_off() {
    let journal = Journal::new("torn").holding(&[b"one", b"two"]);
    let whole = fs::read(journal.mail()).expect("read");
    let first = whole.len() / 2;
    for length in 0..=whole.len() {
        fs::write(journal.mail(), &whole[..length]).expect("written");
        let (mut mail, kept) = journal.open(ALL).expect("the file");
        let expected = [1, 2].into_iter().take(length / first).collect::<Vec<_>>();
        assert_eq!(sessions(&kept), expected, "{length} octets");
        mail.append(&message(3, b"three")).expect("written");
        drop(mail);
        assert_eq!(
            sessions(&journal.open(ALL).expect("the file").1),
            [expected, vec![3]].concat()
        );
    }
}

#[test]
fn the_latest_are_read() {
    let journal = Journal::new("latest").holding(&[b"1234567" as &[u8]; 9]);
    let size = fs::metadata(journal.mail()).expect("it is there").len() as usize / 9;
    let kept = |entries, octets| {
        sessions(
            &journal
                .open(Limits { entries, octets })
                .expect("the file")
                .1,
        )
    };
    assert_eq!(kept(2, 1 << 20), [8, 9]);
    assert_eq!(kept(9, 3 * size + 1), [7, 8, 9]);
    assert_eq!(kept(9, 1), [9]);
}

/// Any changed octet is detected, except in the end of the last record, and nothing is lost; a repair keeps the other
/// records.
#[test]
fn damage_is_refused_and_repaired_on_request() {
    let journal = Journal::new("damage").holding(&[b"one", b"two", b"three"]);
    let whole = fs::read(journal.mail()).expect("read");
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x04;
        fs::write(journal.mail(), &damaged).expect("written");
        let error = journal.open(ALL).map(|(_, kept)| sessions(&kept));
        let error = error.expect_err(&format!("octet {place}")).to_string();
        assert!(
            error.contains("expected a record") && error.contains("martinet journal repair"),
            "{error}"
        );
        assert_eq!(
            fs::read(journal.mail()).expect("read"),
            damaged,
            "as it was"
        );
        let repaired = repair(&journal.0.join("journal")).expect("repaired");
        let copy = repaired.copy.expect("a copy");
        assert_eq!(fs::read(&copy).expect("read"), damaged, "as it was");
        fs::remove_file(copy).expect("removed");
        let removed: u64 = repaired.damaged.iter().map(|stretch| stretch.octets).sum();
        let (_, kept) = journal.open(ALL).expect("whole again");
        let lost = 1 + (place * 3 / whole.len()).min(2) as u64;
        assert!(repaired.messages >= 1 && sessions(&kept).len() as u64 == repaired.messages);
        let rest = fs::metadata(journal.mail()).expect("it is there").len();
        assert_eq!(rest + removed, whole.len() as u64);
        // A missing line feed joins a line with the beginning of the next record, which is found nevertheless.
        assert!(
            !sessions(&kept).contains(&lost) || repaired.messages == 2,
            "{kept:?}"
        );
        assert_eq!(
            repaired.messages, 2,
            "octet {place}: {:?}",
            repaired.damaged
        );
    }
}

#[test]
fn a_file_that_is_not_a_journal_is_an_error_and_unchanged() {
    let journal = Journal::new("stranger");
    for octets in [
        b"a letter".to_vec(),
        b"a letter\n".to_vec(),
        b"{}\n".to_vec(),
    ] {
        fs::write(journal.mail(), &octets).expect("written");
        let error = journal.open(ALL).expect_err("not a journal").to_string();
        assert!(
            error.starts_with("at octet 0: expected a record"),
            "{error}"
        );
        let error = repair(&journal.0.join("journal")).expect_err("nothing to keep");
        assert!(error.to_string().contains("no record at all"), "{error}");
        assert_eq!(fs::read(journal.mail()).expect("read"), octets, "as it was");
    }
}

/// The size of the file stays below one and a half times the limit, plus the size of unused space and one message.
#[test]
fn room_is_given_back_while_others_append() {
    let journal = Journal::new("room");
    let limits = Limits {
        entries: 1000,
        octets: 4 << 20,
    };
    let (mail, _) = journal.open(limits).expect("a file");
    let mail = Mutex::new(mail);
    let octets = vec![b'x'; 20_000];
    let (mut copies, mut largest) = (0, 0);
    for session in 1..=1500 {
        let needed = {
            let mut mail = mail.lock();
            let key = mail.append(&message(session, &octets)).expect("written");
            mail.number(key.expect("a key"), session + 100);
            mail.write_numbers().expect("written");
            mail.needs_copy()
        };
        if needed {
            compact(&mail).expect("copied");
            copies += 1;
        }
        largest = largest.max(fs::metadata(journal.mail()).expect("it is there").len());
    }
    assert!(largest < (4 << 20) * 3 / 2 + 200_000, "{largest}");
    assert!((5..20).contains(&copies), "{copies} copies");
    assert!(
        journal.open(limits).is_err(),
        "this process still has the lock"
    );
    drop(mail);
    let (_, kept) = journal.open(limits).expect("the file");
    let expected: Vec<u64> = (1500 - kept.len() as u64 + 1..=1500).collect();
    assert_eq!(sessions(&kept), expected);
    assert!(kept.len() > 200, "{}", kept.len());
    assert!(
        kept.iter()
            .all(|(m, number)| *number == Some(m.session + 100))
    );
}
