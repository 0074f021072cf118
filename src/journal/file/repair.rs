//! `martinet journal repair`: keeps the readable records of FILE.mail.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::record::{Found, Scan};
use super::{mail, mail_path_of};
use crate::error::Error;

/// The result of a repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Repaired {
    /// The file with the messages.
    pub file: PathBuf,
    /// The number of messages after the repair.
    pub messages: u64,
    /// The unreadable parts, which were removed.
    pub damaged: Vec<Damaged>,
    /// The copy of the damaged file; `None` if nothing was damaged.
    pub copy: Option<PathBuf>,
}

/// A part of a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Damaged {
    /// Its offset.
    pub at: u64,
    /// Its length in octets.
    pub octets: u64,
    /// The damage.
    pub why: String,
}

/// Copies FILE.mail of a journal, and then removes the parts that cannot be read. A file without damage is unchanged.
///
/// # Errors
/// The file does not exist, is in use by a process, has no record, or cannot be read or written.
pub(crate) fn repair(journal: &Path) -> Result<Repaired, Error> {
    let file = mail_path_of(journal);
    let failed = |error| Error::io(format!("cannot repair {}", file.display()), error);
    repair_file(&file).map_err(failed)
}

fn repair_file(path: &Path) -> io::Result<Repaired> {
    fs::metadata(path)?; // a missing file is an error; opening would create it
    let file = mail::lock(path)?;
    let (mut scan, mut messages) = (Scan::new(&file)?, 0);
    let (mut whole, mut damaged): (Vec<(u64, u64)>, Vec<Damaged>) = (Vec::new(), Vec::new());
    loop {
        let at = scan.at;
        let why = match scan.next()? {
            Found::End => break,
            found @ (Found::Message(..) | Found::Numbers(_)) => {
                messages += u64::from(matches!(found, Found::Message(..)));
                match whole.last_mut() {
                    Some((_, end)) if *end == at => *end = scan.at,
                    _ => whole.push((at, scan.at)),
                }
                continue;
            }
            Found::Incomplete => "an unfinished record".to_owned(),
            Found::Damaged(why) => why,
        };
        scan.recover()?;
        let octets = scan.at - at;
        damaged.push(Damaged { at, octets, why });
    }
    let copy = match (damaged.is_empty(), whole.is_empty()) {
        (true, _) => None,
        (false, true) => {
            let text =
                "expected the messages of a journal, found no record at all; nothing was changed";
            return Err(io::Error::other(text));
        }
        (false, false) => Some(replace(path, &file, &whole)?),
    };
    Ok(Repaired {
        file: path.to_owned(),
        messages,
        damaged,
        copy,
    })
}

/// Copies the file, and replaces it with these parts of it. Returns the path of the copy.
fn replace(path: &Path, mut file: &fs::File, parts: &[(u64, u64)]) -> io::Result<PathBuf> {
    let sibling = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (copy, mut target) = (1..)
        .map(|n| sibling(&format!(".damaged-{n}")))
        .find_map(|name| match fs::File::create_new(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            created => Some(created.map(|target| (name, target))),
        })
        .expect("there is no end of numbers")?;
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file, &mut target)?;
    target.sync_all()?;
    let new = sibling(".new");
    let mut repaired_file = fs::File::create(&new)?;
    for (begin, end) in parts {
        file.seek(SeekFrom::Start(*begin))?;
        io::copy(&mut file.take(end - begin), &mut repaired_file)?;
    }
    repaired_file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(copy)
}
