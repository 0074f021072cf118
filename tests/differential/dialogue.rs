//! Sessions played to the end: after a refusal the client continues, so that later refusals are compared too.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::commands::BODY;

/// In place of a command: the client says nothing, and waits for a reply.
pub const WAIT: &str = "\u{1}wait\u{1}";

/// How long a reply may take: longer than all lookups of a world together.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A command and its reply.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The command of the client; empty for the greeting.
    pub command: String,
    /// The reply as on the wire; one line `<…>` if there is none.
    pub reply: Vec<String>,
}

impl Exchange {
    /// The reply code, or the line that replaces it.
    pub fn code(&self) -> &str {
        let first = &self.reply[0];
        if first.starts_with('<') {
            first
        } else {
            first.get(..3).unwrap_or(first)
        }
    }

    /// The text of the first line, after the code.
    pub fn text(&self) -> &str {
        self.reply[0].get(4..).unwrap_or_default()
    }
}

/// Plays the commands from one address to another, and reads every reply.
pub async fn play(server: SocketAddr, source: IpAddr, commands: &[String]) -> Vec<Exchange> {
    let mut dialogue = Vec::new();
    let mut stream = match connect(server, source).await {
        Ok(stream) => BufReader::new(stream),
        Err(error) => {
            return vec![Exchange {
                command: String::new(),
                reply: vec![format!("<no connection: {error}>")],
            }];
        }
    };
    let greeting = read_reply(&mut stream).await;
    dialogue.push(Exchange {
        command: String::new(),
        reply: greeting,
    });
    for command in commands {
        let last_code = dialogue.last().map_or("", Exchange::code);
        let body = command.strip_prefix(BODY);
        if body.is_some() && last_code != "354" {
            continue;
        }
        let octets = match command.as_str() {
            WAIT => Vec::new(),
            _ => octets(body.unwrap_or(command)),
        };
        let reply = match stream.get_mut().write_all(&octets).await {
            Ok(()) => read_reply(&mut stream).await,
            Err(_) => vec!["<closed>".to_owned()],
        };
        let ended = reply[0].starts_with('<');
        dialogue.push(Exchange {
            command: command.clone(),
            reply,
        });
        if ended {
            break;
        }
    }
    dialogue
}

/// The octets of a line: see [`crate::commands`].
fn octets(line: &str) -> Vec<u8> {
    let octet = |c: char| u8::try_from(c).expect("lines hold characters below U+0100");
    let mut octets: Vec<_> = line.chars().map(octet).collect();
    if !line.ends_with('\n') && !line.contains("\r\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

async fn connect(server: SocketAddr, source: IpAddr) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind(SocketAddr::new(source, 0))?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read_reply(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    match timeout(TIMEOUT, reply(stream)).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => vec!["<closed>".to_owned()],
        Err(_) => vec!["<no reply>".to_owned()],
    }
}

async fn reply(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let last = line.as_bytes().get(3) != Some(&b'-');
        lines.push(line);
        if last {
            return Ok(lines);
        }
    }
}
