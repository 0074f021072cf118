//! SMTP replies (RFC 5321 §4.2) and enhanced status codes (RFC 3463) as plain values.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

/// Maximum length of a reply line in octets, including CRLF (RFC 5321 §4.5.3.1.5).
pub(crate) const REPLY_LINE_OCTETS: usize = 512;

/// A three-digit reply code, 2yz to 5yz (RFC 5321 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(u16);

impl ReplyCode {
    /// Creates a code, if RFC 5321 §4.2 allows it: 2yz to 5yz, with y from 0 to 9.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            200..=599 => Some(Self(code)),
            _ => None,
        }
    }

    /// The code as a number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The class digit: 2 accept, 3 continue, 4 defer, 5 reject.
    pub const fn class(self) -> u8 {
        (self.0 / 100) as u8
    }

    /// The code as on the wire.
    pub(crate) fn digits(self) -> [u8; 3] {
        [self.0 / 100, self.0 / 10 % 10, self.0 % 10].map(|digit| b'0' + digit as u8)
    }

    /// Whether the code is 4yz or 5yz.
    pub(crate) const fn is_refusal(self) -> bool {
        self.class() >= 4
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The subject and the detail of an enhanced status code; its class digit is that of the reply code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// The subject: 1 address, 5 protocol, 7 policy… (RFC 3463 §3).
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

/// A reply: a code and one or more lines of text, each with or without the enhanced code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: ReplyCode,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// Creates a one-line reply; the enhanced code, if any, precedes the text.
    pub(crate) fn new(code: ReplyCode, enhanced: Option<EnhancedCode>, text: &str) -> Self {
        let line = match enhanced {
            Some(e) => format!("{}.{}.{} {text}", code.class(), e.subject, e.detail),
            None => text.to_owned(),
        };
        Self::from_lines(code, vec![line])
    }

    /// Creates a reply of several lines; each line is the text after the code and its separator.
    ///
    /// CR, LF and NUL become spaces and an overlong line is cut, so that no quoted fact (a HELO name, a PTR name) can
    /// forge another line.
    pub(crate) fn from_lines(
        code: ReplyCode,
        lines: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        let lines = lines
            .into_iter()
            .map(|line| clean(line.into()))
            .collect::<Vec<_>>();
        let lines = if lines.is_empty() {
            vec![Cow::default()]
        } else {
            lines
        };
        Self { code, lines }
    }

    /// Parses reply lines as on the wire: `554-text`, `554 text`. Every line must have the same code, and all lines
    /// except the last one a hyphen.
    ///
    /// # Errors
    /// The expected and the found text.
    pub fn parse<S: AsRef<str>>(lines: &[S]) -> Result<Self, (String, String)> {
        let mut code = None;
        let mut texts = Vec::with_capacity(lines.len());
        for (i, line) in lines.iter().map(AsRef::as_ref).enumerate() {
            let (this, separator, text) = split(line)?;
            let last = i + 1 == lines.len();
            if *code.get_or_insert(this) != this {
                return Err(("the same reply code on every line".into(), line.to_owned()));
            }
            if (separator == '-') == last {
                let expected = if last {
                    "a space after the code of the last line"
                } else {
                    "a hyphen after the code of every line except the last one"
                };
                return Err((expected.into(), line.to_owned()));
            }
            texts.push(Cow::Owned(text.to_owned()));
        }
        match code {
            Some(code) => Ok(Self { code, lines: texts }),
            None => Err(("at least one reply line".into(), "none".into())),
        }
    }

    /// The reply code.
    pub fn code(&self) -> ReplyCode {
        self.code
    }

    /// The text of each line, after the code and its separator.
    pub fn texts(&self) -> &[Cow<'static, str>] {
        &self.lines
    }

    /// The first enhanced status code in the lines, for example `5.7.25`.
    pub(crate) fn enhanced(&self) -> Option<EnhancedCode> {
        self.lines
            .iter()
            .find_map(|line| enhanced_prefix(line))
            .map(|(_, code)| code)
    }

    /// The lines as on the wire, without CRLF.
    pub fn wire_lines(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.lines.len()).map(|index| self.wire_line(index))
    }

    /// One of the lines as on the wire, without CRLF.
    ///
    /// # Panics
    /// If the reply has no such line.
    pub fn wire_line(&self, index: usize) -> String {
        format!(
            "{}{}{}",
            self.code,
            char::from(self.separator(index)),
            self.lines[index]
        )
    }

    fn separator(&self, index: usize) -> u8 {
        if index + 1 == self.lines.len() {
            b' '
        } else {
            b'-'
        }
    }

    /// Appends the octets of the reply, including CRLFs.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        for (index, text) in self.lines.iter().enumerate() {
            out.extend_from_slice(&self.code.digits());
            out.push(self.separator(index));
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.wire_lines().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.wire_lines())
    }
}

/// The code of a reply that is stored as lines.
pub(crate) fn code_of(lines: &[String]) -> Option<u16> {
    lines.first()?.get(..3)?.parse().ok()
}

/// The enhanced status code of a reply that is stored as lines; empty if it has none.
pub(crate) fn enhanced_of(lines: &[String]) -> String {
    let text = lines.first().and_then(|line| line.get(4..));
    match enhanced_prefix(text.unwrap_or_default()) {
        Some((class, code)) => format!("{class}.{}.{}", code.subject, code.detail),
        None => String::new(),
    }
}

/// Splits off a leading enhanced status code: its class digit and the code.
pub(crate) fn enhanced_prefix(text: &str) -> Option<(u8, EnhancedCode)> {
    let token = text.split(' ').next()?;
    let mut parts = token.split('.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |s: &str| {
        (1..=3)
            .contains(&s.len())
            .then(|| s.parse::<u16>().ok())
            .flatten()
    };
    if parts.next().is_some() || class.len() != 1 {
        return None;
    }
    let class = class.parse().ok().filter(|c| matches!(c, 2 | 4 | 5))?;
    Some((
        class,
        EnhancedCode {
            subject: number(subject)?,
            detail: number(detail)?,
        },
    ))
}

/// Splits a wire line into code, separator and text. A bare code counts as a code and a space.
fn split(line: &str) -> Result<(ReplyCode, char, &str), (String, String)> {
    let mistake = || {
        (
            "a reply line such as \"550 5.7.1 text\" or \"550-text\"".to_owned(),
            line.to_owned(),
        )
    };
    let code = line
        .get(..3)
        .and_then(|c| c.parse().ok())
        .and_then(ReplyCode::new)
        .ok_or_else(mistake)?;
    match line.as_bytes().get(3) {
        None => Ok((code, ' ', "")),
        Some(b' ') => Ok((code, ' ', &line[4..])),
        Some(b'-') => Ok((code, '-', &line[4..])),
        Some(_) => Err(mistake()),
    }
}

fn clean(mut text: Cow<'static, str>) -> Cow<'static, str> {
    if text.contains(['\r', '\n', '\0']) {
        text = text.replace(['\r', '\n', '\0'], " ").into();
    }
    let most = REPLY_LINE_OCTETS - 6; // code, separator, CRLF
    if text.len() > most {
        let cut = (0..=most)
            .rev()
            .find(|&i| text.is_char_boundary(i))
            .unwrap_or(0);
        text.to_mut().truncate(cut);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Result<u16, &str>) {
        match (Reply::parse(lines), expected) {
            (Ok(reply), Ok(code)) => {
                assert_eq!(reply.code().get(), code);
                assert_eq!(
                    reply.wire_lines().collect::<Vec<_>>(),
                    lines,
                    "printing and parsing are inverse"
                );
            }
            (Err((wanted, _)), Err(text)) => assert!(wanted.contains(text), "{wanted}"),
            (got, _) => panic!("{lines:?}: {got:?}"),
        }
    }

    #[test]
    fn lines_as_on_the_wire() {
        check(&["550 5.7.25 no"], Ok(550));
        check(&["554-one", "554 two"], Ok(554));
        check(&["554- (RTR:BB)", "554  Connecting IP: 192.0.2.1"], Ok(554));
        check(&["554-one", "550 two"], Err("same reply code"));
        check(&["554 one", "554 two"], Err("hyphen"));
        check(&["554-one"], Err("space after the code of the last line"));
        check(&["helo"], Err("a reply line"));
        check(&["999 no"], Err("a reply line"));
        check(&[], Err("at least one"));
    }

    #[test]
    fn enhanced_code_takes_its_class_from_the_reply_code() {
        let code = ReplyCode::new(450).expect("a valid code");
        let reply = Reply::new(
            code,
            Some(EnhancedCode {
                subject: 7,
                detail: 25,
            }),
            "no",
        );
        assert_eq!(reply.to_string(), "450 4.7.25 no");
        assert_eq!(
            reply.enhanced(),
            Some(EnhancedCode {
                subject: 7,
                detail: 25
            })
        );
        assert_eq!(enhanced_prefix("192.0.2.1 is not an enhanced code"), None);
    }

    #[test]
    fn a_quoted_fact_cannot_forge_a_line() {
        let code = ReplyCode::new(550).expect("a valid code");
        let reply = Reply::new(code, None, &format!("a\r\n250 ok{}", "x".repeat(600)));
        let mut octets = Vec::new();
        reply.write_to(&mut octets);
        assert_eq!(octets.iter().filter(|&&b| b == b'\n').count(), 1);
        assert_eq!(octets.len(), REPLY_LINE_OCTETS);
    }
}
