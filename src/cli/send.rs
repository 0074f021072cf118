//! `martinet send`: sends one message and prints the dialogue.

use std::fmt::Write;
use std::time::Duration;

use super::args::Send;
use super::{paint, print};
use crate::error::Error;
use crate::smtp::client::{ClientConduct, Delivery, Dialogue, deliver};
use crate::verdict::Verdict;

/// Maximum time to wait for a reply: longer than a receiver waits for DNS.
const TIMEOUT: Duration = Duration::from_secs(60);

const MESSAGE: &[u8] = b"From: <sender@example.test>\r\nTo: <postmaster@contoso.test>\r\nSubject: martinet send\r\n\
    Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <send@martinet.test>\r\n\r\nSent by martinet send.\r\n";

pub(super) async fn run(options: Send) -> Result<bool, Error> {
    let message = match &options.file {
        Some(file) => std::fs::read(file)
            .map_err(|e| Error::io(format!("cannot read {}", file.display()), e))?,
        None => MESSAGE.to_vec(),
    };
    // An address of this machine becomes the source address; any other address is sent with XCLIENT.
    let bound = options
        .client
        .filter(|ip| std::net::UdpSocket::bind((*ip, 0)).is_ok());
    let delivery = Delivery {
        local: bound,
        xclient: options.client.filter(|_| bound.is_none()),
        helo: options.helo,
        from: options.from,
        to: options.to,
        message,
        timeout: TIMEOUT,
        conduct: ClientConduct {
            says: options.say,
            early: options.early,
            messages: options.messages,
            recipients: options.recipients,
            open: options.open,
        },
        ..Delivery::default()
    };
    let dialogue = deliver(options.smtp, &delivery)
        .await
        .map_err(|e| Error::io(format!("session with {}", options.smtp), e))?;
    print(&text(&dialogue));
    Ok(dialogue.refused.is_none())
}

fn text(dialogue: &Dialogue) -> String {
    let mut out = String::new();
    let dim = paint::DIM;
    for (who, line) in &dialogue.lines {
        let _ = writeln!(out, "{dim}{who}:{dim:#} {line}");
    }
    let _ = match &dialogue.refused {
        Some((stage, reply)) => {
            let verdict = Verdict::of(Some(reply.code()), false);
            let style = paint::style(verdict);
            writeln!(
                out,
                "{style}{}{style:#} at {stage}: {}",
                verdict.past(),
                reply.code()
            )
        }
        None => writeln!(out, "{}accepted{:#}", paint::ACCEPTED, paint::ACCEPTED),
    };
    out
}
