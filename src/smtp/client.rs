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
    let stream = timeout(delivery.timeout, connect(receiver, delivery.local)).await??;
    let dialogue = Dialogue {
        local: stream.local_addr().ok(),
        ..Dialogue::default()
    };
    let mut client = Client {
        stream: BufReader::new(stream),
        dialogue,
        timeout: delivery.timeout,
    };
    if client.accepts(Stage::Connect).await? && client.transaction(delivery).await? {
        client.body(&delivery.message).await?;
        client.accepts(Stage::Eod).await?;
    }
    // A server that closes the connection with its refusal does not read QUIT, which is not an error.
    if client.say("QUIT").await.is_ok() {
        let _ = client.reply().await;
    }
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
    /// Sends everything from HELO to DATA. Returns true if the server wants the message.
    async fn transaction(&mut self, delivery: &Delivery) -> io::Result<bool> {
        if let Some(address) = delivery.xclient {
            let address = if address.is_ipv6() {
                format!("IPV6:{address}")
            } else {
                address.to_string()
            };
            if !self
                .asks(&format!("XCLIENT ADDR={address}"), Stage::Connect)
                .await?
            {
                return Ok(false);
            }
        }
        if !self
            .asks(&format!("{} {}", delivery.verb, delivery.helo), Stage::Helo)
            .await?
        {
            return Ok(false);
        }
        if !self
            .asks(&format!("MAIL FROM:<{}>", delivery.from), Stage::Mail)
            .await?
        {
            return Ok(false);
        }
        for to in &delivery.to {
            if !self.asks(&format!("RCPT TO:<{to}>"), Stage::Rcpt).await? {
                return Ok(false);
            }
        }
        self.asks("DATA", Stage::Data).await
    }

    async fn asks(&mut self, command: &str, stage: Stage) -> io::Result<bool> {
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
        let said = lines.iter().map(|line| ("S", line.clone()));
        self.dialogue.lines.extend(said);
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
pub fn stuffed(message: &[u8]) -> Vec<u8> {
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
