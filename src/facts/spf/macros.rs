//! Macro strings and their expansion (RFC 7208 §7).

use std::net::IpAddr;

/// A parsed macro string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MacroString {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Macro {
        letter: char,
        url: bool,
        digits: usize,
        reverse: bool,
        delimiters: String,
    },
}

/// The values of macros.
pub(super) struct Values<'a> {
    pub(super) ip: IpAddr,
    pub(super) helo: &'a str,
    pub(super) local_part: &'a str,
    pub(super) sender_domain: &'a str,
    pub(super) domain: &'a str,
    pub(super) receiver: &'a str,
    /// The validated name of the address, which is looked up only for `%{p}`.
    pub(super) validated: &'a str,
}

impl MacroString {
    /// Parses a macro string; `c`, `r` and `t` are allowed only in explanations (§7.2).
    pub(super) fn parse(text: &str, explanation: bool) -> Option<Self> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            if first != '%' {
                let visible = matches!(first, '\x21'..='\x7e') || (explanation && first == ' ');
                literal.push(Some(first).filter(|_| visible)?);
                continue;
            }
            let next = rest.chars().next()?;
            rest = &rest[next.len_utf8()..];
            match next {
                '%' => literal.push('%'),
                '_' => literal.push(' '),
                '-' => literal.push_str("%20"),
                '{' => {
                    let (inside, after) = rest.split_once('}')?;
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                    parts.push(expand(inside, explanation)?);
                    rest = after;
                }
                _ => return None,
            }
        }
        parts.push(Part::Text(literal));
        Some(Self { parts })
    }

    /// Parses a domain-spec: a macro string that ends in a macro or in a top-level label (§7.1).
    pub(super) fn domain_spec(text: &str) -> Option<Self> {
        let parsed = Self::parse(text, false)?;
        let ends_in_macro =
            text.ends_with('}') || ["%%", "%_", "%-"].iter().any(|m| text.ends_with(m));
        let ends_in_label = || {
            let bare = text.strip_suffix('.').unwrap_or(text);
            bare.rsplit_once('.')
                .is_some_and(|(_, label)| is_top_label(label))
        };
        (ends_in_macro || ends_in_label()).then_some(parsed)
    }

    /// Whether the string has `%{p}`.
    pub(super) fn asks_for_validated_name(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Macro { letter: 'p', .. }))
    }

    /// The text with its macros replaced.
    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Macro {
                    letter,
                    url,
                    digits,
                    reverse,
                    delimiters,
                } => {
                    let value = transformed(&value(*letter, values), *digits, *reverse, delimiters);
                    if *url {
                        out.push_str(&url_escaped(&value))
                    } else {
                        out.push_str(&value)
                    }
                }
            }
        }
        out
    }

    /// The name, without labels on the left if it is too long (§7.3).
    pub(super) fn expand_domain(&self, values: &Values<'_>) -> String {
        let whole = self.expand(values);
        let mut name = whole.strip_suffix('.').unwrap_or(&whole);
        while name.len() > crate::name::NAME_OCTETS
            && let Some((_, rest)) = name.split_once('.')
        {
            name = rest;
        }
        name.to_owned()
    }
}

fn is_top_label(label: &str) -> bool {
    let legal = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let edges = !label.starts_with('-') && !label.ends_with('-');
    !label.is_empty() && legal && edges && !label.chars().all(|c| c.is_ascii_digit())
}

/// `letter digits r delimiters`.
fn expand(inside: &str, explanation: bool) -> Option<Part> {
    let letter = inside.chars().next()?;
    let lower = letter.to_ascii_lowercase();
    let known = "slodipvh".contains(lower) || (explanation && "crt".contains(lower));
    let rest = &inside[Some(letter.len_utf8()).filter(|_| known)?..];
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(count);
    let digits = match digits {
        "" => usize::MAX,
        digits => digits.parse().unwrap_or(usize::MAX),
    };
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let legal = digits > 0 && delimiters.chars().all(|c| ".-+,/_=".contains(c));
    let url = letter.is_ascii_uppercase();
    legal.then(|| Part::Macro {
        letter: lower,
        url,
        digits,
        reverse,
        delimiters: delimiters.to_owned(),
    })
}

fn value(letter: char, values: &Values<'_>) -> String {
    match letter {
        's' => format!("{}@{}", values.local_part, values.sender_domain),
        'l' => values.local_part.to_owned(),
        'o' => values.sender_domain.to_owned(),
        'd' => values.domain.to_owned(),
        'i' => dotted(values.ip),
        'p' => values.validated.to_owned(),
        'v' => if values.ip.is_ipv4() {
            "in-addr"
        } else {
            "ip6"
        }
        .to_owned(),
        'h' => values.helo.to_owned(),
        'c' => values.ip.to_string(),
        'r' => values.receiver.to_owned(),
        _ => jiff::Timestamp::now().as_second().to_string(),
    }
}

/// Octets of IPv4, nibbles of IPv6 (§7.3).
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let nibbles = v6
                .octets()
                .into_iter()
                .flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles
                .map(|nibble| format!("{nibble:X}"))
                .collect::<Vec<_>>()
                .join(".")
        }
    }
}

/// Splits at the delimiters, reverses, keeps this number of last parts, and joins them with dots (§7.1).
fn transformed(value: &str, digits: usize, reverse: bool, delimiters: &str) -> String {
    if digits == usize::MAX && !reverse && delimiters.is_empty() {
        return value.to_owned();
    }
    let delimiters = if delimiters.is_empty() {
        "."
    } else {
        delimiters
    };
    let mut parts: Vec<_> = value.split(|c| delimiters.contains(c)).collect();
    if reverse {
        parts.reverse();
    }
    parts[parts.len().saturating_sub(digits)..].join(".")
}

/// Replaces all but unreserved characters by %XX (RFC 3986 §2.3).
fn url_escaped(value: &str) -> String {
    let escape = |octet: u8| {
        let plain = octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
        if plain {
            char::from(octet).to_string()
        } else {
            format!("%{octet:02X}")
        }
    };
    value.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, ip: &str, expected: &str) {
        let values = Values {
            ip: ip.parse().expect("an address"),
            helo: "mx.example.org",
            local_part: "strong-bad",
            sender_domain: "email.example.com",
            domain: "email.example.com",
            receiver: "mx.martinet.test",
            validated: "mx.example.org",
        };
        // Nibbles are upper-case here and lower-case in the RFC; names are case-insensitive.
        let got = MacroString::parse(text, true)
            .expect("a macro string")
            .expand(&values);
        assert!(
            got.eq_ignore_ascii_case(expected),
            "{text}: {got}, not {expected}"
        );
    }

    #[test]
    fn rfc7208_7_4_expansion_examples() {
        let v4 = "192.0.2.3";
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            (
                "%{ir}.%{v}._spf.%{d2}",
                "3.2.0.192.in-addr._spf.example.com",
            ),
            (
                "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
                "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
            ),
            (
                "%{d2}.trusted-domains.example.net",
                "example.com.trusted-domains.example.net",
            ),
            ("%{S} %%%_%-", "strong-bad%40email.example.com % %20"),
        ] {
            check(text, v4, expected);
        }
        let nibbles =
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com";
        check("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01", nibbles);
    }

    #[test]
    fn rfc7208_7_2_letters_and_characters_of_explanations_only() {
        for (text, elsewhere, in_explanations) in [
            ("%{i}", true, true),
            ("%{c}", false, true),
            ("%{r}", false, true),
            ("%{t}", false, true),
            ("%{x}", false, false),
            ("%{d0}", false, false),
            ("%{d1r.}", true, true),
            ("%{d!}", false, false),
            ("a b", false, true),
            ("a\tb", false, false),
            ("\u{fc}", false, false),
        ] {
            let read = |explanation| MacroString::parse(text, explanation).is_some();
            assert_eq!(
                (read(false), read(true)),
                (elsewhere, in_explanations),
                "{text}"
            );
        }
    }
}
