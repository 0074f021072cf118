//! Plays octets to a session without sockets, with any packet borders, and checks the output: for the mutated dialogues
//! of `robustness_dialogues`, and for the fuzz targets, which share this file.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use martinet::dns::Zones;
use martinet::facts::Resolver;
use martinet::scenario::{load_scenario, parse_receiver};
use martinet::smtp::{
    ClientAddress, ListenerMode, Protocol, Receiver, Session, SessionEvent, StartTls, Step,
};
use martinet::verdict::ClosedBy;

/// The receivers of the tests: together they offer every extension, and refuse in every way.
pub const RECEIVERS: [&str; 4] = [
    "title = \"open\"",
    "title = \"narrow\"\nsmtp.size = 300\nsmtp.max_recipients = 3\nsmtp.max_errors = 4\nsyntax.bare_lf = \"accept\"\nsyntax.bare_cr = \"accept\"
     smtp.starttls = \"offered\"\nsmtp.extensions = [\"CHUNKING\", \"BINARYMIME\", \"SIZE\"]
     [[rule]]\ncheck = \"helo-fqdn\"\nafter = \"503\"",
    "title = \"normal\"\nsyntax.bare_lf = \"normalize\"\nsyntax.bare_cr = \"normalize\"\nsmtp.xclient = []\n[auth]\nmechanisms = [\"PLAIN\", \"LOGIN\", \"CRAM-MD5\"]\nusers = { tim = \"tanstaaf\" }
     [[rule]]\ncheck = \"sender-resolves\"\nstage = \"data\"\nafter = \"503\"
     [[script]]\nstage = \"eod\"\nevery = 2\nreply = \"451 4.3.0 every second\"",
    "title = \"strict\"\nsmtp.starttls = \"offered\"\n[[rule]]\ncheck = \"bare-lf\"\nafter = \"close\"
     [[rule]]\ncheck = \"non-smtp-command\"\n[[rule]]\ncheck = \"ptr-exists\"\nstage = \"rcpt\"
     [[rule]]\ncheck = \"limits\"\nmessages = 3\nfail = \"421 enough\"",
];

/// A world without sockets.
pub struct Ground {
    receivers: Vec<Arc<Receiver>>,
    zones: Zones,
}

/// The outcome of a dialogue.
#[derive(PartialEq, Eq)]
pub struct Outcome {
    /// All replies.
    pub output: Vec<u8>,
    /// The published events, as text: lines, transactions with their messages, refusals, the end.
    pub events: Vec<String>,
    /// Number of additional replies that the transactions of LMTP may have.
    recipients: usize,
}

impl Ground {
    pub fn new() -> Self {
        let receivers = RECEIVERS.map(|text| {
            parse_receiver("robust", text)
                .unwrap_or_else(|e| panic!("{e}"))
                .receiver
        });
        let zones = load_scenario("one-to-one")
            .expect("a scenario")
            .zones([127, 0, 0, 1].into());
        Self {
            receivers: receivers.to_vec(),
            zones,
        }
    }

    /// Sends octets to receiver `number`, counted in rounds, in blocks of at most `at_once` octets. The receivers of every second round speak LMTP.
    pub fn play(&self, number: usize, octets: &[u8], at_once: usize) -> Outcome {
        let resolver = Resolver::new(&self.zones, Duration::from_secs(5));
        let client = ClientAddress::fixed([192, 0, 2, 10].into());
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let receiver = Arc::clone(&self.receivers[number % self.receivers.len()]);
        let protocol = if number / self.receivers.len() % 2 == 1 {
            Protocol::Lmtp
        } else {
            Protocol::Smtp
        };
        let front = ListenerMode {
            protocol,
            tls: true,
            starttls: None::<StartTls>,
            xclient: None,
            secured: false,
        };
        let mut play = Play {
            session: Session::new(receiver, Arc::default(), client, peer, 1).on_listener(front),
            input: BytesMut::new(),
            output: Vec::new(),
            outcome: Outcome {
                output: Vec::new(),
                events: Vec::new(),
                recipients: 0,
            },
        };
        let mut open = play.advance(&resolver);
        for chunk in octets.chunks(at_once) {
            if !open {
                break;
            }
            play.input.extend_from_slice(chunk);
            open = play.advance(&resolver);
            assert!(
                !open || play.input.len() <= 12_288,
                "{} octets are waiting in the input",
                play.input.len()
            );
        }
        play.session.failed(
            ClosedBy::Lost,
            "the client closed the connection".to_owned(),
        );
        play.publish();
        play.outcome
    }
}

struct Play {
    session: Session,
    input: BytesMut,
    output: Vec<u8>,
    outcome: Outcome,
}

impl Play {
    /// Continues until more input is needed; returns false when the connection has ended.
    fn advance(&mut self, resolver: &Resolver<'_>) -> bool {
        loop {
            let step = self
                .session
                .advance(&mut self.input, &mut self.output, resolver);
            assert!(
                self.output.len() <= 32 << 10,
                "{} octets of replies at once",
                self.output.len()
            );
            self.publish();
            match step {
                Step::Read => return true,
                Step::Close => return false,
                Step::Pause(_) | Step::Listen(_) | Step::Store => {}
                // As if the client had waited: the rest of the packet is read under TLS.
                Step::StartTls => self.session.secured("TLS".to_owned(), 0, &mut self.output),
                Step::Flush => {
                    if self.session.take_send_mode().end.is_some() {
                        self.session.ended(ClosedBy::Script);
                        return false;
                    }
                }
            }
        }
    }

    fn publish(&mut self) {
        self.outcome.output.append(&mut self.output);
        let events = self.session.take_events();
        for event in &events {
            let words = match event {
                SessionEvent::Line(from, text) => format!("{from:?} {}", events.text(text)),
                SessionEvent::Observed(_)
                | SessionEvent::LineDropped
                | SessionEvent::Tried { .. } => continue,
                SessionEvent::Refused(refusal) => format!("refused by {}", refusal.rule),
                SessionEvent::Transaction {
                    envelope,
                    verdict,
                    reply,
                    message,
                } => {
                    self.outcome.recipients += envelope.recipients.len();
                    format!(
                        "{envelope:?} {verdict} {reply:?} {:?}",
                        message.as_ref().map(|message| &message.octets)
                    )
                }
                other => format!("{other:?}"),
            };
            self.outcome.events.push(words);
        }
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{:#?}",
            String::from_utf8_lossy(&self.output),
            self.events
        )
    }
}

impl Outcome {
    /// Whether the replies are valid, and not more than expected: one for each line, a greeting, and a 421.
    pub fn is_sound(&self, octets: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(&self.output)
            .map_err(|e| format!("replies that are no text: {e}"))?;
        let (mut replies, mut code) = (0, None::<&str>);
        for line in text.split_inclusive("\r\n") {
            let body = line
                .strip_suffix("\r\n")
                .ok_or(format!("no CRLF behind {line:?}"))?;
            if line.len() > 512 || body.contains(['\r', '\n', '\0']) {
                return Err(format!("a line that is none: {line:?}"));
            }
            let (this, rest) = body
                .split_at_checked(3)
                .ok_or(format!("no code in {line:?}"))?;
            if this.parse::<u16>().is_err()
                || code.is_some_and(|code| code != this)
                || !rest.starts_with([' ', '-'])
            {
                return Err(format!("no reply line: {line:?}"));
            }
            code = rest.starts_with('-').then_some(this);
            replies += usize::from(code.is_none());
        }
        let lines = octets.iter().filter(|octet| **octet == b'\n').count();
        let most = lines + 2 + self.recipients;
        (code.is_none() && replies <= most)
            .then_some(())
            .ok_or(format!("{replies} replies, of at most {most}"))
    }
}
