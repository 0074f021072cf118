//! What the receiver remembers of the client, for the client that is judged again.

use crate::facts::{CountBy, Facts};

/// Carries the receiver's memory of the client over to the client that is judged again.
pub(super) fn remember(before: &Facts, after: &mut Facts) {
    if before.client_address != after.client_address {
        // For another address, the memory has only this connection.
        let none = before
            .history
            .as_ref()
            .map(|_| crate::facts::History::default());
        (after.history, after.greylist) = (none, None);
        let new = after.volumes.iter_mut();
        for volume in new.filter(|volume| volume.by == CountBy::Client) {
            volume.messages = 1;
        }
        return;
    }
    after.history.clone_from(&before.history);
    let (Some(history), Some(helo)) = (&mut after.history, &after.helo) else {
        return;
    };
    let name = helo.argument.to_ascii_lowercase();
    history.helos.retain(|(other, _)| *other != name);
    if helo.contains(after.client_address) {
        history.unverified.retain(|other| *other != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::History;

    #[test]
    fn only_the_new_helo_name_is_no_other_one() {
        let before = |client: [u8; 4]| {
            let mut facts = Facts::new(client.into());
            let age = std::time::Duration::from_secs(9);
            facts.history = Some(History {
                helos: vec![("a.test".to_owned(), age), ("b.test".to_owned(), age)],
                ..History::default()
            });
            facts
        };
        let after = |client: [u8; 4]| {
            let mut facts = Facts::new(client.into());
            let table = crate::facts::lookup::table::Table::new("");
            facts.observe_helo(
                crate::facts::Verb::Ehlo,
                "A.test",
                &crate::facts::Observations::default(),
                &table,
            );
            remember(&before([192, 0, 2, 10]), &mut facts);
            let history = facts.history.expect("a history");
            history
                .helos
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(after([192, 0, 2, 10]), ["b.test"]);
        // Nothing is known of another address.
        assert!(after([192, 0, 2, 11]).is_empty());
    }
}
