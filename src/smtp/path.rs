//! The arguments of MAIL and RCPT: a path as it was written, and parameters (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2).

use smtp_proto::Request;

use super::command::{Command, Mistake};
use crate::facts::{Hello, HelloKind, Verb};

/// What MAIL said beside the reverse-path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct MailParameters {
    /// SIZE (RFC 1870), 0 where not said.
    pub(super) size: usize,
    /// SMTPUTF8 (RFC 6531).
    pub(super) smtputf8: bool,
    /// BODY=8BITMIME (RFC 6152).
    pub(super) eight_bit_mime: bool,
}

/// Reads the argument of MAIL.
pub(super) fn mail(argument: &[u8]) -> Result<Command, Mistake> {
    let syntax = Mistake::Syntax("MAIL FROM:<address>");
    let (path, rest) = split(argument, b"FROM:").ok_or(syntax)?;
    let parameters = mail_parameters(rest)?;
    let reverse_path = mailbox(path).filter(|p| parameters.smtputf8 || p.is_ascii()).ok_or(Mistake::Sender)?;
    Ok(Command::Mail { reverse_path, parameters })
}

/// Reads the argument of RCPT. A path beyond ASCII is for the session to judge: it knows what MAIL said.
pub(super) fn rcpt(argument: &[u8]) -> Result<Command, Mistake> {
    let syntax = Mistake::Syntax("RCPT TO:<address>");
    let (path, rest) = split(argument, b"TO:").ok_or(syntax)?;
    // No parameter of RCPT belongs to an extension that is offered (RFC 5321 §4.1.1.11).
    if let Some((keyword, _)) = parameters(rest)?.first() {
        return Err(Mistake::Parameter((*keyword).to_owned()));
    }
    let forward_path = mailbox(path).filter(|p| !p.is_empty()).ok_or(Mistake::Recipient)?;
    Ok(Command::Rcpt { forward_path })
}

/// Splits `FROM:<path> parameters` into path and parameters; the path may hold a quoted `>`.
fn split<'a>(argument: &'a [u8], keyword: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let named = argument.get(..keyword.len()).is_some_and(|k| k.eq_ignore_ascii_case(keyword));
    let path = argument.get(keyword.len()..).filter(|_| named)?.trim_ascii_start().strip_prefix(b"<")?;
    let (mut quoted, mut escaped) = (false, false);
    let end = path.iter().position(|octet| {
        let ends = *octet == b'>' && !quoted;
        quoted ^= *octet == b'"' && !escaped;
        escaped = quoted && *octet == b'\\' && !escaped;
        ends
    })?;
    let rest = &path[end + 1..];
    (rest.is_empty() || rest.starts_with(b" ") || rest.starts_with(b"\t")).then_some((&path[..end], rest))
}

/// A path as it was written, its source route left out (RFC 5321 §4.1.1.3 and appendix C): empty for the null path.
/// smtp-proto judges the syntax of a mailbox; a name without any domain stands as it is, as most receivers let it.
fn mailbox(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?.trim();
    let path = match path.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => path,
    };
    let atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if path.chars().all(atext) {
        return Some(path.to_owned());
    }
    // smtp-proto knows no address literals: a name stands in for one while it reads the local part.
    let literal =
        path.rsplit_once('@').filter(|(_, domain)| Hello::parse(Verb::Ehlo, domain).kind == HelloKind::Literal);
    let line = match literal {
        Some((local, _)) => format!("RCPT TO:<{local}@literal.invalid>\r\n"),
        None => format!("RCPT TO:<{path}>\r\n"),
    };
    match Request::parse(&mut line.as_bytes().iter()) {
        Ok(Request::Rcpt { to }) if !to.address.is_empty() => Some(path.to_owned()),
        _ => None,
    }
}

/// Splits ` KEYWORD=value KEYWORD`; a keyword said twice, or one that is no keyword, is a mistake.
fn parameters(rest: &[u8]) -> Result<Vec<(&str, Option<&str>)>, Mistake> {
    let syntax = || Mistake::Syntax("keyword=value");
    let text = std::str::from_utf8(rest).map_err(|_| syntax())?;
    let mut found: Vec<(&str, Option<&str>)> = Vec::new();
    for word in text.split_ascii_whitespace() {
        let (keyword, value) = word.split_once('=').map_or((word, None), |(keyword, value)| (keyword, Some(value)));
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if keyword.is_empty()
            || !keyword.chars().all(sound)
            || found.iter().any(|(k, _)| k.eq_ignore_ascii_case(keyword))
        {
            return Err(syntax());
        }
        found.push((keyword, value));
    }
    Ok(found)
}

/// SIZE, BODY and SMTPUTF8; a parameter of an extension that is not offered is 555 (RFC 5321 §4.1.1.11).
fn mail_parameters(rest: &[u8]) -> Result<MailParameters, Mistake> {
    let mut read = MailParameters::default();
    for (keyword, value) in parameters(rest)? {
        let unsupported = || Mistake::Parameter(keyword.to_owned());
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(size)) => {
                let digits = size.len() <= 20 && size.bytes().all(|b| b.is_ascii_digit()) && !size.is_empty();
                read.size = Some(size)
                    .filter(|_| digits)
                    .map(|s| s.parse().unwrap_or(usize::MAX))
                    .ok_or(Mistake::Syntax("SIZE=octets"))?;
            }
            ("BODY", Some(body)) if body.eq_ignore_ascii_case("8BITMIME") => read.eight_bit_mime = true,
            ("BODY", Some(body)) if body.eq_ignore_ascii_case("7BIT") => {}
            ("SMTPUTF8", None) => read.smtputf8 = true,
            _ => return Err(unsupported()),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sender(argument: &str, expected: Result<(&str, MailParameters), Mistake>) {
        let expected = expected.map(|(path, parameters)| Command::Mail { reverse_path: path.to_owned(), parameters });
        assert_eq!(mail(argument.as_bytes()), expected, "{argument}");
    }

    #[track_caller]
    fn recipient(argument: &str, expected: Result<&str, Mistake>) {
        let expected = expected.map(|path| Command::Rcpt { forward_path: path.to_owned() });
        assert_eq!(rcpt(argument.as_bytes()), expected, "{argument}");
    }

    #[test]
    fn rfc5321_4_1_2_paths() {
        let none = MailParameters::default();
        sender("FROM:<a@example.test>", Ok(("a@example.test", none)));
        sender("from: <a@example.test>", Ok(("a@example.test", none)));
        sender("FROM:<>", Ok(("", none)));
        sender("FROM:<postmaster>", Ok(("postmaster", none)));
        sender("FROM:<\"a b>\"@example.test>", Ok(("\"a b>\"@example.test", none)));
        sender("FROM:<\"a\\\"b\"@example.test>", Ok(("\"a\\\"b\"@example.test", none)));
        sender("FROM:<@relay.test,@b.test:a@example.test>", Ok(("a@example.test", none)));
        sender("FROM:<a@[192.0.2.1]>", Ok(("a@[192.0.2.1]", none)));
        sender("FROM:a@example.test", Err(Mistake::Syntax("MAIL FROM:<address>")));
        sender("TO:<a@example.test>", Err(Mistake::Syntax("MAIL FROM:<address>")));
        sender("FROM:<a@example.test", Err(Mistake::Syntax("MAIL FROM:<address>")));
        sender("FROM:<a@example.test>SIZE=1", Err(Mistake::Syntax("MAIL FROM:<address>")));
        sender("FROM:<a b@example.test>", Err(Mistake::Sender));
        sender("FROM:<ü@example.test>", Err(Mistake::Sender));
        recipient("TO:<Postmaster>", Ok("Postmaster"));
        recipient("TO:<\"a b\"@contoso.test>", Ok("\"a b\"@contoso.test"));
        recipient("TO:<ü@contoso.test>", Ok("ü@contoso.test"));
        recipient("TO:<>", Err(Mistake::Recipient));
        recipient("TO:<@a.test:>", Err(Mistake::Recipient));
    }

    #[test]
    fn rfc5321_4_1_1_11_parameters() {
        let with = |size, smtputf8, eight_bit_mime| MailParameters { size, smtputf8, eight_bit_mime };
        sender("FROM:<a@example.test> SIZE=1000 BODY=8BITMIME", Ok(("a@example.test", with(1000, false, true))));
        sender("FROM:<a@example.test> body=7bit", Ok(("a@example.test", with(0, false, false))));
        sender("FROM:<ü@example.test> SMTPUTF8", Ok(("ü@example.test", with(0, true, false))));
        sender(
            "FROM:<a@example.test> SIZE=99999999999999999999",
            Ok(("a@example.test", with(usize::MAX, false, false))),
        );
        sender("FROM:<a@example.test> SIZE=+1", Err(Mistake::Syntax("SIZE=octets")));
        sender("FROM:<a@example.test> SIZE=1 SIZE=2", Err(Mistake::Syntax("keyword=value")));
        for keyword in ["BODY=BINARYMIME", "REQUIRETLS", "RET=HDRS", "ENVID=1", "AUTH=<>", "FOO"] {
            let named = keyword.split('=').next().unwrap_or_default();
            sender(&format!("FROM:<a@example.test> {keyword}"), Err(Mistake::Parameter(named.to_owned())));
        }
        recipient("TO:<postmaster> NOTIFY=NEVER", Err(Mistake::Parameter("NOTIFY".to_owned())));
    }
}
