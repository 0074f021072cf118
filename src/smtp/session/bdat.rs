//! BDAT: messages in chunks of known size, including binary ones (RFC 3030).

use bytes::BytesMut;

use crate::facts::ReceiverLookup;
use crate::reply::Reply;
use crate::smtp::budget::{Flaw, MailData};
use crate::smtp::protocol::data::flaw;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::session::event::Speaker;
use crate::smtp::session::open::Open;
use crate::smtp::session::{Session, State};
use crate::stage::Stage;

/// A chunk that is being received.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The transaction of the chunk; `None` if BDAT was refused, because its octets must be read nevertheless.
    open: Option<(Open, MailData)>,
    size: usize,
    remaining: usize,
    last: bool,
    /// The reply if BDAT was refused.
    refusal: Option<Reply>,
    /// An earlier refusal that stays in force after the chunk.
    refusing_all: Option<Reply>,
}

impl Chunk {
    /// The transaction of the chunk.
    pub(crate) fn into_open(self) -> Option<Open> {
        self.open.map(|(open, _)| open)
    }

    /// Takes octets from the input. Returns true when the chunk is complete.
    pub(crate) fn take(&mut self, input: &mut BytesMut) -> bool {
        let taken = input.split_to(input.len().min(self.remaining));
        self.remaining -= taken.len();
        if let Some((_, data)) = &mut self.open {
            data.push(&taken);
        }
        self.remaining == 0
    }
}

impl Session {
    /// Handles BDAT. Its octets follow immediately, whatever the reply (RFC 3030 §2), and are not commands.
    pub(crate) fn bdat(&mut self, size: usize, last: bool, output: &mut Vec<u8>) {
        let refusal = self.refuse_chunk(output);
        let (mut open, mut refusing_all) = (None, None);
        match (&refusal, std::mem::replace(&mut self.state, State::Idle)) {
            (_, State::Closed) => {
                self.state = State::Closed;
                return;
            }
            (_, State::RefusingAll(reply)) => refusing_all = Some(reply),
            (None, State::Transaction(transaction)) => {
                open = Some((transaction, self.setup.mail_data()))
            }
            (None, State::Chunked(transaction, data)) => open = Some((transaction, data)),
            (_, State::Transaction(transaction) | State::Chunked(transaction, _)) => {
                self.end_without_reply(transaction.envelope);
                self.client.facts.forget_sender();
            }
            _ => self.client.facts.forget_sender(),
        }
        self.state = State::Chunk(Chunk {
            open,
            size,
            remaining: size,
            last,
            refusal,
            refusing_all,
        });
    }

    /// The reason to refuse a chunk. The reply is sent after its octets, unless it closes the connection.
    fn refuse_chunk(&mut self, output: &mut Vec<u8>) -> Option<Reply> {
        match &self.state {
            State::Chunked(..) => return None,
            State::RefusingAll(reply) => return Some(reply.clone()),
            _ if self.client.holds_refusal() => return self.say_held_refusal(&mut Vec::new()),
            State::Transaction(open) if open.has_recipients() => {
                // The rules of the stage data are evaluated at the first chunk.
                let mut refusal_output = Vec::new();
                let reply = self.refuse_with(Stage::Data, &mut refusal_output);
                if matches!(self.state, State::Closed) {
                    output.extend_from_slice(&refusal_output);
                }
                return reply;
            }
            _ => {}
        }
        let mistake = self.data_mistake("BDAT", self.data_out_of_sequence()?);
        self.client.facts.conduct.errors += 1;
        let reply = self.reply_to(&mistake);
        self.protocol_refuses(reply.clone());
        Some(reply)
    }

    /// Handles a complete chunk.
    pub(crate) fn end_of_chunk(&mut self, output: &mut Vec<u8>, lookup: &dyn ReceiverLookup) {
        let State::Chunk(chunk) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        self.dialogue.record(
            Speaker::Client,
            &format!("<{} octets of a chunk>", chunk.size),
        );
        let Some((open, data)) = chunk.open else {
            if let Some(reply) = chunk.refusal {
                self.dialogue.say(&reply, output);
            }
            return match chunk.refusing_all {
                Some(reply) => self.state = State::RefusingAll(reply),
                None => self.end_after_errors(output),
            };
        };
        if !chunk.last && !data.is_lost() {
            self.state = State::Chunked(open, data);
            let octets = chunk.size.to_string();
            return self.answer_with(CoreReply::Chunk, &[("octets", octets)], output);
        }
        let (octets, lost) = data.into_octets();
        let lost = lost.map(|lost| match lost {
            Flaw::TooLarge => Flaw::ChunkTooLarge,
            other => other,
        });
        let flaw = lost.or_else(|| {
            if open.binary {
                None
            } else {
                flaw(&octets, self.setup.settings().syntax.text_line_octets)
            }
        });
        self.end_of_message(open, octets, flaw, output, lookup);
    }
}
