//! The records of FILE.mail, and how they are found after damage.
//!
//! A record begins with a line: JSON, a space, and the CRC-32 of the JSON in hexadecimal digits. The line of a message
//! is followed by its trace fields, its octets as received, and a line feed; the line has their lengths and their
//! CRC-32. A record with a complete line whose octets end with the file is incomplete, because the process ended while
//! writing it. Everything else that cannot be read is damage.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::{Envelope, StoredMessage};

/// The beginning of the line of a message.
pub(super) const MESSAGE: &[u8] = b"{\"session\":";
/// The beginning of the line of a record of numbers.
const NUMBERS: &[u8] = b"{\"numbers\":";
/// The length of a space and the checksum after the JSON.
const CHECKSUM_OCTETS: usize = 9;
/// Maximum length of a line: an envelope of 1000 recipients with their parameters takes two MiB.
const LINE_OCTETS: u64 = 16 << 20;

/// The line before a message.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Head<E> {
    pub(crate) session: u64,
    pub(crate) at: Timestamp,
    pub(crate) envelope: E,
    /// The key of the message in the file.
    pub(crate) key: u64,
    /// The length of the trace fields in octets.
    pub(crate) trace: usize,
    /// The length of the message as received in octets.
    pub(crate) octets: usize,
    /// The CRC-32 of both.
    pub(crate) crc: u32,
}

/// The numbers of messages in their world, by key. They are known only after the message is stored.
#[derive(Deserialize, Serialize)]
struct Numbers<N> {
    numbers: N,
}

/// Writes the line of a message; its octets must follow.
pub(super) fn write_head(message: &StoredMessage, key: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(message.trace.as_bytes());
    crc.update(&message.octets);
    let head = Head {
        session: message.session,
        at: message.at,
        envelope: &*message.envelope,
        key,
        trace: message.trace.len(),
        octets: message.octets.len(),
        crc: crc.finalize(),
    };
    write_line(&head, into)
}

/// Writes a record of numbers.
pub(super) fn write_numbers(numbers: &[(u64, u64)], into: &mut Vec<u8>) -> io::Result<()> {
    write_line(&Numbers { numbers }, into)
}

fn write_line(record: &impl Serialize, into: &mut Vec<u8>) -> io::Result<()> {
    let begin = into.len();
    serde_json::to_writer(&mut *into, record)?;
    let checksum = crc32fast::hash(&into[begin..]);
    into.extend_from_slice(format!(" {checksum:08x}\n").as_bytes());
    Ok(())
}

/// The result of reading at an offset.
#[derive(Debug)]
pub(super) enum Found {
    /// A message with its key.
    Message(u64, StoredMessage),
    /// Numbers of messages, by their keys.
    Numbers(Vec<(u64, u64)>),
    /// An incomplete record at the end of the file.
    Incomplete,
    /// Octets that are not a record, with the reason.
    Damaged(String),
    /// The end of the file.
    End,
}

/// Reads records one after the other.
pub(super) struct Scan<'a> {
    reader: BufReader<&'a fs::File>,
    length: u64,
    /// The offset of the next record.
    pub at: u64,
    line: Vec<u8>,
}

impl<'a> Scan<'a> {
    /// Begins at the beginning of the file.
    pub(super) fn new(file: &'a fs::File) -> io::Result<Self> {
        let mut scan = Self {
            reader: BufReader::with_capacity(256 << 10, file),
            length: file.metadata()?.len(),
            at: 0,
            line: Vec::new(),
        };
        scan.seek(0)?;
        Ok(scan)
    }

    /// Continues at another offset.
    pub(crate) fn seek(&mut self, at: u64) -> io::Result<()> {
        self.at = at;
        self.reader.seek(SeekFrom::Start(at)).map(|_| ())
    }

    /// Reads a record. An incomplete or damaged record is not skipped.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        self.line.clear();
        let mut limited = (&mut self.reader).take(LINE_OCTETS);
        limited.read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(Found::End);
        }
        let line_end = self.at + self.line.len() as u64;
        if self.line.last() != Some(&b'\n') {
            let begins = |with: &[u8]| self.line.starts_with(with) || with.starts_with(&self.line);
            let incomplete = line_end == self.length && (begins(MESSAGE) || begins(NUMBERS));
            return Ok(if incomplete {
                Found::Incomplete
            } else {
                Found::Damaged("it is not a line of JSON".to_owned())
            });
        }
        let found = match parse(&self.line[..self.line.len() - 1]) {
            Err(why) => return Ok(Found::Damaged(why)),
            Ok(Line::Numbers(numbers)) => Found::Numbers(numbers),
            Ok(Line::Message(head)) => {
                let size = head.trace.saturating_add(head.octets) as u64;
                if line_end.saturating_add(size).saturating_add(1) > self.length {
                    return Ok(Found::Incomplete);
                }
                match self.message(head)? {
                    Ok(found) => {
                        self.at = line_end + size + 1;
                        return Ok(found);
                    }
                    Err(why) => return Ok(Found::Damaged(why)),
                }
            }
        };
        self.at = line_end;
        Ok(found)
    }

    /// Reads the octets of a message.
    fn message(&mut self, head: Head<Envelope>) -> io::Result<Result<Found, String>> {
        let (mut trace, mut octets) = (vec![0; head.trace], vec![0; head.octets]);
        let mut end = [0];
        self.reader.read_exact(&mut trace)?;
        self.reader.read_exact(&mut octets)?;
        self.reader.read_exact(&mut end)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&trace);
        crc.update(&octets);
        if crc.finalize() != head.crc || end != *b"\n" {
            return Ok(Err("the octets of its message were changed".to_owned()));
        }
        let message = StoredMessage {
            session: head.session,
            at: head.at,
            envelope: head.envelope.into(),
            trace: String::from_utf8_lossy(&trace).into_owned(),
            octets: octets.into(),
        };
        Ok(Ok(Found::Message(head.key, message)))
    }

    /// Skips a damaged part, to the next offset at which a complete record begins, or to the end.
    pub(crate) fn recover(&mut self) -> io::Result<()> {
        let damage = self.at;
        let mut at = damage;
        while at < self.length {
            self.seek(at)?;
            self.line.clear();
            let mut limited = (&mut self.reader).take(LINE_OCTETS);
            let passed = limited.read_until(b'\n', &mut self.line)? as u64;
            // A record can begin within the line, if the line feed before it is damaged.
            let begin = [MESSAGE, NUMBERS]
                .into_iter()
                .flat_map(|with| memchr::memmem::find_iter(&self.line, with))
                .map(|begin| at + begin as u64)
                .filter(|begin| *begin > damage)
                .min();
            let Some(begin) = begin else {
                at += passed.max(1);
                continue;
            };
            self.seek(begin)?;
            if matches!(self.next()?, Found::Message(..) | Found::Numbers(_)) {
                return self.seek(begin);
            }
            at = begin + 1;
        }
        self.seek(self.length)
    }
}

enum Line {
    Message(Head<Envelope>),
    Numbers(Vec<(u64, u64)>),
}

fn parse(line: &[u8]) -> Result<Line, String> {
    let (json, checksum) = line
        .len()
        .checked_sub(CHECKSUM_OCTETS)
        .map(|at| line.split_at(at))
        .ok_or("the line is too short")?;
    let expected = format!(" {:08x}", crc32fast::hash(json));
    if checksum != expected.as_bytes() {
        return Err("the checksum of its line is wrong".to_owned());
    }
    let line = if json.starts_with(NUMBERS) {
        serde_json::from_slice(json).map(|Numbers { numbers }| Line::Numbers(numbers))
    } else {
        serde_json::from_slice(json).map(Line::Message)
    };
    line.map_err(|error| error.to_string())
}
