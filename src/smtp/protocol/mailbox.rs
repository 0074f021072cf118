//! The path of MAIL and RCPT: source route, local part and domain (RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3).
//!
//! This parser is not a library's: the syntax of paths is a subject of this program, and each receiver tolerates other
//! deviations (see [`Syntax`]). A test and the fuzz target `command` compare it with smtp-proto.

use crate::facts::address_literal;
use crate::smtp::protocol::syntax::{DomainTolerance, LocalPart, Syntax};

/// The maximum length of a domain: RFC 1035 §2.3.4 allows 255 octets on the wire, which are 253 in text.
const DOMAIN_OCTETS: usize = 253;
/// The maximum length of a label in octets (RFC 1035 §2.3.4).
const LABEL_OCTETS: usize = 63;

/// The flaw of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathFlaw {
    /// The path or its local part is malformed.
    Malformed,
    /// The domain is missing or malformed.
    Domain,
    /// The domain is an address literal, and the receiver does not accept those.
    Literal,
    /// The domain is missing, and the receiver requires one.
    Unqualified,
}

/// The mailbox of a path without its source route (RFC 5321 §4.1.1.3 and appendix C); empty for the null path.
pub(crate) fn read<'a>(path: &'a str, syntax: &Syntax) -> Result<&'a str, PathFlaw> {
    if path.is_empty() {
        return Ok(path);
    }
    let mailbox = without_route(path, syntax)?;
    let end = local_part(mailbox, syntax).ok_or(PathFlaw::Malformed)?;
    let rest = &mailbox[end..];
    match rest.strip_prefix('@') {
        Some(domain) => domain_or_literal(domain, syntax)?,
        None if rest.is_empty() && syntax.unqualified => {}
        None if rest.is_empty() => return Err(PathFlaw::Unqualified),
        None => return Err(PathFlaw::Malformed),
    }
    Ok(mailbox)
}

/// Whether a text is a mailbox without its angle brackets, or the null path, by RFC 5321 and RFC 6531.
pub(crate) fn is_mailbox(text: &str) -> bool {
    let strict = Syntax {
        unqualified: false,
        ..Syntax::default()
    };
    !text.starts_with('@') && read(text, &strict).is_ok()
}

/// `A-d-l = At-domain *( "," At-domain )`, and a colon.
fn without_route<'a>(path: &'a str, syntax: &Syntax) -> Result<&'a str, PathFlaw> {
    if !path.starts_with('@') {
        return Ok(path);
    }
    let (route, mailbox) = path.split_once(':').ok_or(PathFlaw::Domain)?;
    for hop in route.split(',') {
        let domain = hop.strip_prefix('@').ok_or(PathFlaw::Malformed)?;
        domain_name(domain, syntax)?;
    }
    Ok(mailbox)
}

/// The end of the local part: `Dot-string / Quoted-string`.
fn local_part(mailbox: &str, syntax: &Syntax) -> Option<usize> {
    if mailbox.starts_with('"') {
        return quoted_string(mailbox);
    }
    let end = match syntax.local_part {
        LocalPart::Rfc5321 => mailbox.find(|c| !is_atext(c) && c != '.'),
        LocalPart::Lax => lax_end(mailbox),
    }
    .unwrap_or(mailbox.len());
    let local = &mailbox[..end];
    let sound = match syntax.local_part {
        LocalPart::Rfc5321 => local.split('.').all(|atom| !atom.is_empty()),
        LocalPart::Lax => !local.is_empty(),
    };
    sound.then_some(end)
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`.
fn quoted_string(mailbox: &str) -> Option<usize> {
    let mut octets = mailbox.char_indices().skip(1);
    while let Some((at, c)) = octets.next() {
        match c {
            '"' => return Some(at + 1),
            // quoted-pairSMTP: a backslash and a printable ASCII character or a space.
            '\\' => {
                octets.next().filter(|(_, c)| (' '..='~').contains(c))?;
            }
            ' '..='~' => {}
            c if !c.is_ascii() && !c.is_control() => {}
            _ => return None,
        }
    }
    None
}

/// The end of a local part of any printable characters; a backslash quotes the next character.
fn lax_end(mailbox: &str) -> Option<usize> {
    let mut escaped = false;
    mailbox.find(|c: char| {
        let ends = !escaped && (c.is_control() || " <>,;:\"[]@".contains(c));
        escaped = c == '\\' && !escaped;
        ends
    })
}

/// RFC 5322 §3.2.3, extended by RFC 6531 §3.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8(c)
}

fn is_utf8(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

fn domain_or_literal(domain: &str, syntax: &Syntax) -> Result<(), PathFlaw> {
    if domain.is_empty() && syntax.domains.contains(&DomainTolerance::Empty) {
        return Ok(());
    }
    if !domain.starts_with('[') {
        return domain_name(domain, syntax);
    }
    if !syntax.address_literals {
        return Err(PathFlaw::Literal);
    }
    address_literal(domain).map(drop).ok_or(PathFlaw::Domain)
}

/// `Domain = sub-domain *("." sub-domain)`, with labels that are valid in DNS.
fn domain_name(domain: &str, syntax: &Syntax) -> Result<(), PathFlaw> {
    let tolerates = |tolerance| syntax.domains.contains(&tolerance);
    let domain = match domain.strip_suffix('.') {
        Some(domain) if tolerates(DomainTolerance::TrailingDot) => domain,
        _ => domain,
    };
    let octets = wire_text(domain).ok_or(PathFlaw::Domain)?;
    let sound = octets.len() <= DOMAIN_OCTETS
        && octets.split('.').all(|label| {
            let fits = label.len() <= LABEL_OCTETS || tolerates(DomainTolerance::LongLabel);
            let ends = !label.ends_with('-') || tolerates(DomainTolerance::TrailingHyphen);
            !label.is_empty() && fits && ends && !label.starts_with('-')
        })
        && octets.chars().all(|c| {
            let underscore = c == '_' && tolerates(DomainTolerance::Underscore);
            c.is_ascii_alphanumeric() || c == '-' || c == '.' || underscore
        });
    if sound { Ok(()) } else { Err(PathFlaw::Domain) }
}

/// The domain in DNS form: non-ASCII labels as A-labels (RFC 5890).
fn wire_text(domain: &str) -> Option<std::borrow::Cow<'_, str>> {
    if domain.is_ascii() {
        return Some(domain.into());
    }
    idna::domain_to_ascii(domain).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(syntax: &Syntax, path: &str, expected: Result<&str, PathFlaw>) {
        assert_eq!(read(path, syntax), expected, "{path}");
    }

    #[track_caller]
    fn taken(syntax: &Syntax, paths: &[&str]) {
        for path in paths {
            check(syntax, path, Ok(path));
        }
    }

    #[track_caller]
    fn refused(syntax: &Syntax, flaw: PathFlaw, paths: &[&str]) {
        for path in paths {
            check(syntax, path, Err(flaw));
        }
    }

    #[test]
    fn rfc5321_4_1_2_mailboxes() {
        let syntax = Syntax::default();
        let longest = format!("a@{}.test", "l".repeat(63));
        let whole = format!("a@{}.test", vec!["l".repeat(61); 4].join("."));
        taken(
            &syntax,
            &[
                "",
                "a@example.test",
                "postmaster",
                "a.b+c/d=e@x1.example.test",
                "!#$%&'*+-/=?^_`{|}~@example.test",
                "\"a b>\"@example.test",
                "\"a\\\"b\\ @\"@example.test",
                "\"\"@example.test",
                "ü@bücher.test",
                "a@1.2.3.4",
                "a@a--b.test",
                &longest,
                &whole,
            ],
        );
        check(&syntax, "@r.test,@s.test:a@x.test", Ok("a@x.test"));
        refused(
            &syntax,
            PathFlaw::Malformed,
            &[
                ".a@x.test",
                "a.@x.test",
                "a..b@x.test",
                "a b@x.test",
                " a@x.test",
                "\"a\"b@good.test",
                "\"a@x.test",
                "\"a\u{1}\"@x.test",
                "a\\@b@x.test",
                "a(b)@x.test",
                "a,b@x.test",
                "@r.test:",
                "@r.test,s.test:a@x.test",
            ],
        );
    }

    #[test]
    fn rfc5321_4_1_2_domains() {
        let syntax = Syntax::default();
        let label = format!("a@{}.test", "l".repeat(64));
        let whole = format!("a@{}.x.test", vec!["l".repeat(61); 4].join("."));
        let u_label = format!("a@{}.test", "ü".repeat(63));
        refused(
            &syntax,
            PathFlaw::Domain,
            &[
                "a@",
                "@",
                "a@-x.test",
                "a@x-.test",
                "a@x..test",
                "a@.test",
                "a@x.test.",
                "a@x_y.test",
                "a@b@c.test",
                "a@x.test@",
                "a@x test",
                "a@x\u{2028}.test",
                &label,
                &whole,
                &u_label,
            ],
        );
        let all = Syntax {
            domains: DomainTolerance::ALL
                .map(|(_, tolerance)| tolerance)
                .to_vec(),
            ..Syntax::default()
        };
        taken(
            &all,
            &["a@x-.test", "a@x.test.", "a@x_y.test", "a@", &label],
        );
        refused(&all, PathFlaw::Domain, &["a@.", "a@x..", "a@-x.test"]);
    }

    #[test]
    fn rfc5321_4_1_3_literals() {
        let syntax = Syntax::default();
        taken(
            &syntax,
            &[
                "a@[192.0.2.1]",
                "a@[192.0.2.010]",
                "a@[IPv6:2001:db8::1]",
                "a@[ipv6:::ffff:192.0.2.1]",
            ],
        );
        refused(
            &syntax,
            PathFlaw::Domain,
            &[
                "a@[192.0.2.999]",
                "a@[192.0.2]",
                "a@[192.0.2.0001]",
                "a@[2001:db8::1]",
                "a@[x:y]",
                "a@[192.0.2.1",
                "a@[192.0.2.1]x",
            ],
        );
        let none = Syntax {
            address_literals: false,
            ..Syntax::default()
        };
        refused(&none, PathFlaw::Literal, &["a@[192.0.2.1]", "a@[x]"]);
    }

    #[test]
    fn tolerances() {
        let lax = Syntax {
            local_part: LocalPart::Lax,
            ..Syntax::default()
        };
        taken(
            &lax,
            &["a..b@x.test", ".a@x.test", "a(b)@x.test", "a\\@b@x.test"],
        );
        refused(
            &lax,
            PathFlaw::Malformed,
            &["a b@x.test", "a,b@x.test", "\"a\"b@x.test"],
        );
        let qualified = Syntax {
            unqualified: false,
            ..Syntax::default()
        };
        refused(&qualified, PathFlaw::Unqualified, &["a", "postmaster"]);
    }
}
