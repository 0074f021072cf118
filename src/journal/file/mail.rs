//! The messages of a journal file: a file beside the database, where each octet is written once.
//!
//! A record is a line of JSON (session, time, envelope, and how many octets follow), the trace fields, the octets as
//! received, and a line feed. Records are only ever appended: the end of the process in the midst of one leaves a torn
//! record at the end, of a message that nobody had acknowledged; it is cut off when the file is opened again.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::{Envelope, Limits, StoredMessage};

/// How every record begins.
const BEGINNING: &[u8] = b"{\"session\":";

/// Messages from this size on are not copied beside others first.
const LARGE_OCTETS: usize = 32 << 10;

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct MailFile {
    file: fs::File,
    /// Where the last whole record ends.
    end: u64,
    /// Whether something may stand behind that end: a part of a record that could not be written, nor be cut off.
    torn: bool,
    /// Messages of sessions up to this number are forgotten.
    cleared: u64,
    buffer: Vec<u8>,
}

/// What stands before a message.
#[derive(Deserialize, Serialize)]
struct Head<E> {
    session: u64,
    at: Timestamp,
    envelope: E,
    /// Octets of the trace fields.
    trace: usize,
    /// Octets of the message as received.
    octets: usize,
}

impl MailFile {
    /// Opens the file, or makes one; gives the latest messages, the oldest first.
    ///
    /// # Errors
    /// It cannot be read or written, another process has it, or it holds something else.
    pub(super) fn open(path: &Path, limits: Limits) -> io::Result<(Self, Vec<StoredMessage>)> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        file.try_lock()
            .map_err(|_| io::Error::other("another process has it open"))?;
        let (found, end) = scan(&file, limits)?;
        if end < file.metadata()?.len() {
            file.set_len(end)?;
        }
        let deposits = found
            .into_iter()
            .map(|(at, head)| read(&mut file, at, head))
            .collect::<io::Result<_>>()?;
        Ok((
            Self {
                file,
                end,
                torn: false,
                cleared: 0,
                buffer: Vec::new(),
            },
            deposits,
        ))
    }

    /// Appends messages. When this returns they survive the end of the process; where it fails, none of them stays.
    pub(super) fn append(&mut self, deposits: &[StoredMessage]) -> io::Result<()> {
        if deposits
            .iter()
            .all(|message| message.session <= self.cleared)
        {
            return Ok(());
        }
        if self.torn {
            self.file.set_len(self.end)?;
        }
        let written = self.write(deposits);
        self.torn = match written {
            Ok(octets) => {
                self.end += octets;
                false
            }
            Err(_) => self.file.set_len(self.end).is_err(),
        };
        written.map(|_| ())
    }

    fn write(&mut self, deposits: &[StoredMessage]) -> io::Result<u64> {
        let (buffer, mut octets_written) = (&mut self.buffer, 0);
        buffer.clear();
        for StoredMessage {
            session,
            at,
            envelope,
            trace,
            octets,
        } in deposits
        {
            let head = Head {
                session: *session,
                at: *at,
                envelope: &**envelope,
                trace: trace.len(),
                octets: octets.len(),
            };
            serde_json::to_writer(&mut *buffer, &head)?;
            buffer.push(b'\n');
            buffer.extend_from_slice(trace.as_bytes());
            if octets.len() >= LARGE_OCTETS {
                self.file.write_all(buffer)?;
                self.file.write_all(octets)?;
                octets_written += buffer.len() + octets.len();
                buffer.clear();
            } else {
                buffer.extend_from_slice(octets);
            }
            buffer.push(b'\n');
        }
        self.file.write_all(buffer)?;
        Ok((octets_written + buffer.len()) as u64)
    }

    /// Lets others have the file.
    pub(super) fn release(&self) {
        let _ = self.file.unlock();
    }

    /// Forgets everything, and takes nothing more of sessions up to this number.
    pub(super) fn clear(&mut self, last_session: u64) -> io::Result<()> {
        (self.end, self.torn, self.cleared) = (0, true, last_session);
        self.file.set_len(0)
    }
}

type Found = VecDeque<(u64, Head<Envelope>)>;

/// Where the latest messages stand, and where the last whole one ends.
fn scan(file: &fs::File, limits: Limits) -> io::Result<(Found, u64)> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(0))?;
    let (mut found, mut kept, mut end, mut line) = (Found::new(), 0, 0, Vec::new());
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        let stranger = |why: &dyn std::fmt::Display| {
            io::Error::other(format!(
                "at octet {end}: expected the head of a message, found something else ({why})"
            ))
        };
        if line.last() != Some(&b'\n') {
            // What was torn begins as a record does; anything else is somebody's, and is not cut off.
            let ours = line.starts_with(BEGINNING) || BEGINNING.starts_with(&line);
            return if ours {
                Ok((found, end))
            } else {
                Err(stranger(&"no line of JSON"))
            };
        }
        let head: Head<Envelope> = serde_json::from_slice(&line).map_err(|e| stranger(&e))?;
        let begin = end + line.len() as u64;
        let octets = head
            .trace
            .checked_add(head.octets)
            .ok_or_else(|| stranger(&"no such length"))?;
        let Some(next) = begin
            .checked_add(octets as u64 + 1)
            .filter(|next| *next <= length)
        else {
            return Ok((found, end));
        };
        reader.seek(SeekFrom::Start(next))?;
        found.push_back((begin, head));
        (end, kept) = (next, kept + octets);
        while found.len() > limits.entries || kept > limits.octets && found.len() > 1 {
            kept -= found
                .pop_front()
                .map_or(0, |(_, head)| head.trace + head.octets);
        }
    }
}

fn read(file: &mut fs::File, begin: u64, head: Head<Envelope>) -> io::Result<StoredMessage> {
    file.seek(SeekFrom::Start(begin))?;
    let (mut trace, mut octets) = (vec![0; head.trace], vec![0; head.octets]);
    file.read_exact(&mut trace)?;
    file.read_exact(&mut octets)?;
    let (trace, octets) = (
        String::from_utf8_lossy(&trace).into_owned(),
        Arc::new(octets),
    );
    Ok(StoredMessage {
        session: head.session,
        at: head.at,
        envelope: Arc::new(head.envelope),
        trace,
        octets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of its own, removed when dropped.
    struct Path(std::path::PathBuf);

    impl Path {
        fn new(name: &str) -> Self {
            let path = Self(
                std::env::temp_dir().join(format!("martinet-mail-{name}-{}", std::process::id())),
            );
            let _ = fs::remove_file(&path.0);
            path
        }

        fn open(&self, limits: Limits) -> io::Result<(MailFile, Vec<StoredMessage>)> {
            MailFile::open(&self.0, limits)
        }
    }

    impl Drop for Path {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    const ALL: Limits = Limits {
        entries: 100,
        octets: 1 << 30,
    };

    fn deposit(session: u64, octets: &[u8]) -> StoredMessage {
        let envelope = Envelope {
            sender: "a@example.test".into(),
            ..Envelope::default()
        };
        let (envelope, trace, octets) = (
            Arc::new(envelope),
            "Received: x\r\n".to_owned(),
            Arc::new(octets.to_vec()),
        );
        StoredMessage {
            session,
            at: Timestamp::UNIX_EPOCH,
            envelope,
            trace,
            octets,
        }
    }

    fn sessions(deposits: &[StoredMessage]) -> Vec<u64> {
        deposits.iter().map(|deposit| deposit.session).collect()
    }

    #[test]
    fn messages_are_read_again_whatever_they_hold() {
        let path = Path::new("again");
        let large = vec![b'\n'; LARGE_OCTETS];
        let sent = [
            deposit(1, b"{}\n\0\xff\r\n"),
            deposit(2, &large),
            deposit(3, b""),
            deposit(4, b"x"),
        ];
        let (mut mail, none) = path.open(ALL).expect("a file");
        assert!(none.is_empty());
        mail.append(&sent[..2]).expect("written");
        mail.append(&sent[2..]).expect("written");
        assert!(path.open(ALL).is_err(), "one process at a time");
        drop(mail);
        let (mut mail, kept) = path.open(ALL).expect("the file");
        assert_eq!(format!("{kept:?}"), format!("{sent:?}"));
        mail.clear(0).expect("cleared");
        mail.append(&sent[3..]).expect("written");
        drop(mail);
        assert_eq!(sessions(&path.open(ALL).expect("the file").1), [4]);
    }

    /// Wherever the process ended, what was whole is there, and what comes next stands behind it.
    #[test]
    fn a_torn_record_is_cut_off() {
        let path = Path::new("torn");
        path.open(ALL)
            .expect("a file")
            .0
            .append(&[deposit(1, b"one"), deposit(2, b"two")])
            .expect("written");
        let whole = fs::read(&path.0).expect("read");
        let first = whole.len() / 2;
        for length in 0..=whole.len() {
            fs::write(&path.0, &whole[..length]).expect("written");
            let (mut mail, kept) = path.open(ALL).expect("the file");
            let expected = [1, 2].into_iter().take(length / first).collect::<Vec<_>>();
            assert_eq!(sessions(&kept), expected, "{length} octets");
            mail.append(&[deposit(3, b"three")]).expect("written");
            drop(mail);
            assert_eq!(
                sessions(&path.open(ALL).expect("the file").1),
                [expected, vec![3]].concat()
            );
        }
    }

    #[test]
    fn the_latest_are_read() {
        let path = Path::new("latest");
        let sent: Vec<_> = (1..=9)
            .map(|session| deposit(session, b"1234567"))
            .collect();
        path.open(ALL)
            .expect("a file")
            .0
            .append(&sent)
            .expect("written");
        let kept =
            |entries, octets| sessions(&path.open(Limits { entries, octets }).expect("the file").1);
        assert_eq!(kept(2, 1 << 20), [8, 9]);
        assert_eq!(kept(9, 60), [7, 8, 9]);
        assert_eq!(kept(9, 1), [9]);
    }

    #[test]
    fn what_is_no_journal_is_an_error_and_stays() {
        let path = Path::new("stranger");
        path.open(ALL)
            .expect("a file")
            .0
            .append(&[deposit(1, b"x")])
            .expect("written");
        let mut changed = fs::read(&path.0).expect("read");
        changed[0] = b'[';
        let huge = String::from_utf8_lossy(&changed[1..])
            .replace(r#""octets":1}"#, &format!(r#""octets":{}}}"#, usize::MAX));
        for octets in [
            changed,
            format!("{{{huge}").into_bytes(),
            b"a letter".to_vec(),
            b"a letter\n".to_vec(),
        ] {
            fs::write(&path.0, &octets).expect("written");
            let error = path.open(ALL).expect_err("not a journal").to_string();
            assert!(
                error.starts_with("at octet 0: expected the head of a message"),
                "{error}"
            );
            assert_eq!(fs::read(&path.0).expect("read"), octets, "nothing is lost");
        }
    }
}
