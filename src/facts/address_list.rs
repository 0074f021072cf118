//! The addresses in From, To and similar header fields (RFC 5322 §3.4).

use std::str::Chars;

/// The addresses of a list of mailboxes and groups, each as it stands in angle brackets or without them, less comments
/// and an obsolete route (§4.4). A mailbox without an address, or with anything after it, is given as it was written, and a
/// list with a group that does not end as a whole: that is no address.
pub(super) fn addresses(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut mailbox = Mailbox::default();
    let (mut rest, mut begin, mut in_group) = (list.chars(), 0, false);
    while let Some(c) = rest.next() {
        let at = list.len() - rest.as_str().len();
        match c {
            '(' => mailbox.is_malformed |= !skip_comment(&mut rest),
            '"' => mailbox.part().push_str(&through(c, '"', &mut rest)),
            '[' => mailbox.part().push_str(&through(c, ']', &mut rest)),
            '<' => mailbox.open(),
            '>' => mailbox.close(),
            ':' if mailbox.is_route() => mailbox.part().clear(),
            ':' if mailbox.bracketed.is_none() => {
                mailbox.bare.clear();
                (begin, in_group) = (at, true);
            }
            ',' | ';' if !mailbox.is_open() => {
                found.extend(std::mem::take(&mut mailbox).address(&list[begin..at - 1]));
                (begin, in_group) = (at, in_group && c == ',');
            }
            _ => mailbox.part().push(c),
        }
    }
    if in_group {
        return vec![list.trim().to_owned()];
    }
    found.extend(mailbox.address(&list[begin..]));
    found
}

/// A mailbox that is being read.
#[derive(Default)]
struct Mailbox {
    /// What stands outside angle brackets: the name, or the address if there are no brackets.
    bare: String,
    /// What stands in angle brackets.
    bracketed: Option<String>,
    /// The length of the name, once the brackets are closed.
    closed_after: Option<usize>,
    /// Whether a bracket is missing or superfluous, or a comment does not end.
    is_malformed: bool,
}

impl Mailbox {
    /// The part to which the next character belongs.
    fn part(&mut self) -> &mut String {
        match &mut self.bracketed {
            Some(bracketed) if self.closed_after.is_none() => bracketed,
            _ => &mut self.bare,
        }
    }

    fn open(&mut self) {
        self.is_malformed |= self.bracketed.is_some();
        self.bracketed.get_or_insert_default();
    }

    fn close(&mut self) {
        self.is_malformed |= !self.is_open();
        self.closed_after = Some(self.bare.len());
    }

    fn is_open(&self) -> bool {
        self.bracketed.is_some() && self.closed_after.is_none()
    }

    /// Whether an obsolete route stands in open brackets: `<@a.test,@b.test:`.
    fn is_route(&self) -> bool {
        let bracketed = self.bracketed.as_deref().unwrap_or_default();
        self.is_open() && bracketed.trim_start().starts_with('@')
    }

    /// The address, or the mailbox as it was `written`; `None` if both are empty.
    fn address(self, written: &str) -> Option<String> {
        let after = self.closed_after.map_or("", |end| &self.bare[end..]);
        let is_sound = !self.is_malformed && !self.is_open() && after.trim().is_empty();
        let bracketed = self.bracketed.as_deref().map(str::trim);
        let text = match bracketed.unwrap_or(self.bare.trim()) {
            "" if self.bare.trim().is_empty() => "",
            "" => written,
            address if is_sound => address,
            _ => written,
        };
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// A quoted string (§3.2.4) or a domain literal (§3.4.1), from its first character through its last one.
fn through(first: char, last: char, rest: &mut Chars<'_>) -> String {
    let mut text = String::from(first);
    while let Some(c) = rest.next() {
        text.push(c);
        match c {
            '\\' => text.extend(rest.next()),
            _ if c == last => break,
            _ => {}
        }
    }
    text
}

/// Skips the rest of a comment, and the comments in it (§3.2.2). Returns whether it ends.
fn skip_comment(rest: &mut Chars<'_>) -> bool {
    let mut depth = 1;
    while depth > 0 {
        match rest.next() {
            Some('(') => depth += 1,
            Some(')') => depth -= 1,
            Some('\\') => drop(rest.next()),
            Some(_) => {}
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (list, expected) in [
            ("joe@x.test", &["joe@x.test"][..]),
            ("Joe <joe@x.test>", &["joe@x.test"]),
            (" < joe@x.test > ", &["joe@x.test"]),
            ("joe@x.test (Joe, not Jim)", &["joe@x.test"]),
            ("(a (b) \\) c)joe@x.test", &["joe@x.test"]),
            ("\"Joe, Jim\" <joe@x.test>", &["joe@x.test"]),
            ("\"Joe \\\"<\\\"\" <joe@x.test>", &["joe@x.test"]),
            ("\"joe pack\"@x.test", &["\"joe pack\"@x.test"]),
            ("joe@[IPv6:2001:db8::1]", &["joe@[IPv6:2001:db8::1]"]),
            ("<joe@[IPv6:2001:db8::1]>", &["joe@[IPv6:2001:db8::1]"]),
            ("a@x.test, B <b@y.test>", &["a@x.test", "b@y.test"]),
            ("a@x.test,, b@y.test,", &["a@x.test", "b@y.test"]),
            (
                "Team: a@x.test, b@x.test;, c@x.test",
                &["a@x.test", "b@x.test", "c@x.test"],
            ),
            ("undisclosed-recipients:;", &[]),
            ("<@a.test,@b.test:joe@x.test>", &["joe@x.test"]),
            ("<>", &[]),
            ("", &[]),
            ("Joe", &["Joe"]),
            ("Joe <>", &["Joe <>"]),
            ("joe@x.test <>", &["joe@x.test <>"]),
            ("joe>@x.test", &["joe>@x.test"]),
            ("<a@x.test> b@y.test", &["<a@x.test> b@y.test"]),
            ("<a@x.test> (Joe), b@y.test", &["a@x.test", "b@y.test"]),
            ("<a@x.test> <b@y.test>", &["<a@x.test> <b@y.test>"]),
            ("mailto:a@x.test", &["mailto:a@x.test"]),
            ("Team: a@x.test, b@x.test", &["Team: a@x.test, b@x.test"]),
            ("<a@x.test, b@y.test>", &["a@x.test, b@y.test"]),
            ("<joe@x.test", &["<joe@x.test"]),
            ("\"Joe <joe@x.test>", &["\"Joe <joe@x.test>"]),
            ("joe@x.test (Joe", &["joe@x.test (Joe"]),
            ("\\", &["\\"]),
        ] {
            assert_eq!(addresses(list), expected, "{list}");
        }
    }

    /// mail-parser, which reads lists leniently, finds the same addresses in valid lists, unless a quoted local part has
    /// no angle brackets around it: it takes that for a name.
    #[cfg(feature = "find")]
    #[test]
    fn mail_parser_agrees() {
        let seed =
            std::env::var("MARTINET_SEED").map_or(2026, |seed| seed.parse().expect("a seed"));
        println!("MARTINET_SEED={seed}");
        let mut state: u64 = seed;
        let mut below = |number: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % number
        };
        for _ in 0..20_000 {
            let (mut list, mut expected, mut taken_for_name) = (Vec::new(), Vec::new(), false);
            for nth in 0..1 + below(4) {
                let local = ["a", "a.b", "\"a b\"", "\"a,<\""][below(4)];
                let domain = ["x.test", "y.x.test", "[192.0.2.1]"][below(3)];
                let address = format!("{local}@{domain}{nth}").replace(&format!("]{nth}"), "]");
                let form = below(6);
                taken_for_name |= local.starts_with('"') && [0, 4].contains(&form);
                let mailbox = match form {
                    0 => address.clone(),
                    1 => format!("<{address}>"),
                    2 => format!("Joe <{address}>"),
                    3 => format!("\"Joe, (Jim)\" <{address}>"),
                    4 => format!("{address} (Joe; Jim)"),
                    _ => format!("=?utf-8?q?J=C3=B6?= <{address}>"),
                };
                let in_group = below(8) == 0;
                list.push(match in_group {
                    true => format!("Team: {mailbox};"),
                    false => mailbox,
                });
                expected.push(address);
            }
            let list = list.join([", ", ","][below(2)]);
            assert_eq!(addresses(&list), expected, "{list}");
            if !taken_for_name {
                assert_eq!(of_mail_parser(&list), expected, "mail-parser: {list}");
            }
        }
    }

    #[cfg(feature = "find")]
    fn of_mail_parser(list: &str) -> Vec<String> {
        let field = format!("From: {list}\r\n\r\n");
        let parsed = mail_parser::MessageParser::new()
            .with_address_headers()
            .parse_headers(&field);
        let parsed = parsed.expect("a header");
        let addresses = parsed.from().expect("an address list").iter();
        addresses
            .map(|address| address.address.as_deref().unwrap_or_default().to_owned())
            .collect()
    }
}
