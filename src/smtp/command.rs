//! One command line, parsed whole before the state is looked at (RFC 5321 §4.1.1).
//!
//! MAIL and RCPT are read in `path`. The HELO argument is taken as it stands: what is wrong with it is a fact for the
//! rules, not a mistake of the parser.

use std::net::IpAddr;

use super::path::{self, MailParameters};
use crate::facts::Verb;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Hello(Verb, String),
    Mail { reverse_path: String, parameters: MailParameters },
    Rcpt { forward_path: String },
    Data,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    Xclient(Vec<Attribute>),
}

/// One attribute of XCLIENT that changes something here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Addr(IpAddr),
    Helo(String),
    Other,
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
    let end = line.iter().position(|b| *b == b' ' || *b == b'\t').unwrap_or(line.len());
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
        b"HELO" => hello(Verb::Helo, argument, "HELO hostname"),
        b"EHLO" => hello(Verb::Ehlo, argument, "EHLO hostname"),
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
        b"XCLIENT" => xclient(argument),
        b"LHLO" | b"ETRN" | b"ATRN" | b"TURN" | b"SEND" | b"SOML" | b"SAML" | b"AUTH" | b"BDAT" | b"STARTTLS"
        | b"BURL" => Err(Mistake::NotImplemented),
        _ => Err(Mistake::Unknown),
    }
}

fn hello(verb: Verb, argument: &[u8], syntax: &'static str) -> Result<Command, Mistake> {
    if argument.is_empty() {
        return Err(Mistake::Syntax(syntax));
    }
    Ok(Command::Hello(verb, String::from_utf8_lossy(argument).into_owned()))
}

fn alone(command: Command, argument: &[u8], syntax: &'static str) -> Result<Command, Mistake> {
    if argument.is_empty() { Ok(command) } else { Err(Mistake::Syntax(syntax)) }
}

/// Attributes as Postfix's XCLIENT_README has them; values are xtext (RFC 3461 §4).
fn xclient(argument: &[u8]) -> Result<Command, Mistake> {
    let text = std::str::from_utf8(argument).map_err(|_| Mistake::Xclient("Bad XCLIENT syntax".to_owned()))?;
    if text.is_empty() {
        return Err(Mistake::Syntax("XCLIENT attribute=value..."));
    }
    text.split_ascii_whitespace().map(attribute).collect::<Result<_, _>>().map(Command::Xclient)
}

fn attribute(text: &str) -> Result<Attribute, Mistake> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| Mistake::Xclient("Error: attribute=value expected".to_owned()))?;
    if value.len() > 255 {
        return Err(Mistake::Xclient("Error: attribute value too long".to_owned()));
    }
    let upper = name.to_ascii_uppercase();
    let bad = || Mistake::Xclient(format!("Bad {upper} syntax: {value}"));
    let value = xtext(value).ok_or_else(bad)?;
    match upper.as_str() {
        "ADDR" => address(&value).map(Attribute::Addr).ok_or_else(bad),
        "HELO" => Ok(Attribute::Helo(value)),
        "NAME" | "REVERSE_NAME" | "PORT" | "PROTO" | "LOGIN" | "DESTADDR" | "DESTPORT" => Ok(Attribute::Other),
        _ => Err(Mistake::Xclient(format!("Bad XCLIENT attribute name: {name}"))),
    }
}

fn address(value: &str) -> Option<IpAddr> {
    match value.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPV6:") => value[5..].parse().ok().map(IpAddr::V6),
        _ => value.parse().ok().map(IpAddr::V4),
    }
}

/// `+` and two hexadecimal digits stand for an octet (RFC 3461 §4). Control characters are refused.
fn xtext(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        if *octet == b'+' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            octets.push(*octet);
        }
    }
    String::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control))
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
        check("EHLO mail.example.test", Ok(Command::Hello(Verb::Ehlo, "mail.example.test".into())));
        check("helo [192.0.2.1]", Ok(Command::Hello(Verb::Helo, "[192.0.2.1]".into())));
        check("EHLO a b", Ok(Command::Hello(Verb::Ehlo, "a b".into())));
        check("EHLO", Err(Mistake::Syntax("EHLO hostname")));
        assert!(matches!(parse(b"MAIL FROM:<a@example.test>"), Ok(Command::Mail { .. })));
        assert!(matches!(parse(b"rcpt to:<b@contoso.test>"), Ok(Command::Rcpt { .. })));
        check("data", Ok(Command::Data));
        check("DATA now", Err(Mistake::Syntax("DATA")));
        check("NOOP anything", Ok(Command::Noop));
        check("QUIT", Ok(Command::Quit));
        check("VRFY", Err(Mistake::Syntax("VRFY address")));
        check("STARTTLS", Err(Mistake::NotImplemented));
        check("GET / HTTP/1.1", Err(Mistake::Unknown));
        check("VERYLONGVERB", Err(Mistake::Unknown));
        check("", Err(Mistake::Unknown));
    }

    #[test]
    fn octets_that_no_command_holds() {
        assert!(matches!(parse(b"MAIL FROM:<a@example.test\r\n250 x>"), Err(Mistake::Syntax(_))));
        assert!(parse(b"RCPT TO:<a\0b@contoso.test>").is_err());
        assert!(parse(b"RCPT TO:<\xff@contoso.test>").is_err());
    }

    #[test]
    fn xclient_attributes() {
        let ok = |attributes: &[Attribute]| Ok(Command::Xclient(attributes.to_vec()));
        let ip = |text: &str| Attribute::Addr(text.parse().expect("an address"));
        check("XCLIENT ADDR=192.0.2.1", ok(&[ip("192.0.2.1")]));
        check("XCLIENT ADDR=IPV6:2001:db8::1 PORT=25", ok(&[ip("2001:db8::1"), Attribute::Other]));
        check("xclient helo=a+2Eb", ok(&[Attribute::Helo("a.b".into())]));
        check("XCLIENT ADDR=x", Err(Mistake::Xclient("Bad ADDR syntax: x".into())));
        check("XCLIENT FOO=1", Err(Mistake::Xclient("Bad XCLIENT attribute name: FOO".into())));
        check("XCLIENT HELO=a+0D", Err(Mistake::Xclient("Bad HELO syntax: a+0D".into())));
        check("XCLIENT", Err(Mistake::Syntax("XCLIENT attribute=value...")));
    }
}
