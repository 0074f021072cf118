//! Changes of a client's behaviour, and the facts after them.

use std::fmt;
use std::time::Duration;

use crate::facts::{AuthResult, CountBy, Dkim, Facts, HeaderFault, Verb};

/// A change of behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Wait for the greeting.
    AwaitGreeting,
    /// Wait for the reply to this command.
    AwaitReply(String),
    /// Send only SMTP.
    SpeakSmtp,
    /// End lines with CRLF.
    EndLines,
    /// Stay within a limit.
    StayWithin {
        /// The maximum.
        most: u64,
        /// The limited quantity, in the words of the limit.
        what: &'static str,
    },
    /// Begin TLS before MAIL.
    StartTls,
    /// Try again after a time.
    RetryAfter(Duration),
    /// Sign messages as this domain.
    Sign(String),
    /// Keep the verb of the first HELO.
    KeepVerb(Verb),
    /// Send fewer messages.
    SendFewer {
        /// The maximum number of messages.
        most: u64,
        /// The time in which they count.
        per: Duration,
        /// The sender whose messages count.
        by: CountBy,
    },
    /// Write the header of the message without this fault.
    MendHeader(HeaderFault),
}

impl Behaviour {
    /// The facts after the change.
    pub fn apply(&self, facts: &mut Facts) {
        match self {
            Self::AwaitGreeting => facts.conduct.pregreet = false,
            Self::AwaitReply(_) => facts.conduct.unsynchronised.clear(),
            Self::SpeakSmtp => facts.conduct.not_smtp.clear(),
            Self::EndLines => facts.conduct.bare_newline = None,
            Self::StayWithin { most, what } => stay_within(*most, what, facts),
            Self::StartTls => facts.conduct.tls = true,
            Self::RetryAfter(wait) => {
                if let Some(known) = &mut facts.greylist {
                    for seen in [
                        &mut known.client,
                        &mut known.triple,
                        &mut known.network_triple,
                    ] {
                        (seen.age, seen.earlier_session) = (seen.age + *wait, true);
                    }
                }
            }
            Self::Sign(domain) => sign(domain, facts),
            Self::SendFewer { most, per, by } => {
                let volumes = facts.volumes.iter_mut();
                for volume in volumes.filter(|v| v.by == *by && v.per == *per) {
                    volume.messages = volume.messages.min(*most);
                }
            }
            // The rewritten message shows whether the fault is gone.
            Self::MendHeader(_) => {}
            Self::KeepVerb(verb) => {
                if let Some(helo) = &facts.helo {
                    let mut helo = (**helo).clone();
                    helo.verb = *verb;
                    facts.helo = Some(helo.into());
                }
            }
        }
    }
}

fn stay_within(most: u64, what: &str, facts: &mut Facts) {
    let conduct = &mut facts.conduct;
    for (name, count) in [
        ("messages", &mut conduct.messages),
        ("recipients", &mut conduct.recipients),
        ("errors", &mut conduct.errors),
    ] {
        if name == what {
            *count = most.min(*count);
        }
    }
    if let Some(history) = &mut facts.history {
        match what {
            "connections" => history.open = history.open.min(most),
            "connections within a time" => history
                .connections
                .truncate(usize::try_from(most).unwrap_or(usize::MAX)),
            _ => {}
        }
    }
}

fn sign(domain: &str, facts: &mut Facts) {
    if let Some(signatures) = &mut facts.dkim {
        signatures.push(Dkim {
            domain: domain.to_owned(),
            selector: "mail".to_owned(),
            result: AuthResult::Pass,
            why: String::new(),
        });
    }
    if let Some(dmarc) = &mut facts.dmarc
        && dmarc.from_domain.eq_ignore_ascii_case(domain)
    {
        dmarc.dkim_aligned = true;
        if dmarc.record {
            dmarc.result = AuthResult::Pass;
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AwaitGreeting => f.write_str("wait for the greeting before sending more"),
            Self::AwaitReply(verb) => write!(f, "wait for the reply to {verb} before sending more"),
            Self::SpeakSmtp => f.write_str("speak SMTP (RFC 5321) to this port"),
            Self::EndLines => {
                f.write_str("end every line with CRLF, in commands and in the message")
            }
            Self::StayWithin { most, what } => write!(f, "stay within {most} {what}"),
            Self::StartTls => f.write_str("send STARTTLS before MAIL (RFC 3207)"),
            Self::RetryAfter(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                write!(
                    f,
                    "try again after {hours:02}:{minutes:02}:{:02}, from the same address",
                    seconds % 60
                )
            }
            Self::Sign(domain) => write!(
                f,
                "sign the message with DKIM as {domain} (RFC 6376), and publish the key"
            ),
            Self::SendFewer { most, per, by } => {
                let (sender, time) = (by.sender(), span(*per));
                write!(
                    f,
                    "send at most {most} messages within {time} from {sender}"
                )
            }
            Self::MendHeader(fault) => fmt_correction(fault, f),
            Self::KeepVerb(verb) => write!(f, "stay with {}", verb.word()),
        }
    }
}

/// A duration in the syntax of receiver files.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds % 3600, seconds % 60) {
        (0, _) if seconds > 0 => format!("{}h", seconds / 3600),
        (_, 0) if seconds > 0 => format!("{}m", seconds / 60),
        _ if time.subsec_nanos() == 0 => format!("{seconds}s"),
        _ => format!("{}ms", time.as_millis()),
    }
}

fn fmt_correction(fault: &HeaderFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match fault {
        HeaderFault::Missing(name) => {
            write!(f, "add one {} header field (RFC 5322 §3.6)", title(name))
        }
        HeaderFault::Doubled(name) => write!(
            f,
            "send one {} header field instead of several",
            title(name)
        ),
        HeaderFault::Malformed(name) => write!(
            f,
            "write the {} header field as RFC 5322 §3.6 defines it",
            title(name)
        ),
        HeaderFault::SeveralFrom => f.write_str("leave one address in the From header field"),
        HeaderFault::StrayLine => f.write_str(
            "write only fields above the empty line that ends the header (RFC 5322 §2.2)",
        ),
    }
}

/// The name of a field in the spelling of RFC 5322.
pub(super) fn title(name: &str) -> String {
    let word = |word: &str| match word {
        "id" => "ID".to_owned(),
        word => word
            .chars()
            .take(1)
            .map(|c| c.to_ascii_uppercase())
            .chain(word.chars().skip(1))
            .collect(),
    };
    let words: Vec<String> = name.split('-').map(word).collect();
    match name {
        "in-reply-to" => "In-Reply-To".to_owned(),
        _ => words.join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Greylist, Seen, Volume};

    #[test]
    fn times_as_receiver_files_write_them() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (1_500, "1500ms"),
            (30_000, "30s"),
            (60_000, "1m"),
            (90_000, "90s"),
            (3_600_000, "1h"),
            (5_400_000, "90m"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn a_wait_is_rounded_up_to_seconds() {
        let text = |wait| Behaviour::RetryAfter(wait).to_string();
        assert!(text(Duration::from_millis(3_723_000)).contains("after 01:02:03,"));
        assert!(text(Duration::from_millis(3_722_001)).contains("after 01:02:03,"));
        assert!(text(Duration::from_secs(36_000)).contains("after 10:00:00,"));
    }

    #[test]
    fn fewer_messages_count_for_the_same_kind_of_sender_and_time() {
        let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(86_400));
        let volume = |by, per| Volume {
            by,
            per,
            messages: 9,
        };
        let mut facts = Facts::new(std::net::Ipv4Addr::LOCALHOST.into());
        facts.volumes = vec![
            volume(CountBy::Client, hour),
            volume(CountBy::Client, day),
            volume(CountBy::FromDomain, hour),
        ];
        let fewer = Behaviour::SendFewer {
            most: 4,
            per: hour,
            by: CountBy::Client,
        };
        fewer.apply(&mut facts);
        let counts: Vec<_> = facts.volumes.iter().map(|volume| volume.messages).collect();
        assert_eq!(counts, [4, 9, 9]);
    }

    /// If an attempt cannot make the change, a session can: the facts after the changed behaviour pass the rule.
    #[test]
    fn a_changed_session_passes() {
        let seen = |seconds| Seen {
            age: Duration::from_secs(seconds),
            earlier_session: false,
        };
        let mut facts = Facts::new([192, 0, 2, 10].into());
        facts.greylist = Some(Greylist {
            client: seen(9),
            triple: seen(1),
            network_triple: seen(1),
        });
        Behaviour::RetryAfter(Duration::from_secs(299)).apply(&mut facts);
        let known = facts.greylist.expect("it stays").triple;
        assert_eq!((known.age.as_secs(), known.earlier_session), (300, true));
        Behaviour::StartTls.apply(&mut facts);
        assert!(facts.conduct.tls);
        (facts.conduct.messages, facts.conduct.recipients) = (9, 7);
        Behaviour::StayWithin {
            most: 5,
            what: "recipients",
        }
        .apply(&mut facts);
        assert_eq!((facts.conduct.messages, facts.conduct.recipients), (9, 5));
    }
}
