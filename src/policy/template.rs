//! Reply texts with placeholders, validated when they are read.

use crate::facts::Facts;
use crate::name;
use crate::reply::{REPLY_LINE_OCTETS, Reply, enhanced_prefix};

/// Values of placeholders that do not come from the facts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    /// The receiver's host name, `{mx}`.
    pub mx: &'a str,
    /// An opaque token, `{id}`.
    pub id: &'a str,
    /// Values from a complaint: `{zone}`, `{txt}`, `{exp}`.
    pub quotes: &'a [(&'static str, String)],
}

/// The placeholders with their descriptions.
pub(crate) const PLACEHOLDERS: &[(&str, &str)] = &[
    ("ip", "the client address"),
    ("ptr", "the first PTR name, \"unknown\" without one"),
    (
        "verified",
        "the verified name of the client, \"unknown\" without one",
    ),
    ("helo", "the HELO/EHLO argument"),
    (
        "helo_masked",
        "the same, with ? for each space and each of <>()\\\";@ (Postfix)",
    ),
    ("verb", "HELO or EHLO, as sent"),
    ("mx", "the receiver's host name"),
    ("sender", "the reverse-path"),
    ("rcpt", "the forward-path"),
    ("domain", "the domain of the reverse-path"),
    ("zone", "the DNSBL zone that listed the client"),
    ("txt", "the DNSBL's TXT record"),
    ("exp", "the explanation from the SPF record of the domain"),
    ("earlier", "the earlier HELO name of the client"),
    (
        "wait",
        "how long a greylisted client should wait, as hh:mm:ss",
    ),
    (
        "what",
        "the limited quantity, or the name or header field that violates the rule",
    ),
    (
        "permitted",
        "the number of unverifiable HELO names that are permitted",
    ),
    ("field", "the header field that violates the rule"),
    ("from", "the domain of the From header field"),
    ("score", "the sum of a score"),
    (
        "spf",
        "Pass or Fail: whether SPF of the reverse-path passed",
    ),
    ("dkim", "Pass or Fail: whether a DKIM signature passed"),
    ("dmarc", "Pass or Fail: whether DMARC passed"),
    ("id", "an opaque token"),
];

/// A reply with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pattern: Reply,
    plain: bool,
}

impl Template {
    /// Parses reply lines, each as on the wire.
    ///
    /// # Errors
    /// The expected and the found text: an unknown placeholder, an enhanced code of another class than the reply code,
    /// CR or LF, a line beyond 512 octets, or a code that is neither a refusal nor a greeting.
    pub fn parse<S: AsRef<str>>(lines: &[S]) -> Result<Self, (String, String)> {
        Self::parse_with(lines, &[])
    }

    /// The same with additional placeholders, whose values are in [`Values::quotes`].
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub(crate) fn parse_with<S: AsRef<str>>(
        lines: &[S],
        more: &[(&str, &str)],
    ) -> Result<Self, (String, String)> {
        Self::read(lines, more, false)
    }

    /// The same as [`Template::parse`], but an enhanced code of another class than the reply code is permitted: a few receivers send
    /// one, although RFC 3463 §2 forbids it.
    ///
    /// # Errors
    /// As [`Template::parse`], without the classes.
    pub(crate) fn parse_any_class<S: AsRef<str>>(lines: &[S]) -> Result<Self, (String, String)> {
        Self::read(lines, &[], true)
    }

    fn read<S: AsRef<str>>(
        lines: &[S],
        more: &[(&str, &str)],
        any_class: bool,
    ) -> Result<Self, (String, String)> {
        for line in lines.iter().map(AsRef::as_ref) {
            if line.contains(['\r', '\n', '\0']) {
                return Err((
                    "reply text without CR, LF or NUL".into(),
                    format!("{line:?}"),
                ));
            }
            if line.len() + 2 > REPLY_LINE_OCTETS {
                return Err((
                    format!(
                        "a reply line of at most {REPLY_LINE_OCTETS} octets including CRLF (RFC 5321 §4.5.3.1.5)"
                    ),
                    format!("{} octets", line.len() + 2),
                ));
            }
            known_placeholders(line, more)?;
        }
        let pattern = Reply::parse(lines)?;
        for text in pattern.texts() {
            if let Some((class, _)) = enhanced_prefix(text)
                && class != pattern.code().class()
                && !any_class
            {
                let expected = format!(
                    "an enhanced code of class {} after reply code {}",
                    pattern.code().class(),
                    pattern.code()
                );
                return Err((
                    expected,
                    text.split(' ').next().unwrap_or_default().to_owned(),
                ));
            }
        }
        let plain = !pattern.texts().iter().any(|t| t.contains('{'));
        Ok(Self { pattern, plain })
    }

    /// Whether the text has no placeholders.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The reply with its placeholders.
    pub fn pattern(&self) -> &Reply {
        &self.pattern
    }

    /// The reply for these facts.
    pub fn fill(&self, facts: &Facts, values: &Values<'_>) -> Reply {
        if self.plain {
            return self.pattern.clone();
        }
        let lines = self
            .pattern
            .texts()
            .iter()
            .map(|text| fill_line(text, facts, values));
        Reply::from_lines(self.pattern.code(), lines)
    }
}

fn known_placeholders(line: &str, more: &[(&str, &str)]) -> Result<(), (String, String)> {
    let all = || PLACEHOLDERS.iter().chain(more);
    let mut rest = line;
    while let Some((_, from)) = rest.split_once('{') {
        let Some((word, after)) = from.split_once('}') else {
            return Err(("\"}\" after a placeholder".into(), format!("{{{from}")));
        };
        if !all().any(|(known, _)| *known == word) {
            let known: Vec<_> = all().map(|(name, _)| format!("{{{name}}}")).collect();
            return Err((format!("one of {}", known.join(" ")), format!("{{{word}}}")));
        }
        rest = after;
    }
    Ok(())
}

fn fill_line(text: &str, facts: &Facts, values: &Values<'_>) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        out.push_str(before);
        let Some((word, after)) = from.split_once('}') else {
            break;
        };
        push_value(&mut out, word, facts, values);
        rest = after;
    }
    out.push_str(rest);
    out
}

const fn passed(passed: bool) -> &'static str {
    if passed { "Pass" } else { "Fail" }
}

fn push_value(out: &mut String, word: &str, facts: &Facts, values: &Values<'_>) {
    let sender = facts.sender.as_deref().unwrap_or_default();
    match word {
        "ip" => out.push_str(&facts.client_address.to_string()),
        "ptr" => match facts.iprev.as_ref().and_then(|i| i.ptr_names.first()) {
            Some(name) => out.push_str(&name::display(name)),
            None => out.push_str("unknown"),
        },
        "verified" => match facts.iprev.as_ref().and_then(|i| i.verified_name.as_ref()) {
            Some(name) => out.push_str(&name::display(name)),
            None => out.push_str("unknown"),
        },
        "helo" => out.push_str(facts.helo.as_ref().map_or("", |h| &h.argument)),
        "helo_masked" => {
            let masked = |c: char| {
                if c.is_control() || " <>()\\\";@".contains(c) {
                    '?'
                } else {
                    c
                }
            };
            out.extend(
                facts
                    .helo
                    .iter()
                    .flat_map(|h| h.argument.chars())
                    .map(masked),
            );
        }
        "verb" => out.push_str(facts.helo.as_ref().map_or("EHLO", |h| h.verb.word())),
        "mx" => out.push_str(values.mx),
        "sender" => out.push_str(sender),
        "rcpt" => out.push_str(facts.recipient.as_deref().unwrap_or_default()),
        "domain" => out.push_str(sender.rsplit_once('@').map_or("", |(_, domain)| domain)),
        "id" => out.push_str(values.id),
        "from" => match values.quotes.iter().find(|(name, _)| *name == word) {
            Some((_, from)) => out.push_str(from),
            None => out.push_str(&facts.author_domain_text()),
        },
        "spf" => out.push_str(passed(facts.spf_passed())),
        "dkim" => out.push_str(passed(facts.dkim_passed())),
        "dmarc" => out.push_str(passed(facts.dmarc_passed())),
        word => {
            let quote = values.quotes.iter().find(|(name, _)| *name == word);
            out.push_str(quote.map_or("", |(_, value)| value));
        }
    }
}
