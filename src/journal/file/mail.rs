//! The messages of a journal file: FILE.mail beside the database, where each octet is written once.
//!
//! Records are only appended. If the process ends while it writes a record, the file ends with an incomplete record of
//! a message that was not acknowledged; it is cut off when the file is opened again. The limits of the message log
//! decide which old messages are removed. Their space is freed by copying the other messages to a new file, which
//! replaces the old one. Messages can be appended meanwhile, because existing records do not change.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::record::{self, Found, Scan};
use crate::journal::{Limits, StoredMessage};

/// Minimum size of messages that are not copied to memory before they are written.
pub(super) const LARGE_OCTETS: usize = 32 << 10;
/// Size of removed messages that does not justify a copy of the file, in octets.
const UNUSED_OCTETS: u64 = 1 << 20;

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct MailFile {
    path: PathBuf,
    file: fs::File,
    limits: Limits,
    /// The offset and the length of each kept message, in octets.
    kept: VecDeque<(u64, u64)>,
    /// The total size of the kept messages.
    octets: u64,
    /// The end of the last complete record.
    end: u64,
    /// Whether there can be octets after the end: a part of a record that could neither be completed nor be cut off.
    incomplete: bool,
    /// The key of the last message.
    last_key: u64,
    /// Numbers of messages that are not written yet.
    numbers: Vec<(u64, u64)>,
    /// Messages of sessions up to this number are removed.
    cleared: u64,
    /// The number of times that everything was removed.
    clear_count: u64,
    /// The size of the file at which the next copy is considered.
    copy_at: u64,
    buffer: Vec<u8>,
}

/// A message in the file, with its number if known.
pub(super) type NumberedMessage = (StoredMessage, Option<u64>);

impl MailFile {
    /// Opens or creates the file; returns the latest messages, oldest first.
    ///
    /// # Errors
    /// The file cannot be read or written, is in use by another process, or has a part that is not a record.
    pub(super) fn open(path: &Path, limits: Limits) -> io::Result<(Self, Vec<NumberedMessage>)> {
        let file = lock(path)?;
        let _ = fs::remove_file(new_file(path)); // left by a process that ended during a copy
        let mut mail = Self {
            path: path.to_owned(),
            file,
            limits,
            kept: VecDeque::new(),
            octets: 0,
            end: 0,
            incomplete: false,
            last_key: 0,
            numbers: Vec::new(),
            cleared: 0,
            clear_count: 0,
            copy_at: 0,
            buffer: Vec::new(),
        };
        let kept = mail.read()?;
        Ok((mail, kept))
    }

    fn read(&mut self) -> io::Result<Vec<NumberedMessage>> {
        let (mut messages, mut numbered) = (VecDeque::new(), HashMap::new());
        let file = self.file.try_clone()?;
        let mut scan = Scan::new(&file)?;
        loop {
            let begin = scan.at;
            match scan.next()? {
                Found::Message(key, message) => {
                    self.last_key = self.last_key.max(key);
                    messages.push_back((key, message));
                    for _ in 0..self.keep(begin, scan.at - begin) {
                        if let Some((key, _)) = messages.pop_front() {
                            numbered.remove(&key);
                        }
                    }
                }
                Found::Numbers(numbers) => numbered.extend(numbers),
                Found::End => break,
                Found::Incomplete => {
                    let octets = file.metadata()?.len() - begin;
                    let file = self.path.display().to_string();
                    tracing::warn!(
                        file,
                        octets,
                        "the end of the file is an unfinished record, which is cut off: its message was not acknowledged"
                    );
                    self.file.set_len(begin)?;
                    break;
                }
                Found::Damaged(why) => {
                    return Err(io::Error::other(format!(
                        "at octet {begin}: expected a record, found something else: {why}; nothing was changed, and \
                         `martinet journal repair FILE` keeps what can be read"
                    )));
                }
            }
        }
        self.end = scan.at;
        let numbered = |(key, message)| (message, numbered.get(&key).copied());
        Ok(messages.into_iter().map(numbered).collect())
    }

    /// Adds a message to the kept ones. Returns the number of old messages that are removed for it.
    fn keep(&mut self, begin: u64, octets: u64) -> usize {
        self.kept.push_back((begin, octets));
        self.octets += octets;
        let (entries, most) = (self.limits.entries, self.limits.octets as u64);
        let before = self.kept.len();
        while self.kept.len() > 1 && (self.kept.len() > entries || self.octets > most) {
            self.octets -= self.kept.pop_front().map_or(0, |(_, octets)| octets);
        }
        before - self.kept.len()
    }

    /// Appends a message and returns its key; `None` if a reset has removed its session. When this returns, the message
    /// survives the end of the process; after a failure, nothing of the message remains.
    pub(super) fn append(&mut self, message: &StoredMessage) -> io::Result<Option<u64>> {
        if message.session <= self.cleared {
            return Ok(None);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let key = self.last_key + 1;
        let written = self.write(message, key, &mut buffer);
        self.buffer = buffer;
        let (begin, octets) = written?;
        self.keep(begin, octets);
        self.last_key = key;
        Ok(Some(key))
    }

    /// Writes the waiting numbers and then a message. Returns the offset and the length of the message in octets.
    fn write(
        &mut self,
        message: &StoredMessage,
        key: u64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<(u64, u64)> {
        if !self.numbers.is_empty() {
            record::write_numbers(&self.numbers, buffer)?;
        }
        let before = buffer.len();
        record::write_head(message, key, buffer)?;
        buffer.extend_from_slice(message.trace.as_bytes());
        let octets = buffer.len() - before + message.octets.len() + 1;
        let begin = self.end + before as u64;
        if message.octets.len() >= LARGE_OCTETS {
            self.write_whole(&[buffer, &message.octets, b"\n"])?;
        } else {
            buffer.extend_from_slice(&message.octets);
            buffer.push(b'\n');
            self.write_whole(&[buffer])?;
        }
        self.numbers.clear();
        Ok((begin, octets as u64))
    }

    /// Writes all parts one after the other, or nothing.
    fn write_whole(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        if self.incomplete {
            self.file.set_len(self.end)?;
        }
        let written = parts.iter().try_for_each(|part| self.file.write_all(part));
        match written {
            Ok(()) => {
                self.incomplete = false;
                self.end += parts.iter().map(|part| part.len() as u64).sum::<u64>();
            }
            Err(_) => self.incomplete = self.file.set_len(self.end).is_err(),
        }
        written
    }

    /// Adds the number of a message.
    pub(super) fn number(&mut self, key: u64, number: u64) {
        self.numbers.push((key, number));
    }

    /// Writes the pending numbers; after a failure, they remain for the next attempt.
    pub(super) fn write_numbers(&mut self) -> io::Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        let mut octets = Vec::new();
        record::write_numbers(&self.numbers, &mut octets)?;
        self.write_whole(&[&octets])?;
        self.numbers.clear();
        Ok(())
    }

    /// Releases the lock of the file.
    pub(super) fn release(&self) {
        let _ = self.file.unlock();
    }

    /// Removes everything, and ignores later messages of sessions up to this number.
    pub(super) fn clear(&mut self, last_session: u64) -> io::Result<()> {
        (self.end, self.incomplete, self.cleared) = (0, true, last_session);
        (self.octets, self.copy_at) = (0, 0);
        self.kept.clear();
        self.numbers.clear();
        self.clear_count += 1;
        self.file.set_len(0)
    }

    /// Whether removed messages use enough space to justify a copy. The next copy is then delayed until the file has
    /// grown by the same size.
    pub(super) fn needs_copy(&mut self) -> bool {
        let forgotten = self.first();
        let threshold = (self.octets / 2).max(UNUSED_OCTETS);
        let needed = forgotten >= threshold && self.end >= self.copy_at;
        if needed {
            self.copy_at = self.end + threshold;
        }
        needed
    }

    /// The offset of the first kept message.
    fn first(&self) -> u64 {
        self.kept.front().map_or(self.end, |(begin, _)| *begin)
    }
}

/// Frees the space of removed messages. Others can append meanwhile: the lock is only held for the last part.
pub(super) fn compact(mail: &Mutex<MailFile>) -> io::Result<()> {
    let (path, first, end, clear_count) = {
        let mail = mail.lock();
        (mail.path.clone(), mail.first(), mail.end, mail.clear_count)
    };
    let new_path = new_file(&path);
    let copied = copy(&path, &new_path, first, end).and_then(|(mut source, mut target)| {
        let mut mail = mail.lock();
        if mail.clear_count != clear_count {
            return fs::remove_file(&new_path); // everything was removed meanwhile
        }
        io::copy(&mut (&mut source).take(mail.end - end), &mut target)?;
        fs::rename(&new_path, &path)?;
        mail.file = target;
        mail.incomplete = false;
        mail.end -= first;
        mail.kept.iter_mut().for_each(|(begin, _)| *begin -= first);
        mail.copy_at = 0;
        Ok(())
    });
    if copied.is_err() {
        let _ = fs::remove_file(&new_path);
    }
    copied
}

/// Copies a part of a file to a new file, which is locked.
fn copy(from: &Path, to: &Path, begin: u64, end: u64) -> io::Result<(fs::File, fs::File)> {
    let mut source = fs::File::open(from)?;
    let _ = fs::remove_file(to);
    let mut target = lock(to)?;
    source.seek(SeekFrom::Start(begin))?;
    io::copy(&mut (&mut source).take(end - begin), &mut target)?;
    Ok((source, target))
}

/// The path of the copy.
fn new_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Opens a file for appending, and locks it against other processes.
pub(super) fn lock(path: &Path) -> io::Result<fs::File> {
    loop {
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another process has the file open"),
            TryLockError::Error(error) => error,
        })?;
        // The process with the lock may have replaced the file by a copy after this process opened it.
        if is_at(&file, path)? {
            return Ok(file);
        }
    }
}

/// Whether the open file is the one at this path.
#[cfg(unix)]
fn is_at(file: &fs::File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let (here, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
}

/// An open file cannot be replaced on these systems.
#[cfg(not(unix))]
fn is_at(_: &fs::File, _: &Path) -> io::Result<bool> {
    Ok(true)
}
