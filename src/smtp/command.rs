//! One command line, parsed whole before the state is looked at (RFC 5321 §4.1.1).
//!
//! MAIL and RCPT are read in `path`. The HELO argument is taken as it stands: what is wrong with it is a fact for the
//! rules, not a mistake of the parser.

use super::path::{self, Parameters};
use super::xclient::{self, Xclient};
use crate::facts::Verb;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Helo(Verb, String),
    Mail {
        reverse_path: String,
        parameters: Parameters,
    },
    Rcpt {
        forward_path: String,
        parameters: Parameters,
    },
    Data,
    /// RFC 3030 §2: so many octets follow; whether they are the last.
    Bdat {
        octets: usize,
        last: bool,
    },
    StartTls,
    /// RFC 4954 §4: the mechanism, and the initial response where one was given.
    Auth {
        mechanism: String,
        initial: Option<String>,
    },
    Etrn,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    Xclient(Xclient),
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Unknown,
    NotImplemented,
    /// The syntax expected.
    Syntax(&'static str),
    Parameter(String),
    /// The reverse-path is no address.
    Sender,
    /// The forward-path is no address.
    Recipient,
    Xclient(String),
}

/// Parses a line, its CRLF left out.
pub(super) fn parse(line: &[u8]) -> Result<Command, Mistake> {
    let end = line
        .iter()
        .position(|b| *b == b' ' || *b == b'\t')
        .unwrap_or(line.len());
    let (verb, argument) = line.split_at(end);
    let mut upper = [0; 8];
    let upper = upper.get_mut(..verb.len()).ok_or(Mistake::Unknown)?;
    upper.copy_from_slice(verb);
    upper.make_ascii_uppercase();
    let argument = argument.trim_ascii();
    if argument.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
        return Err(Mistake::Syntax("printable characters"));
    }
    match &*upper {
        b"HELO" => helo(Verb::Helo, argument, "HELO hostname"),
        b"EHLO" => helo(Verb::Ehlo, argument, "EHLO hostname"),
        b"MAIL" => path::mail(argument),
        b"RCPT" => path::rcpt(argument),
        b"DATA" => alone(Command::Data, argument, "DATA"),
        b"RSET" => alone(Command::Rset, argument, "RSET"),
        b"QUIT" => alone(Command::Quit, argument, "QUIT"),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" if argument.is_empty() => Err(Mistake::Syntax("VRFY address")),
        b"VRFY" => Ok(Command::Vrfy),
        b"EXPN" => Ok(Command::Expn),
        b"XCLIENT" => xclient::parse(argument),
        b"LHLO" => helo(Verb::Lhlo, argument, "LHLO hostname"),
        b"BDAT" => bdat(argument),
        b"STARTTLS" => alone(Command::StartTls, argument, "STARTTLS"),
        b"AUTH" => auth(argument),
        b"ETRN" if argument.is_empty() => Err(Mistake::Syntax("ETRN domain")),
        b"ETRN" => Ok(Command::Etrn),
        b"ATRN" | b"TURN" | b"SEND" | b"SOML" | b"SAML" | b"BURL" => Err(Mistake::NotImplemented),
        _ => Err(Mistake::Unknown),
    }
}

fn helo(verb: Verb, argument: &[u8], syntax: &'static str) -> Result<Command, Mistake> {
    if argument.is_empty() {
        return Err(Mistake::Syntax(syntax));
    }
    Ok(Command::Helo(
        verb,
        String::from_utf8_lossy(argument).into_owned(),
    ))
}

/// `BDAT size [LAST]` (RFC 3030 §2).
fn bdat(argument: &[u8]) -> Result<Command, Mistake> {
    let syntax = Mistake::Syntax("BDAT octets [LAST]");
    let text = std::str::from_utf8(argument).map_err(|_| syntax.clone())?;
    let mut words = text.split_ascii_whitespace();
    let octets = words.next().and_then(path::octets).ok_or(syntax.clone())?;
    let last = match (words.next(), words.next()) {
        (None, _) => false,
        (Some(word), None) if word.eq_ignore_ascii_case("LAST") => true,
        _ => return Err(syntax),
    };
    Ok(Command::Bdat { octets, last })
}

/// `AUTH mechanism [initial-response]` (RFC 4954 §4).
fn auth(argument: &[u8]) -> Result<Command, Mistake> {
    let syntax = || Mistake::Syntax("AUTH mechanism");
    let text = std::str::from_utf8(argument).map_err(|_| syntax())?;
    let mut words = text.split_ascii_whitespace();
    let mechanism = words.next().ok_or_else(syntax)?.to_ascii_uppercase();
    let initial = words.next().map(str::to_owned);
    if words.next().is_some() {
        return Err(syntax());
    }
    Ok(Command::Auth { mechanism, initial })
}

fn alone(command: Command, argument: &[u8], syntax: &'static str) -> Result<Command, Mistake> {
    if argument.is_empty() {
        Ok(command)
    } else {
        Err(Mistake::Syntax(syntax))
    }
}

/// `+` and two hexadecimal digits stand for an octet (RFC 3461 §4). Control characters are refused.
pub(super) fn xtext(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        if *octet == b'+' {
            let digits = std::str::from_utf8(after.get(..2)?)
                .ok()
                .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            octets.push(*octet);
        }
    }
    String::from_utf8(octets)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command, Mistake>) {
        assert_eq!(parse(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn rfc5321_4_1_1_commands() {
        check(
            "EHLO mail.example.test",
            Ok(Command::Helo(Verb::Ehlo, "mail.example.test".into())),
        );
        check(
            "helo [192.0.2.1]",
            Ok(Command::Helo(Verb::Helo, "[192.0.2.1]".into())),
        );
        check("EHLO a b", Ok(Command::Helo(Verb::Ehlo, "a b".into())));
        check("EHLO", Err(Mistake::Syntax("EHLO hostname")));
        assert!(matches!(
            parse(b"MAIL FROM:<a@example.test>"),
            Ok(Command::Mail { .. })
        ));
        assert!(matches!(
            parse(b"rcpt to:<b@contoso.test>"),
            Ok(Command::Rcpt { .. })
        ));
        check("data", Ok(Command::Data));
        check("DATA now", Err(Mistake::Syntax("DATA")));
        check("NOOP anything", Ok(Command::Noop));
        check("QUIT", Ok(Command::Quit));
        check("VRFY", Err(Mistake::Syntax("VRFY address")));
        check("STARTTLS", Ok(Command::StartTls));
        check("TURN", Err(Mistake::NotImplemented));
        check(
            "BDAT 86 last",
            Ok(Command::Bdat {
                octets: 86,
                last: true,
            }),
        );
        check(
            "BDAT 0",
            Ok(Command::Bdat {
                octets: 0,
                last: false,
            }),
        );
        for bad in ["BDAT", "BDAT x", "BDAT -1", "BDAT 1 FIRST", "BDAT 1 LAST x"] {
            check(bad, Err(Mistake::Syntax("BDAT octets [LAST]")));
        }
        let auth = |initial: Option<&str>| {
            Ok(Command::Auth {
                mechanism: "PLAIN".into(),
                initial: initial.map(str::to_owned),
            })
        };
        check("AUTH plain", auth(None));
        check("AUTH PLAIN =", auth(Some("=")));
        check("AUTH", Err(Mistake::Syntax("AUTH mechanism")));
        check(
            "LHLO a.test",
            Ok(Command::Helo(Verb::Lhlo, "a.test".into())),
        );
        check("GET / HTTP/1.1", Err(Mistake::Unknown));
        check("VERYLONGVERB", Err(Mistake::Unknown));
        check("", Err(Mistake::Unknown));
    }

    #[test]
    fn octets_that_no_command_holds() {
        assert!(matches!(
            parse(b"MAIL FROM:<a@example.test\r\n250 x>"),
            Err(Mistake::Syntax(_))
        ));
        assert!(parse(b"RCPT TO:<a\0b@contoso.test>").is_err());
        assert!(parse(b"RCPT TO:<\xff@contoso.test>").is_err());
    }
}
