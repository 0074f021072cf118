//! Storage of a message before its 250: with a journal file, the result of the write decides the reply to the final dot
//! (RFC 5321 §4.2.5: with the 250, the server accepts responsibility for the message).

use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::session::open::Storing;
use crate::smtp::session::{Due, Session};

impl Session {
    /// Stores every accepted message before its 250 is sent: [`Step::Store`](super::Step::Store) asks for it. Without
    /// this, a message is accepted as soon as no rule refuses it.
    #[must_use]
    pub(crate) fn keeping_messages(mut self, keeps: bool) -> Self {
        self.setup.stores_messages = keeps;
        self
    }

    /// The message to store.
    pub(crate) fn storing(&mut self) -> Option<&mut Storing> {
        match &mut self.due {
            Due::Stored(storing) => Some(storing),
            _ => None,
        }
    }

    /// Continues after the write. If it failed, the client gets 452 instead of the reply, which was not sent yet.
    pub(crate) fn stored(&mut self, is_stored: bool, output: &mut Vec<u8>) {
        let Due::Stored(storing) = std::mem::replace(&mut self.due, Due::Nothing) else {
            return;
        };
        let Storing {
            envelope,
            message,
            reply,
            before,
        } = *storing;
        if is_stored {
            return self.end_transaction(envelope, reply, Some(message));
        }
        self.dialogue.take_back(before, output);
        let reply = self.core(CoreReply::NoStorage, &[]);
        self.dialogue.say(&reply, output);
        self.protocol_refuses(reply.clone());
        self.repeat_reply(envelope.recipients.len(), &reply, output);
        self.end_transaction(envelope, reply, None);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use bytes::BytesMut;

    use crate::dns::Zones;
    use crate::facts::Resolver;
    use crate::scenario::parse_receiver;
    use crate::smtp::session::event::{SessionEvent, Speaker};
    use crate::smtp::session::{ListenerMode, Protocol, Session, Step};
    use crate::smtp::{ClientAddress, Receiver};
    use crate::verdict::Verdict;

    const DIALOGUE: &str = "HELO x.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nRCPT TO:<c@contoso.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n";

    /// The replies to the client after DATA, the replies in the transcript after it, and the verdicts.
    fn play(receiver: &str, protocol: Protocol, stored: bool) -> (String, String, Vec<Verdict>) {
        let profile = parse_receiver("storing", receiver).expect("a receiver");
        let receiver: std::sync::Arc<Receiver> = profile.receiver;
        let client = ClientAddress::fixed([192, 0, 2, 10].into());
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let mut session = Session::new(receiver, std::sync::Arc::default(), client, peer, 1)
            .on_listener(ListenerMode {
                protocol,
                ..ListenerMode::default()
            })
            .keeping_messages(true);
        let zones = Zones::default();
        let resolver = Resolver::new(&zones, Duration::from_secs(5));
        let dialogue = match protocol {
            Protocol::Smtp => DIALOGUE.to_owned(),
            Protocol::Lmtp => DIALOGUE.replace("HELO", "LHLO"),
        };
        let (commands, data) = dialogue.split_once("Subject").expect("a message");
        let mut parts = [format!("Subject{data}"), commands.to_owned()].to_vec();
        let (mut input, mut output) = (BytesMut::new(), Vec::new());
        let (mut sent, mut outcomes) = (String::new(), Vec::new());
        loop {
            match session.advance(&mut input, &mut output, &resolver) {
                Step::Store => {
                    assert!(session.storing().is_some());
                    session.stored(stored, &mut output);
                }
                Step::Flush => {
                    if !session.take_send_mode().mute {
                        sent.push_str(&String::from_utf8_lossy(&output));
                    }
                    output.clear();
                }
                Step::Read => {
                    sent.push_str(&String::from_utf8_lossy(&output));
                    output.clear();
                    let Some(part) = parts.pop() else { break };
                    input.extend_from_slice(part.as_bytes());
                }
                Step::Close => break,
                _ => {}
            }
        }
        sent.push_str(&String::from_utf8_lossy(&output));
        let events = session.take_events();
        for event in &events {
            if let SessionEvent::Transaction {
                verdict, message, ..
            } = event
            {
                assert_eq!(message.is_some(), *verdict == Verdict::Accept);
                outcomes.push(*verdict);
            }
        }
        let transcript = events.lines().filter(|(from, _)| *from == Speaker::Server);
        let transcript: String = transcript.map(|(_, line)| format!("{line}\r\n")).collect();
        let after = |text: &str| {
            let (_, rest) = text.split_once("354 ").unwrap_or_else(|| panic!("{text}"));
            rest.split_once("\r\n").expect("a line").1.to_owned()
        };
        (after(&sent), after(&transcript), outcomes)
    }

    const FULL: &str = "452 4.3.1 Insufficient system storage\r\n";
    const KEPT: &str = "250 2.0.0 Ok\r\n";
    const SCRIPTED: &str = "[[script]]\nstage = \"eod\"\nreply = \"250 2.0.0 queued\"";
    const SILENT: &str = "[[script]]\nstage = \"eod\"\ninstead = \"silence\"";

    #[track_caller]
    fn check(more: &str, protocol: Protocol, stored: bool, replies: &str, verdict: Verdict) {
        let receiver = format!("title = \"t\"\n{more}");
        let (sent, transcript, outcomes) = play(&receiver, protocol, stored);
        assert_eq!(sent.split("221").next(), Some(replies));
        assert_eq!(transcript, sent, "the transcript has what was sent");
        assert_eq!(outcomes, [verdict]);
    }

    #[test]
    fn a_message_that_cannot_be_stored_gets_452_and_never_250() {
        use Protocol::{Lmtp, Smtp};
        check("", Smtp, true, KEPT, Verdict::Accept);
        check("", Lmtp, true, &KEPT.repeat(2), Verdict::Accept);
        check("", Smtp, false, FULL, Verdict::Defer);
        check("", Lmtp, false, &FULL.repeat(2), Verdict::Defer);
        let queued = "250 2.0.0 queued\r\n";
        check(SCRIPTED, Smtp, true, queued, Verdict::Accept);
        check(SCRIPTED, Smtp, false, FULL, Verdict::Defer);
        check(SILENT, Smtp, false, "", Verdict::None);
    }
}
