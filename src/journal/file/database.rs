//! The SQLite file of a journal: its identification, its tables and its content.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::journal::{Limits, StoredMark};

/// `PRAGMA application_id` of a journal: the letters `mrtn`.
const APPLICATION_ID: u32 = 0x6d72_746e;
/// `PRAGMA user_version`: the version of tables and of FILE.mail.
const VERSION: u32 = 1;

/// The header of an SQLite file up to the application id: a text and numbers, with the user version at offset 60 and
/// the application id at 68 (<https://www.sqlite.org/fileformat2.html>).
const HEADER_OCTETS: usize = 72;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Set before the tables are created, so that the file can free space.
const BEFORE: &str = "
PRAGMA page_size = 16384;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
";
const TABLES: &str = "
CREATE TABLE session (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
CREATE TABLE mark (
    message INTEGER PRIMARY KEY, read INTEGER NOT NULL, deleted INTEGER NOT NULL, tags TEXT NOT NULL) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";
const AFTER: &str = "
PRAGMA journal_mode = WAL;
PRAGMA wal_autocheckpoint = 1000;
PRAGMA journal_size_limit = 4194304;
";
/// Number of free pages that are kept for reuse.
const FREE_PAGES: i64 = 64;

/// Opens or creates the file.
///
/// # Errors
/// The file is not a journal, has a newer version, or cannot be read or written.
pub(super) fn open(path: &Path) -> io::Result<Connection> {
    let is_new = is_new(path)?;
    let mut connection = Connection::open(path).map_err(io::Error::other)?;
    prepare(&mut connection, is_new).map_err(io::Error::other)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, is_new: bool) -> rusqlite::Result<()> {
    connection.execute_batch(BEFORE)?;
    if is_new {
        let transaction = connection.transaction()?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.execute_batch(TABLES)?;
        transaction.commit()?;
    }
    connection.execute_batch(AFTER)
}

/// Whether there is no file yet, or an empty one. The header is read without SQLite, which would write to the file of
/// another program.
fn is_new(path: &Path) -> io::Result<bool> {
    let mut header = Vec::new();
    match fs::File::open(path) {
        Ok(file) => file.take(HEADER_OCTETS as u64).read_to_end(&mut header)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let number = |at: usize| {
        let octets = header.get(at..at + 4).and_then(|four| four.try_into().ok());
        octets.map_or(0, u32::from_be_bytes)
    };
    let refused = |what: String| {
        Err(io::Error::other(format!(
            "{what}; nothing was changed: name another file, or move this one away"
        )))
    };
    if header.is_empty() {
        Ok(true)
    } else if !header.starts_with(MAGIC) || header.len() < HEADER_OCTETS {
        refused("expected an SQLite database, found something else".to_owned())
    } else if number(68) != APPLICATION_ID {
        refused(
            "expected a journal of martinet, found an SQLite database of another program"
                .to_owned(),
        )
    } else if number(60) != VERSION {
        refused(format!(
            "expected a journal of version {VERSION}, found version {}, which another version of martinet wrote and reads",
            number(60)
        ))
    } else {
        Ok(false)
    }
}

/// The content of the database.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Sessions by number, oldest first, as JSON.
    pub sessions: Vec<(u64, String)>,
    /// Marks of messages.
    pub marks: Vec<StoredMark>,
    /// The last assigned numbers of sessions, messages and events, as far as the database needs them.
    pub last: super::Last,
}

/// Reads the latest sessions, and everything else.
pub(super) fn read(connection: &Connection, limits: Limits) -> rusqlite::Result<Rows> {
    let mut select = connection.prepare("SELECT id, record FROM session ORDER BY id DESC")?;
    let (mut sessions, mut octets) = (Vec::new(), 0);
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, record): (i64, String) = (row.get(0)?, row.get(1)?);
        octets += record.len();
        let full = sessions.len() >= limits.entries || octets > limits.octets;
        if full && !sessions.is_empty() {
            break;
        }
        sessions.push((id.cast_unsigned(), record));
    }
    sessions.reverse();
    let mut select = connection.prepare("SELECT message, read, deleted, tags FROM mark")?;
    let marks = select.query_map([], |row| {
        let tags: String = row.get(3)?;
        Ok(StoredMark {
            message: row.get::<_, i64>(0)?.cast_unsigned(),
            read: row.get(1)?,
            deleted: row.get(2)?,
            tags: serde_json::from_str(&tags).unwrap_or_default(),
        })
    })?;
    let counter = |name: &str| {
        let select = "SELECT value FROM counter WHERE name = ?";
        let value = connection.query_row(select, [name], |row| row.get::<_, i64>(0));
        value
            .optional()
            .map(|value| value.unwrap_or_default().cast_unsigned())
    };
    Ok(Rows {
        sessions,
        marks: marks.collect::<rusqlite::Result<_>>()?,
        last: super::Last {
            session: counter("session")?,
            message: counter("message")?,
            event: counter("event")?,
        },
    })
}

/// Writes an assigned number.
pub(super) fn count(transaction: &Transaction<'_>, name: &str, value: u64) -> rusqlite::Result<()> {
    let upsert = "INSERT INTO counter (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = ?2";
    let mut upsert = transaction.prepare_cached(upsert)?;
    upsert
        .execute(params![name, value.cast_signed()])
        .map(|_| ())
}

/// Writes the marks of a message.
pub(super) fn mark(transaction: &Transaction<'_>, mark: &StoredMark) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO mark (message, read, deleted, tags) VALUES (?, ?, ?, ?)";
    let mut insert = transaction.prepare_cached(insert)?;
    let tags = serde_json::to_string(&mark.tags).unwrap_or_default();
    let message = mark.message.cast_signed();
    insert
        .execute(params![message, mark.read, mark.deleted, tags])
        .map(|_| ())
}

/// Returns free pages to the file system, if there are many.
pub(super) fn free_pages(connection: &Connection) -> rusqlite::Result<()> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (free, all) = (number("freelist_count")?, number("page_count")?);
    if free > FREE_PAGES.max(all / 2) {
        connection.execute_batch("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")?;
    }
    Ok(())
}
