//! How the client of an `[[expect]]` deviates from the usual dialogue.

use super::reader::Reader;
use super::report::Mistakes;
use crate::smtp::client::ClientConduct;

/// The largest number of messages, recipients or other connections.
const MOST: u64 = 1000;

/// Reads `says`, `early`, `messages`, `recipients` and `open`.
pub(super) fn conduct(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> ClientConduct {
    let usual = ClientConduct::default();
    let says = table.strings("says", mistakes).unwrap_or_default();
    let early = table.flag("early", mistakes).unwrap_or(false);
    if early && says.is_empty() {
        mistakes.add(table.span(), "says beside early = true", "none");
    }
    let messages = count("messages", 1, table, mistakes).unwrap_or(usual.messages);
    let recipients = count("recipients", 1, table, mistakes).unwrap_or(usual.recipients);
    let open = count("open", 0, table, mistakes).unwrap_or(usual.open);
    let is_usual = (messages, recipients) == (usual.messages, usual.recipients);
    if !says.is_empty() && !is_usual {
        let found = "messages or recipients as well";
        mistakes.add(table.span(), "says alone", found);
    }
    ClientConduct {
        says: says.into_iter().map(|text| text.value).collect(),
        early,
        messages,
        recipients,
        open,
    }
}

fn count(
    key: &'static str,
    least: u64,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<u64> {
    let number = table.number(key, mistakes)?;
    if !(least..=MOST).contains(&number.value) {
        let expected = format!("a whole number from {least} to {MOST}");
        mistakes.add(number.span, expected, number.value.to_string());
    }
    Some(number.value)
}
