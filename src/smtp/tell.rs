//! What the event log of a world is told of a session.

use std::sync::Arc;

use jiff::Timestamp;

use super::event::Event;
use crate::facts::{Facts, Question};
use crate::journal::{Happening, Log, Tally, What};
use crate::name;
use crate::policy::Refusal;

/// Tells the events of one session.
#[derive(Debug, Default)]
pub(super) struct Teller {
    /// The lookups told so far: facts carry all of them each time.
    told: Vec<Arc<Question>>,
}

impl Teller {
    /// Tells events in one go, each with its own number. Messages tell themselves, where they are stored.
    pub(super) fn tell(&mut self, session: u64, events: &[Event], log: &Log<Happening>, tally: &Tally) {
        let mut whats = Vec::with_capacity(events.len());
        for event in events {
            self.what(event, tally, &mut whats);
        }
        let at = Timestamp::now();
        log.append_all(whats, |id, what| Happening { id, at, session, what });
    }

    fn what(&mut self, event: &Event, tally: &Tally, whats: &mut Vec<What>) {
        let what = match event {
            Event::Client(text) => What::Command { text: Arc::clone(text) },
            Event::Server(text) => What::Reply { text: Arc::clone(text) },
            Event::Observed(facts) => {
                whats.extend(self.fresh(facts).iter().cloned().map(What::Lookup));
                What::Facts { facts: summary(facts) }
            }
            Event::Allowed(reason) => What::Allowed { reason: reason.clone() },
            Event::Refused(refusal) => {
                tally.refusals.count([refusal.verdict(), refusal.rule, refusal.stage.name()]);
                verdict(refusal)
            }
            Event::Secured(suite) => What::Secured { suite: suite.clone() },
            Event::Scripted(what) => What::Scripted { what: what.clone() },
            Event::Closed(how) => What::Closed { how },
            Event::LineDropped | Event::Renamed(_) | Event::Tried { .. } | Event::Transaction { .. } => return,
        };
        whats.push(what);
    }

    /// The lookups that are new.
    fn fresh<'a>(&mut self, facts: &'a Facts) -> &'a [Arc<Question>] {
        // The same question asked again, by a second EHLO, may have another answer: it is another record.
        let same = |(told, question): &(&Arc<Question>, &Arc<Question>)| Arc::ptr_eq(told, question);
        let known = self.told.iter().zip(&facts.evidence).take_while(same).count();
        self.told.truncate(known);
        let fresh = &facts.evidence[known..];
        self.told.extend(fresh.iter().cloned());
        fresh
    }
}

fn verdict(refusal: &Refusal) -> What {
    What::Verdict {
        verdict: refusal.verdict(),
        rule: refusal.rule,
        stage: refusal.stage.name(),
        reply: refusal.reply.wire_lines().collect(),
        why: refusal.why.clone(),
        remedies: refusal.remedies.iter().map(ToString::to_string).collect(),
    }
}

/// The facts in a few words; the session's record has them whole.
fn summary(facts: &Facts) -> Vec<(&'static str, String)> {
    let mut words = vec![("client_address", facts.client_address.to_string())];
    if let Some(iprev) = &facts.iprev {
        words.push(("iprev", iprev.result.word().to_owned()));
        words.extend(iprev.verified_name.as_ref().map(|name| ("verified_name", name::display(name))));
    }
    if let Some(hello) = &facts.hello {
        words.push(("hello", hello.argument.clone()));
    }
    words.extend(facts.spf_hello.as_ref().map(|spf| ("spf_hello", spf.result.word().to_owned())));
    words.extend(facts.spf_sender.as_ref().map(|spf| ("spf_sender", spf.result.word().to_owned())));
    words.extend(facts.sender.as_ref().map(|sender| ("sender", sender.clone())));
    words.extend(
        Some(facts.conduct.bare_newline)
            .filter(|which| !which.is_empty())
            .map(|which| ("bare_newline", which.to_owned())),
    );
    words.extend(facts.dmarc.as_ref().map(|dmarc| ("dmarc", dmarc.result.word().to_owned())));
    words
}
