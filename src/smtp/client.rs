//! A small SMTP client that records the whole dialogue, for `send`, `verify` and tests. It can also send what a mail
//! library would not.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smtp_proto::Error;
use smtp_proto::response::parser::ResponseReceiver;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::reply::Reply;
use crate::stage::Stage;

/// The reply code that asks for the message (RFC 5321 §4.3.2).
const DATA_EXPECTED: u16 = 354;
/// The reply code with which the server closes the connection (RFC 5321 §4.2.3).
const CLOSING: u16 = 221;

/// One session.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The source address to bind.
    pub local: Option<IpAddr>,
    /// The client address to claim with XCLIENT.
    pub xclient: Option<IpAddr>,
    /// `EHLO` or `HELO`.
    pub verb: String,
    /// The HELO name.
    pub helo: String,
    /// The envelope sender; empty for the null sender.
    pub from: String,
    /// The envelope recipients.
    pub to: Vec<String>,
    /// The message, with any line ends.
    pub message: Vec<u8>,
    /// The time limit for each reply.
    pub timeout: Duration,
    /// The deviations from the usual dialogue.
    pub conduct: ClientConduct,
}

/// How a client deviates from the usual dialogue: HELO, MAIL, RCPT, DATA and one message, on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConduct {
    /// What the client says instead, one string after the reply to the one before. CRLF is added to a string that does not end
    /// with a line feed; a string with several lines is sent at once.
    pub says: Vec<String>,
    /// Whether the client says the first of them before the greeting.
    pub early: bool,
    /// The number of messages on the connection.
    pub messages: u64,
    /// The number of RCPT commands for each recipient.
    pub recipients: u64,
    /// The number of other connections that the client holds open meanwhile.
    pub open: u64,
}

impl Default for ClientConduct {
    fn default() -> Self {
        Self {
            says: Vec::new(),
            early: false,
            messages: 1,
            recipients: 1,
            open: 0,
        }
    }
}

impl ClientConduct {
    /// The octets of a string that the client says.
    pub fn octets(input: &str) -> Vec<u8> {
        let mut octets = input.as_bytes().to_vec();
        if !input.ends_with('\n') {
            octets.extend_from_slice(b"\r\n");
        }
        octets
    }

    /// The stage at which the reply to a command refuses; `None` for a command that is of no stage.
    pub(crate) fn stage_of(line: &str) -> Option<Stage> {
        let verb = line.split_ascii_whitespace().next().unwrap_or_default();
        let stages = [
            ("HELO", Stage::Helo),
            ("EHLO", Stage::Helo),
            ("MAIL", Stage::Mail),
            ("RCPT", Stage::Rcpt),
            ("DATA", Stage::Data),
        ];
        let known = stages
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(verb));
        known.map(|(_, stage)| stage)
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            local: None,
            xclient: None,
            verb: "EHLO".to_owned(),
            helo: String::new(),
            from: String::new(),
            to: Vec::new(),
            message: Vec::new(),
            timeout: Duration::from_secs(60),
            conduct: ClientConduct::default(),
        }
    }
}

/// The dialogue of a session.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    /// The lines, with `C` for the client and `S` for the server.
    pub lines: Vec<(&'static str, String)>,
    /// The first refusal, and its stage.
    pub refused: Option<(Stage, Reply)>,
    /// The address that the client connected from.
    pub local: Option<SocketAddr>,
    /// The last reply before QUIT.
    pub last: Option<Reply>,
}

/// Runs one session. After a refusal it sends QUIT.
///
/// # Errors
/// Errors of the socket; `TimedOut`; `InvalidData` for a line that is not a reply; `UnexpectedEof` if the server closes
/// without a reply.
pub async fn deliver(receiver: SocketAddr, delivery: &Delivery) -> io::Result<Dialogue> {
    let mut others = Vec::new();
    for _ in 0..delivery.conduct.open {
        let mut other = Client::connect(receiver, delivery).await?;
        if other.accepts(Stage::Connect).await? {
            other.send_xclient(delivery).await?;
        }
        others.push(other);
    }
    let mut client = Client::connect(receiver, delivery).await?;
    if delivery.conduct.says.is_empty() {
        client.usual(delivery).await?;
    } else {
        client.says(delivery).await?;
    }
    // A server that closes the connection with its refusal does not read QUIT, which is not an error.
    if client.say("QUIT").await.is_ok() {
        let _ = client.reply().await;
    }
    drop(others);
    Ok(client.dialogue)
}

async fn connect(receiver: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if receiver.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(receiver).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct Client {
    stream: BufReader<TcpStream>,
    dialogue: Dialogue,
    timeout: Duration,
}

impl Client {
    async fn connect(receiver: SocketAddr, delivery: &Delivery) -> io::Result<Self> {
        let stream = timeout(delivery.timeout, connect(receiver, delivery.local)).await??;
        let dialogue = Dialogue {
            local: stream.local_addr().ok(),
            ..Dialogue::default()
        };
        Ok(Self {
            stream: BufReader::new(stream),
            dialogue,
            timeout: delivery.timeout,
        })
    }

    /// The usual dialogue.
    async fn usual(&mut self, delivery: &Delivery) -> io::Result<()> {
        let greeted = self.accepts(Stage::Connect).await? && self.send_xclient(delivery).await?;
        let helo = format!("{} {}", delivery.verb, delivery.helo);
        if !greeted || !self.send_command(&helo, Stage::Helo).await? {
            return Ok(());
        }
        for _ in 0..delivery.conduct.messages {
            if !self.transaction(delivery).await? {
                return Ok(());
            }
            self.body(&delivery.message).await?;
            if !self.accepts(Stage::Eod).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the conduct says, up to the first refusal.
    async fn says(&mut self, delivery: &Delivery) -> io::Result<()> {
        let ClientConduct { says, early, .. } = &delivery.conduct;
        let mut says = says.iter();
        let mut stage = Stage::Connect;
        if *early && let Some(first) = says.next() {
            self.say_all(first).await?;
            if !self.accepts(stage).await? || !self.read_replies(first, &mut stage).await? {
                return Ok(());
            }
        } else if !self.accepts(stage).await? || !self.send_xclient(delivery).await? {
            return Ok(());
        }
        for input in says {
            self.say_all(input).await?;
            if !self.read_replies(input, &mut stage).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends one string of the conduct.
    async fn say_all(&mut self, input: &str) -> io::Result<()> {
        let lines = input.lines().map(|line| ("C", line.to_owned()));
        self.dialogue.lines.extend(lines);
        let octets = ClientConduct::octets(input);
        self.stream.get_mut().write_all(&octets).await
    }

    /// Reads the replies to one string: one for each line, or one for a whole message. Returns true if none is a refusal.
    async fn read_replies(&mut self, input: &str, stage: &mut Stage) -> io::Result<bool> {
        let last = self.dialogue.last.as_ref().map(|reply| reply.code().get());
        if last == Some(DATA_EXPECTED) {
            *stage = Stage::Eod;
            return self.accepts(*stage).await;
        }
        for line in input.lines() {
            *stage = ClientConduct::stage_of(line).unwrap_or(*stage);
            if !self.accepts(*stage).await? || self.is_dismissed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the last reply ends the session without a refusal.
    fn is_dismissed(&self) -> bool {
        let last = self.dialogue.last.as_ref();
        last.is_some_and(|reply| reply.code().get() == CLOSING)
    }

    /// Claims a client address with XCLIENT, if the delivery has one.
    async fn send_xclient(&mut self, delivery: &Delivery) -> io::Result<bool> {
        let Some(address) = delivery.xclient else {
            return Ok(true);
        };
        let address = match address {
            IpAddr::V6(address) => format!("IPV6:{address}"),
            IpAddr::V4(address) => address.to_string(),
        };
        let xclient = format!("XCLIENT ADDR={address}");
        self.send_command(&xclient, Stage::Connect).await
    }

    /// Sends everything from MAIL to DATA. Returns true if the server wants the message.
    async fn transaction(&mut self, delivery: &Delivery) -> io::Result<bool> {
        if !self
            .send_command(&format!("MAIL FROM:<{}>", delivery.from), Stage::Mail)
            .await?
        {
            return Ok(false);
        }
        for to in &delivery.to {
            for _ in 0..delivery.conduct.recipients {
                if !self
                    .send_command(&format!("RCPT TO:<{to}>"), Stage::Rcpt)
                    .await?
                {
                    return Ok(false);
                }
            }
        }
        self.send_command("DATA", Stage::Data).await
    }

    async fn send_command(&mut self, command: &str, stage: Stage) -> io::Result<bool> {
        self.say(command).await?;
        self.accepts(stage).await
    }

    async fn say(&mut self, command: &str) -> io::Result<()> {
        self.dialogue.lines.push(("C", command.to_owned()));
        self.stream
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())
            .await
    }

    /// Reads a reply. Returns true unless it is a refusal.
    async fn accepts(&mut self, stage: Stage) -> io::Result<bool> {
        let reply = self.reply().await?;
        let refused = reply.code().is_refusal();
        if refused {
            self.dialogue.refused = Some((stage, reply.clone()));
        }
        self.dialogue.last = Some(reply);
        Ok(!refused)
    }

    /// Reads one reply: smtp-proto finds its end, and [`Reply::parse`] requires the same code on all lines.
    async fn reply(&mut self) -> io::Result<Reply> {
        let mut receiver = ResponseReceiver::default();
        let mut octets = Vec::new();
        let whole = timeout(self.timeout, self.octets(&mut receiver, &mut octets)).await;
        let text = String::from_utf8_lossy(&octets);
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.trim_end_matches('\r').to_owned())
            .collect();
        let input = lines.iter().map(|line| ("S", line.clone()));
        self.dialogue.lines.extend(input);
        whole??;
        let unreadable = |(expected, found)| format!("expected {expected}, found {found}");
        Reply::parse(&lines).map_err(|mistake| invalid(unreadable(mistake)))
    }

    /// Reads until the reply is complete.
    async fn octets(
        &mut self,
        receiver: &mut ResponseReceiver,
        octets: &mut Vec<u8>,
    ) -> io::Result<()> {
        loop {
            let available = self.stream.fill_buf().await?;
            if available.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut rest = available.iter();
            let parsed = receiver.parse(&mut rest);
            let mut taken = available.len() - rest.as_slice().len();
            if matches!(&parsed, Err(error) if !matches!(error, Error::NeedsMoreData { .. })) {
                // The dialogue shows the whole malformed line.
                let end = memchr::memchr(b'\n', rest.as_slice());
                taken += end.map_or(rest.as_slice().len(), |end| end + 1);
            }
            octets.extend_from_slice(&available[..taken]);
            self.stream.consume(taken);
            match parsed {
                Ok(_) => return Ok(()),
                Err(Error::NeedsMoreData { .. }) => {}
                Err(Error::ResponseTooLong) => {
                    return Err(invalid("a reply of more than 4096 octets".to_owned()));
                }
                Err(_) => return Err(invalid("a line that is not a reply".to_owned())),
            }
        }
    }

    async fn body(&mut self, message: &[u8]) -> io::Result<()> {
        let octets = stuffed(message);
        self.dialogue.lines.push((
            "C",
            format!("<{} octets of data>", octets.len() - FINAL_DOT.len()),
        ));
        self.stream.get_mut().write_all(&octets).await
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The end of the data, after the CRLF of its last line.
const FINAL_DOT: &[u8] = b".\r\n";

/// The message as it is sent: CRLF line ends, dots doubled, and the final dot (RFC 5321 §4.5.2).
pub(crate) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(message.len() + 64);
    let body = message.strip_suffix(b"\n").unwrap_or(message);
    if !message.is_empty() {
        for line in body.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.starts_with(b".") {
                octets.push(b'.');
            }
            octets.extend_from_slice(line);
            octets.extend_from_slice(b"\r\n");
        }
    }
    octets.extend_from_slice(FINAL_DOT);
    octets
}
