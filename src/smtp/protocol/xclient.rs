//! XCLIENT: a trusted peer replaces the attributes of the client (Postfix's XCLIENT_README). Values are xtext (RFC 3461
//! §4).

use std::net::IpAddr;

use crate::facts::{Iprev, Verb};
use crate::name;
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::xtext;

/// The maximum length of a value in octets, as in Postfix.
const VALUE_OCTETS: usize = 255;

/// A value, or one of the two words for an absent value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Known(String),
    /// `[UNAVAILABLE]`: the value does not exist.
    Unavailable,
    /// `[TEMPUNAVAIL]`: the value could not be determined.
    TemporarilyUnavailable,
}

/// The attributes of one XCLIENT command. If an attribute is repeated, its last value counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Xclient {
    pub(crate) name: Option<Value>,
    pub(crate) reverse_name: Option<Value>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) verb: Option<Verb>,
    pub(crate) helo: Option<Value>,
    pub(crate) login: Option<Value>,
    /// The attributes as sent.
    pub(crate) as_sent: Vec<String>,
}

impl Xclient {
    /// The PTR names given by NAME and REVERSE_NAME, if any. NAME is the verified name, and the default of
    /// REVERSE_NAME.
    pub(crate) fn names(&self) -> Option<Iprev> {
        let reverse = self.reverse_name.as_ref().or(self.name.as_ref())?;
        let read = |value: &Value| match value {
            Value::Known(text) => name::absolute(text).map(Some),
            _ => Some(None),
        };
        let temporary =
            [self.name.as_ref(), Some(reverse)].contains(&Some(&Value::TemporarilyUnavailable));
        let verified = self.name.as_ref().and_then(|value| read(value).flatten());
        Some(Iprev::from_xclient(
            read(reverse).flatten(),
            verified,
            temporary,
        ))
    }
}

/// Parses the attributes.
pub(crate) fn parse(text: &str) -> Result<Xclient, Mistake> {
    if text.is_empty() {
        return Err(bad("Syntax: XCLIENT attribute=value..."));
    }
    let mut xclient = Xclient::default();
    for word in text.split_ascii_whitespace() {
        attribute(word, &mut xclient)?;
        xclient.as_sent.push(word.to_owned());
    }
    Ok(xclient)
}

/// A mistake with the text that Postfix sends.
fn bad(what: impl Into<String>) -> Mistake {
    Mistake::from(CoreReply::XclientSyntax).quoting("what", what)
}

fn attribute(word: &str, xclient: &mut Xclient) -> Result<(), Mistake> {
    let (attribute, raw) = word
        .split_once('=')
        .ok_or_else(|| bad("Error: attribute=value expected"))?;
    if raw.len() > VALUE_OCTETS {
        return Err(bad("Error: attribute value too long"));
    }
    let upper = attribute.to_ascii_uppercase();
    let unread = || bad(format!("Bad {upper} syntax: {raw}"));
    let value = match raw.to_ascii_uppercase().as_str() {
        "[UNAVAILABLE]" => Value::Unavailable,
        "[TEMPUNAVAIL]" => Value::TemporarilyUnavailable,
        _ => Value::Known(xtext::decode(raw).ok_or_else(unread)?),
    };
    let known = match &value {
        Value::Known(text) => Some(text.as_str()),
        _ => None,
    };
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    match upper.as_str() {
        "NAME" | "REVERSE_NAME" if known.is_some_and(|text| name::absolute(text).is_none()) => {
            return Err(unread());
        }
        "NAME" => xclient.name = Some(value),
        "REVERSE_NAME" => xclient.reverse_name = Some(value),
        "ADDR" => {
            xclient.address = known
                .map(|text| address(text).ok_or_else(unread))
                .transpose()?
        }
        "DESTADDR" => drop(
            known
                .map(|text| address(text).ok_or_else(unread))
                .transpose()?,
        ),
        "PORT" | "DESTPORT" if known.is_none_or(is_port) => {}
        "PROTO" => {
            xclient.verb = known
                .map(|text| protocol(text).ok_or_else(unread))
                .transpose()?
        }
        "HELO" => xclient.helo = Some(value),
        "LOGIN" => xclient.login = Some(value),
        "PORT" | "DESTPORT" => return Err(unread()),
        _ => {
            return Err(bad(format!("Bad XCLIENT attribute name: {attribute}")));
        }
    }
    Ok(())
}

fn protocol(text: &str) -> Option<Verb> {
    match text.to_ascii_uppercase().as_str() {
        "SMTP" => Some(Verb::Helo),
        "ESMTP" => Some(Verb::Ehlo),
        _ => None,
    }
}

fn address(value: &str) -> Option<IpAddr> {
    match value.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPV6:") => value[5..].parse().ok().map(IpAddr::V6),
        _ => value.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Xclient {
        match parse(text) {
            Ok(xclient) => xclient,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[track_caller]
    fn wrong(text: &str, expected: &str) {
        assert_eq!(parse(text), Err(bad(expected)), "{text}");
    }

    #[test]
    fn attributes() {
        assert_eq!(read("ADDR=192.0.2.1").address, Some([192, 0, 2, 1].into()));
        assert_eq!(
            read("addr=IPV6:2001:db8::1 PORT=25").address,
            "2001:db8::1".parse().ok()
        );
        assert_eq!(read("ADDR=[UNAVAILABLE]").address, None);
        assert_eq!(read("HELO=a+2Eb").helo, Some(Value::Known("a.b".into())));
        assert_eq!(
            read("NAME=[tempunavail]").name,
            Some(Value::TemporarilyUnavailable)
        );
        assert_eq!(
            read("PROTO=ESMTP LOGIN=user DESTADDR=192.0.2.25 DESTPORT=25").verb,
            Some(Verb::Ehlo)
        );
        wrong("ADDR=x", "Bad ADDR syntax: x");
        wrong("ADDR=2001:db8::1", "Bad ADDR syntax: 2001:db8::1");
        wrong("PORT=99999", "Bad PORT syntax: 99999");
        wrong("PROTO=UUCP", "Bad PROTO syntax: UUCP");
        wrong("NAME=a..b", "Bad NAME syntax: a..b");
        wrong("HELO=a+0D", "Bad HELO syntax: a+0D");
        wrong("FOO=1", "Bad XCLIENT attribute name: FOO");
        wrong("ADDR", "Error: attribute=value expected");
        wrong(
            &format!("HELO={}", "a".repeat(256)),
            "Error: attribute value too long",
        );
        wrong("", "Syntax: XCLIENT attribute=value...");
    }

    #[test]
    fn names_instead_of_lookups() {
        use crate::facts::IprevResult::{Fail, Pass, Permerror, Temperror};
        for (text, expected) in [
            ("NAME=mail.example.test", Some(Pass)),
            ("NAME=[UNAVAILABLE]", Some(Permerror)),
            ("NAME=[TEMPUNAVAIL]", Some(Temperror)),
            (
                "NAME=[UNAVAILABLE] REVERSE_NAME=ptr.example.test",
                Some(Fail),
            ),
            ("REVERSE_NAME=[UNAVAILABLE]", Some(Permerror)),
            ("REVERSE_NAME=ptr.example.test", Some(Fail)),
            ("HELO=x.test", None),
        ] {
            assert_eq!(
                read(text).names().map(|iprev| iprev.result),
                expected,
                "{text}"
            );
        }
    }
}
