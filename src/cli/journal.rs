//! `martinet journal repair`: removes damaged records from the messages of a journal.

use std::fmt::Write;

use super::args::{Format, Journal, JournalCommand};
use super::{print, print_json};
use crate::error::Error;
use crate::journal::file::{Repaired, repair};

pub(super) fn run(options: &Journal) -> Result<bool, Error> {
    let JournalCommand::Repair(options) = &options.what;
    let repaired = repair(&options.journal)?;
    match options.format {
        Format::Json => print_json(&repaired)?,
        Format::Human => print(&report(&repaired)),
    }
    Ok(true)
}

fn report(repaired: &Repaired) -> String {
    let Repaired {
        file,
        messages,
        damaged,
        copy,
    } = repaired;
    let file = file.display();
    let Some(copy) = copy else {
        return format!("{file} is not damaged: {messages} messages. Nothing was changed.\n");
    };
    let mut out = String::new();
    for stretch in damaged {
        let _ = writeln!(
            out,
            "octet {}: {} octets removed: {}",
            stretch.at, stretch.octets, stretch.why
        );
    }
    let _ = writeln!(out, "{file} now has {messages} messages.");
    let _ = writeln!(out, "The copy of the damaged file is {}.", copy.display());
    out
}
