//! Magic recipients: the local part asks for a reply, a delay or the end of the connection.

use std::borrow::Cow;
use std::time::Duration;

use crate::reply::{EnhancedCode, Reply, ReplyCode};
use crate::smtp::script::{End, SendMode};
use crate::smtp::session::Session;
use crate::smtp::session::event::SessionEvent;
use crate::verdict::Source;

impl Session {
    /// Applies the request in the name of a recipient.
    pub(crate) fn magic(&mut self, recipient: &str, output: &mut Vec<u8>) -> Option<Reply> {
        let magic = Magic::of(recipient).filter(|_| self.setup.settings().magic_recipients)?;
        let enhanced = |code: ReplyCode, enhanced: Option<EnhancedCode>| {
            Reply::new(
                code,
                enhanced.filter(|_| self.setup.enhanced()),
                &format!("<{recipient}> asked for this"),
            )
        };
        let (reply, send_mode) = match magic {
            Magic::Reply(code, detail) => (Some(enhanced(code, detail)), None),
            Magic::AtTheDot(code, detail) => {
                self.transactions.request_reply(enhanced(code, detail));
                (None, None)
            }
            Magic::AcceptAfter(times) => {
                let tried = self.setup.memory.count(&format!("magic {recipient}"));
                let code = ReplyCode::new(451).expect("451 is a reply code");
                let later = enhanced(
                    code,
                    Some(EnhancedCode {
                        subject: 7,
                        detail: 1,
                    }),
                );
                (Some(later).filter(|_| tried <= times), None)
            }
            Magic::SendMode(send_mode) => (None, Some(send_mode)),
        };
        self.dialogue
            .push(SessionEvent::Scripted(format!("recipient {recipient}")));
        if let Some(send_mode) = send_mode {
            self.dialogue.send_as(send_mode);
        }
        let reply = reply?;
        self.dialogue.say(&reply, output);
        let why = format!("the recipient <{recipient}> asks for this reply");
        self.refuses(Source::Recipient, reply.clone(), why);
        self.end_after(&reply);
        Some(reply)
    }
}

/// The request in the local part of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magic {
    Reply(ReplyCode, Option<EnhancedCode>),
    AtTheDot(ReplyCode, Option<EnhancedCode>),
    AcceptAfter(u64),
    SendMode(SendMode),
}

impl Magic {
    fn of(recipient: &str) -> Option<Self> {
        let local = recipient
            .rsplit_once('@')
            .map_or(recipient, |(local, _)| local);
        let local = match local.bytes().any(|octet| octet.is_ascii_uppercase()) {
            true => Cow::Owned(local.to_ascii_lowercase()),
            false => Cow::Borrowed(local),
        };
        let send_mode = |send_mode| Some(Self::SendMode(send_mode));
        let end = |end| {
            send_mode(SendMode {
                mute: true,
                end: Some(end),
                ..SendMode::default()
            })
        };
        match &*local {
            "close" => return end(End::Close),
            "reset" => return end(End::Reset),
            "silence" => {
                return send_mode(SendMode {
                    mute: true,
                    ..SendMode::default()
                });
            }
            "split" => {
                return send_mode(SendMode {
                    split: true,
                    ..SendMode::default()
                });
            }
            _ => {}
        }
        if let Some(delay) = local.strip_prefix("delay-").and_then(time) {
            return send_mode(SendMode {
                delay,
                ..SendMode::default()
            });
        }
        if let Some(drip) = local
            .strip_prefix("drip-")
            .and_then(|n| n.parse().ok())
            .filter(|n| *n > 0)
        {
            return send_mode(SendMode {
                drip: Some(drip),
                ..SendMode::default()
            });
        }
        if let Some(times) = local
            .strip_prefix("after-")
            .and_then(|rest| rest.strip_suffix("-accept"))
        {
            return times.parse().ok().map(Self::AcceptAfter);
        }
        match local.strip_prefix("eod-") {
            Some(code) => refusal(code).map(|(code, detail)| Self::AtTheDot(code, detail)),
            None => refusal(&local).map(|(code, detail)| Self::Reply(code, detail)),
        }
    }
}

/// `550`, or `550-5.1.1`.
fn refusal(text: &str) -> Option<(ReplyCode, Option<EnhancedCode>)> {
    let (code, detail) = text
        .split_once('-')
        .map_or((text, None), |(code, detail)| (code, Some(detail)));
    let code = code
        .parse()
        .ok()
        .filter(|_| code.len() == 3)
        .and_then(ReplyCode::new)
        .filter(|code| code.is_refusal())?;
    match detail {
        None => Some((code, None)),
        Some(detail) => {
            let (class, enhanced) = crate::reply::enhanced_prefix(detail)?;
            (class == code.class()).then_some((code, Some(enhanced)))
        }
    }
}

/// `5s`, `500ms`; at most an hour.
fn time(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let time = match &text[digits..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => return None,
    };
    (time <= Duration::from_secs(3600)).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_recipients() {
        let code = |code| ReplyCode::new(code).expect("a code");
        let detail = |subject, detail| Some(EnhancedCode { subject, detail });
        let send_mode = |send_mode| Some(Magic::SendMode(send_mode));
        for (path, expected) in [
            (
                "550-5.1.1@contoso.test",
                Some(Magic::Reply(code(550), detail(1, 1))),
            ),
            ("451@contoso.test", Some(Magic::Reply(code(451), None))),
            (
                "eod-554-5.7.1@contoso.test",
                Some(Magic::AtTheDot(code(554), detail(7, 1))),
            ),
            ("after-3-accept@contoso.test", Some(Magic::AcceptAfter(3))),
            (
                "delay-5s@contoso.test",
                send_mode(SendMode {
                    delay: Duration::from_secs(5),
                    ..SendMode::default()
                }),
            ),
            (
                "drip-10@contoso.test",
                send_mode(SendMode {
                    drip: Some(10),
                    ..SendMode::default()
                }),
            ),
            (
                "reset@contoso.test",
                send_mode(SendMode {
                    mute: true,
                    end: Some(End::Reset),
                    ..SendMode::default()
                }),
            ),
            ("250@contoso.test", None),
            ("550-4.1.1@contoso.test", None),
            ("delay-2h@contoso.test", None),
            ("drip-0@contoso.test", None),
            ("info@contoso.test", None),
            ("5500@contoso.test", None),
        ] {
            assert_eq!(Magic::of(path), expected, "{path}");
        }
    }
}
