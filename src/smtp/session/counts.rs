//! The counts of a session in the receiver's memory: acknowledged messages, and refusals by rules that escalate.

use crate::facts::{CountBy, CountKey, EarlierRefusals, Volume};
use crate::policy::Refusal;
use crate::smtp::session::Session;
use crate::verdict::Source;

impl Session {
    /// Reads the counts that rules need, as far as the client and the envelope are known. A receiver without such rules
    /// does not take the lock of the memory.
    pub(crate) fn load_counts(&mut self) {
        let needs = self.setup.receiver.policy.needs();
        if needs.volumes.is_empty() && needs.refusals.is_empty() {
            return;
        }
        let volumes = needs.volumes.iter().filter_map(|window| {
            let count_key = self.count_key(window.by, None)?;
            Some(Volume {
                by: window.by,
                per: window.per,
                messages: self.setup.memory.times_within(&count_key, window.per) + 1,
            })
        });
        let volumes = volumes.collect();
        let refusals = needs.refusals.iter().filter_map(|window| {
            let count_key = self.count_key(window.by, Some(window.rule))?;
            // The refusals of this transaction count once, and only for later transactions.
            let now = self.client.facts.conduct.messages;
            let own = u64::from(self.transactions.is_counted(window.rule, now));
            let times = self.setup.memory.times_within(&count_key, window.per);
            Some(EarlierRefusals {
                rule: window.rule,
                times: times.saturating_sub(own),
            })
        });
        self.client.facts.earlier_refusals = refusals.collect();
        self.client.facts.volumes = volumes;
    }

    /// Counts an acknowledged message.
    pub(crate) fn count_message(&self) {
        for window in &self.setup.receiver.policy.needs().volumes {
            // One count for each sender, whatever the number of windows.
            let windows = self.setup.receiver.policy.needs().volumes.iter();
            let same: Vec<_> = windows.filter(|other| other.by == window.by).collect();
            let first = same
                .first()
                .is_some_and(|first| std::ptr::eq(*first, window));
            let most = same
                .iter()
                .map(|window| window.most)
                .max()
                .unwrap_or_default();
            if let Some(count_key) = self.count_key(window.by, None).filter(|_| first) {
                self.setup.memory.record_event(count_key, most);
            }
        }
    }

    /// Counts a refusal by a rule: once in a transaction, whatever the number of recipients.
    pub(crate) fn count_refusal(&mut self, refusal: &Refusal) {
        if refusal.source != Source::Rule || refusal.temporary {
            return;
        }
        let mut windows = self.setup.receiver.policy.needs().refusals.iter();
        let Some(window) = windows.find(|window| window.rule == refusal.nth) else {
            return;
        };
        let now = self.client.facts.conduct.messages;
        if !self.transactions.count(window.rule, now) {
            return;
        }
        if let Some(count_key) = self.count_key(window.by, Some(window.rule)) {
            // One more than the rule's maximum, because those of the present transaction do not count yet.
            self.setup.memory.record_event(count_key, window.most + 1);
        }
    }

    fn count_key(&self, by: CountBy, rule: Option<usize>) -> Option<CountKey> {
        Some(CountKey {
            by,
            who: self.client.facts.sender_key(by)?,
            refused_by: rule.map(|rule| (self.setup.receiver.name.clone(), rule)),
        })
    }
}
