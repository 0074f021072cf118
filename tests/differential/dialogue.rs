//! Sessions played to the end: after a refusal the client goes on, so that what stays refused is seen too.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a reply may take: longer than all lookups of a world together.
const PATIENCE: Duration = Duration::from_secs(40);

/// A command and its reply.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the client said; empty for the greeting.
    pub command: String,
    /// The reply as on the wire; one line `<…>` where there was none.
    pub reply: Vec<String>,
}

impl Exchange {
    /// The reply code, or what stands for it.
    pub fn code(&self) -> &str {
        let first = &self.reply[0];
        if first.starts_with('<') {
            first
        } else {
            first.get(..3).unwrap_or(first)
        }
    }

    /// The text of the first line, behind the code.
    pub fn text(&self) -> &str {
        self.reply[0].get(4..).unwrap_or_default()
    }

    /// The enhanced code, empty where there is none.
    pub fn enhanced(&self) -> &str {
        let word = self.text().split(' ').next().unwrap_or_default();
        let numbers = word
            .split('.')
            .filter(|part| part.parse::<u16>().is_ok())
            .count();
        if numbers == 3 && word.split('.').count() == 3 {
            word
        } else {
            ""
        }
    }
}

/// Plays the commands from one address to another, and hears every reply.
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
    let greeting = hear(&mut stream).await;
    dialogue.push(Exchange {
        command: String::new(),
        reply: greeting,
    });
    for command in commands {
        let reply = match stream
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())
            .await
        {
            Ok(()) => hear(&mut stream).await,
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

async fn hear(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    match timeout(PATIENCE, reply(stream)).await {
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
