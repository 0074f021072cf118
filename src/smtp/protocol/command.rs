//! Parses a whole command line before the state is examined (RFC 5321 §4.1.1).
//!
//! `path` parses the arguments of MAIL and RCPT. The argument of HELO is not checked: its flaws are facts for the
//! rules, not mistakes of the parser.

use std::borrow::Cow;

use crate::facts::Verb;
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::parameters::{self, Parameters};
use crate::smtp::protocol::path;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::syntax::Syntax;
use crate::smtp::protocol::xclient::{self, Xclient};

/// The maximum size of a chunk in octets: more than any receiver accepts.
const BDAT_OCTETS: usize = u32::MAX as usize;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
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
    /// RFC 3030 §2: the number of octets that follow, and whether they are the last ones.
    Bdat {
        octets: usize,
        last: bool,
    },
    StartTls,
    /// RFC 4954 §4: the mechanism, and the initial response if there is one.
    Auth {
        mechanism: String,
        initial: Option<String>,
    },
    Etrn(String),
    Rset,
    Noop,
    Vrfy(String),
    Expn,
    Help,
    Quit,
    Xclient(Xclient),
}

impl Command {
    /// The verb.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Helo(verb, _) => verb.word(),
            Self::Mail { .. } => "MAIL",
            Self::Rcpt { .. } => "RCPT",
            Self::Data => "DATA",
            Self::Bdat { .. } => "BDAT",
            Self::StartTls => "STARTTLS",
            Self::Auth { .. } => "AUTH",
            Self::Etrn(_) => "ETRN",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy(_) => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Quit => "QUIT",
            Self::Xclient(_) => "XCLIENT",
        }
    }
}

/// The commands that a receiver may refuse before HELO and EHLO.
pub(crate) const AFTER_HELO: [&str; 8] = [
    "MAIL", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "ETRN", "STARTTLS",
];

/// Parses a line without its CRLF.
pub(crate) fn parse(line: &[u8], syntax: &Syntax) -> Result<Command, Mistake> {
    let line = if syntax.leading_space {
        line.trim_ascii_start()
    } else {
        line
    };
    if line.is_empty() {
        return Err(CoreReply::EmptyLine.into());
    }
    let text = String::from_utf8_lossy(line);
    if !syntax.invalid_utf8 && matches!(text, Cow::Owned(_)) {
        return Err(CoreReply::BadUtf8.into());
    }
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (verb, argument) = text.split_at(end);
    let mut upper = [0; 8];
    let upper = upper
        .get_mut(..verb.len())
        .ok_or_else(|| Mistake::from(CoreReply::UnknownCommand).quoting("line", text.as_ref()))?;
    upper.copy_from_slice(verb.as_bytes());
    upper.make_ascii_uppercase();
    let argument = argument.trim_ascii();
    let printable = !argument.bytes().any(|b| b.is_ascii_control() && b != b'\t');
    let parsed = if printable {
        of_verb(upper, argument, syntax)
    } else {
        Err(CoreReply::ControlCharacters.into())
    };
    parsed.map_err(|mistake| {
        mistake
            .quoting("command", String::from_utf8_lossy(upper))
            .quoting("argument", argument)
            .quoting("line", text.as_ref())
    })
}

/// The table from verb to parser.
fn of_verb(verb: &[u8], argument: &str, syntax: &Syntax) -> Result<Command, Mistake> {
    match verb {
        b"HELO" => helo(Verb::Helo, argument, syntax),
        b"EHLO" => helo(Verb::Ehlo, argument, syntax),
        b"LHLO" => helo(Verb::Lhlo, argument, syntax),
        b"MAIL" => mail(argument, syntax),
        b"RCPT" => rcpt(argument, syntax),
        b"DATA" => alone(Command::Data, argument, CoreReply::DataSyntax),
        b"RSET" => alone(Command::Rset, argument, CoreReply::RsetSyntax),
        b"QUIT" => alone(Command::Quit, argument, CoreReply::QuitSyntax),
        b"NOOP" if !syntax.noop_argument => alone(Command::Noop, argument, CoreReply::NoopSyntax),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" if argument.is_empty() => Err(CoreReply::VrfySyntax.into()),
        b"VRFY" => {
            if syntax.vrfy_path {
                path::vrfy(argument, syntax)?;
            }
            Ok(Command::Vrfy(argument.to_owned()))
        }
        b"EXPN" => Ok(Command::Expn),
        b"XCLIENT" => xclient::parse(argument).map(Command::Xclient),
        b"BDAT" => bdat(argument),
        b"STARTTLS" => alone(Command::StartTls, argument, CoreReply::StartTlsSyntax),
        b"AUTH" => auth(argument),
        b"ETRN" if argument.is_empty() => Err(CoreReply::EtrnSyntax.into()),
        b"ETRN" => Ok(Command::Etrn(argument.to_owned())),
        b"ATRN" | b"TURN" | b"SEND" | b"SOML" | b"SAML" | b"BURL" => {
            Err(CoreReply::NotImplemented.into())
        }
        _ => Err(CoreReply::UnknownCommand.into()),
    }
}

fn helo(verb: Verb, argument: &str, syntax: &Syntax) -> Result<Command, Mistake> {
    if argument.is_empty() && !syntax.empty_helo {
        return Err(CoreReply::HeloSyntax.into());
    }
    Ok(Command::Helo(verb, argument.to_owned()))
}

fn mail(argument: &str, syntax: &Syntax) -> Result<Command, Mistake> {
    let (reverse_path, parameters) = path::mail(argument, syntax)?;
    Ok(Command::Mail {
        reverse_path,
        parameters,
    })
}

fn rcpt(argument: &str, syntax: &Syntax) -> Result<Command, Mistake> {
    let (forward_path, parameters) = path::rcpt(argument, syntax)?;
    Ok(Command::Rcpt {
        forward_path,
        parameters,
    })
}

/// `BDAT size [LAST]` (RFC 3030 §2). A size above the maximum is a mistake, because its octets could never be received.
fn bdat(argument: &str) -> Result<Command, Mistake> {
    let syntax = || Mistake::from(CoreReply::BdatSyntax);
    let mut words = argument.split_ascii_whitespace();
    let octets = words
        .next()
        .and_then(parameters::octets)
        .filter(|octets| *octets <= BDAT_OCTETS)
        .ok_or_else(syntax)?;
    let last = match (words.next(), words.next()) {
        (None, _) => false,
        (Some(word), None) if word.eq_ignore_ascii_case("LAST") => true,
        _ => return Err(syntax()),
    };
    Ok(Command::Bdat { octets, last })
}

/// `AUTH mechanism [initial-response]` (RFC 4954 §4).
fn auth(argument: &str) -> Result<Command, Mistake> {
    let mut words = argument.split_ascii_whitespace();
    let mechanism = words.next().map(str::to_owned);
    let initial = words.next().map(str::to_owned);
    match (mechanism, words.next()) {
        (Some(mechanism), None) => Ok(Command::Auth { mechanism, initial }),
        _ => Err(CoreReply::AuthSyntax.into()),
    }
}

fn alone(command: Command, argument: &str, syntax: CoreReply) -> Result<Command, Mistake> {
    if argument.is_empty() {
        Ok(command)
    } else {
        Err(syntax.into())
    }
}

/// Whether a command line is a PROXY header after the beginning of the connection. Version 2 begins with two empty lines
/// and these octets.
pub(crate) fn is_late_proxy_header(line: &[u8]) -> bool {
    line.starts_with(b"PROXY ") || matches!(line, b"\0" | b"\0\r\nQUIT\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command, CoreReply>) {
        let got = parse(line.as_bytes(), &Syntax::default());
        assert_eq!(got.map_err(|mistake| mistake.reply), expected, "{line}");
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
        check("EHLO", Err(CoreReply::HeloSyntax));
        assert!(matches!(
            parse(b"MAIL FROM:<a@example.test>", &Syntax::default()),
            Ok(Command::Mail { .. })
        ));
        assert!(matches!(
            parse(b"rcpt to:<b@contoso.test>", &Syntax::default()),
            Ok(Command::Rcpt { .. })
        ));
        check("data", Ok(Command::Data));
        check("DATA now", Err(CoreReply::DataSyntax));
        check("NOOP anything", Ok(Command::Noop));
        check("QUIT", Ok(Command::Quit));
        check("VRFY", Err(CoreReply::VrfySyntax));
        check("STARTTLS", Ok(Command::StartTls));
        check("TURN", Err(CoreReply::NotImplemented));
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
        for bad in [
            "BDAT",
            "BDAT x",
            "BDAT -1",
            "BDAT 1 FIRST",
            "BDAT 1 LAST x",
            "BDAT 4294967296",
            "BDAT 99999999999999999999",
            "BDAT 999999999999999999999999999",
        ] {
            check(bad, Err(CoreReply::BdatSyntax));
        }
        let auth = |initial: Option<&str>| {
            Ok(Command::Auth {
                mechanism: "PLAIN".into(),
                initial: initial.map(str::to_owned),
            })
        };
        check("AUTH PLAIN", auth(None));
        check("AUTH PLAIN =", auth(Some("=")));
        check("AUTH", Err(CoreReply::AuthSyntax));
        check(
            "LHLO a.test",
            Ok(Command::Helo(Verb::Lhlo, "a.test".into())),
        );
        check("GET / HTTP/1.1", Err(CoreReply::UnknownCommand));
        check("VERYLONGVERB", Err(CoreReply::UnknownCommand));
        check("", Err(CoreReply::EmptyLine));
        check(" NOOP", Err(CoreReply::UnknownCommand));
    }

    #[test]
    fn octets_not_allowed_in_commands() {
        let mistake = |line: &[u8]| parse(line, &Syntax::default()).map_err(|m| m.reply);
        let control = Err(CoreReply::ControlCharacters);
        assert_eq!(mistake(b"MAIL FROM:<a@example.test\r\n250 x>"), control);
        assert_eq!(mistake(b"RCPT TO:<a\0b@contoso.test>"), control);
        for line in [
            &b"RCPT TO:<\xff@contoso.test>"[..],
            b"EHLO \xff",
            b"NOOP \xff",
            b"F\xff",
        ] {
            assert_eq!(mistake(line), Err(CoreReply::BadUtf8));
        }
    }

    #[test]
    fn tolerated_lines() {
        let syntax = Syntax {
            leading_space: true,
            invalid_utf8: true,
            ..Syntax::default()
        };
        assert_eq!(parse(b"  NOOP \xff", &syntax), Ok(Command::Noop));
        assert_eq!(
            parse(b"EHLO a\xff", &syntax),
            Ok(Command::Helo(Verb::Ehlo, "a\u{fffd}".into()))
        );
    }

    #[test]
    fn a_mistake_quotes_the_client() {
        let mistake = parse(b"mail FROM:<a@x.test> FOO=1", &Syntax::default()).expect_err("FOO");
        for (placeholder, text) in [
            ("command", "MAIL"),
            ("argument", "<a@x.test> FOO=1"),
            ("path", "<a@x.test>"),
            ("parameter", "FOO=1"),
            ("keyword", "FOO"),
            ("value", "1"),
            ("line", "mail FROM:<a@x.test> FOO=1"),
        ] {
            let quote = (placeholder, text.to_owned());
            assert!(mistake.quotes.contains(&quote), "{placeholder}");
        }
    }
}
