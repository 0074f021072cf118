//! Runs the scripts of a receiver at their points of a session.

use crate::reply::{Reply, ReplyCode};
use crate::smtp::script::{CountPer, Point, ScriptContext};
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::{Session, State};
use crate::verdict::{ClosedBy, Source};

impl Session {
    /// Applies the first script for this point. Returns a reply if it replaces that of the receiver; the way of sending applies
    /// to the next output.
    pub(crate) fn script(
        &mut self,
        point: Point,
        context: ScriptContext<'_>,
        output: &mut Vec<u8>,
    ) -> Option<Reply> {
        let receiver = std::sync::Arc::clone(&self.setup.receiver);
        for (index, script) in receiver.settings.scripts.iter().enumerate() {
            if script.point != point || !script.when.holds(&self.client.facts, context) {
                continue;
            }
            if !script
                .often
                .holds(self.count_script(index, script.often.per))
            {
                continue;
            }
            self.dialogue.push(SessionEvent::Scripted(format!(
                "script {} at {}",
                index + 1,
                point.name()
            )));
            self.dialogue.send_as(script.send_mode);
            if let Some(raw) = &script.raw {
                self.dialogue.say_line(raw, output);
                if let Ok(reply) = Reply::parse(&raw.lines().collect::<Vec<_>>()) {
                    self.refuses(Source::Script, reply.clone(), why(index, point));
                    return Some(reply);
                }
                return Some(Reply::new(
                    ReplyCode::new(500).expect("500 is a reply code"),
                    None,
                    raw,
                ));
            }
            let values = self.setup.values(&[]);
            let reply = script
                .reply
                .as_ref()
                .map(|template| template.fill(&self.client.facts, &values))?;
            self.dialogue.say(&reply, output);
            self.refuses(Source::Script, reply.clone(), why(index, point));
            self.end_after(&reply);
            return Some(reply);
        }
        None
    }

    /// How many opportunities a script has had, including this one.
    fn count_script(&mut self, index: usize, per: CountPer) -> u64 {
        match per {
            CountPer::World => self.setup.memory.count(&format!("script {index}")),
            CountPer::Client => {
                let client = self.client.facts.client_address;
                self.setup
                    .memory
                    .count(&format!("script {index} of {client}"))
            }
            CountPer::Session => {
                let scripts = self.setup.settings().scripts.len();
                self.script_counts.resize(scripts, 0);
                self.script_counts[index] += 1;
                self.script_counts[index]
            }
        }
    }

    /// 421 and 521 close (RFC 5321 §3.8, RFC 7504).
    pub(crate) fn end_after(&mut self, reply: &Reply) {
        if matches!(reply.code().get(), 421 | 521) && !matches!(self.state, State::Closed) {
            self.close(ClosedBy::Script);
        }
    }
}

/// The reason of a refusal by a script.
fn why(index: usize, point: Point) -> String {
    format!("script {} replies at {}", index + 1, point.name())
}
