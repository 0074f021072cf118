//! The arguments of MAIL and RCPT: a path as it was written, and parameters (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2).

use smtp_proto::Request;

use super::Extension;
use super::command::{Command, Mistake, xtext};
use crate::facts::{Helo, HeloKind, Verb};

/// What MAIL or RCPT said beside the path.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Parameters {
    /// SIZE (RFC 1870), 0 where not said.
    pub(super) size: usize,
    /// SMTPUTF8 (RFC 6531).
    pub(super) smtputf8: bool,
    /// BODY=BINARYMIME (RFC 3030 §3).
    pub(super) binary: bool,
    /// AUTH= (RFC 4954 §5).
    pub(super) auth: bool,
    /// As they were said, in order.
    pub(super) said: Vec<String>,
    /// The extensions they belong to, each with its keyword.
    pub(super) needs: Vec<(Extension, String)>,
}

/// Reads the argument of MAIL.
pub(super) fn mail(argument: &[u8]) -> Result<Command, Mistake> {
    let syntax = Mistake::Syntax("MAIL FROM:<address>");
    let (path, rest) = split(argument, b"FROM:").ok_or(syntax)?;
    let parameters = parameters(rest, mail_parameter)?;
    let reverse_path = mailbox(path)
        .filter(|p| parameters.smtputf8 || p.is_ascii())
        .ok_or(Mistake::Sender)?;
    Ok(Command::Mail {
        reverse_path,
        parameters,
    })
}

/// Reads the argument of RCPT. A path beyond ASCII is for the session to judge: it knows what MAIL said.
pub(super) fn rcpt(argument: &[u8]) -> Result<Command, Mistake> {
    let syntax = Mistake::Syntax("RCPT TO:<address>");
    let (path, rest) = split(argument, b"TO:").ok_or(syntax)?;
    let parameters = parameters(rest, rcpt_parameter)?;
    let forward_path = mailbox(path)
        .filter(|p| !p.is_empty())
        .ok_or(Mistake::Recipient)?;
    Ok(Command::Rcpt {
        forward_path,
        parameters,
    })
}

/// Splits `FROM:<path> parameters` into path and parameters; the path may hold a quoted `>`.
fn split<'a>(argument: &'a [u8], keyword: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let named = argument
        .get(..keyword.len())
        .is_some_and(|k| k.eq_ignore_ascii_case(keyword));
    let path = argument
        .get(keyword.len()..)
        .filter(|_| named)?
        .trim_ascii_start()
        .strip_prefix(b"<")?;
    let (mut quoted, mut escaped) = (false, false);
    let end = path.iter().position(|octet| {
        let ends = *octet == b'>' && !quoted;
        quoted ^= *octet == b'"' && !escaped;
        escaped = quoted && *octet == b'\\' && !escaped;
        ends
    })?;
    let rest = &path[end + 1..];
    (rest.is_empty() || rest.starts_with(b" ") || rest.starts_with(b"\t"))
        .then_some((&path[..end], rest))
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
    let literal = path.rsplit_once('@').filter(|(_, domain)| {
        domain.starts_with('[') && Helo::parse(Verb::Ehlo, domain).kind == HeloKind::Literal
    });
    let line = match literal {
        Some((local, _)) => format!("RCPT TO:<{local}@literal.invalid>\r\n"),
        None => format!("RCPT TO:<{path}>\r\n"),
    };
    match Request::parse(&mut line.as_bytes().iter()) {
        Ok(Request::Rcpt { to }) if !to.address.is_empty() => Some(path.to_owned()),
        _ => None,
    }
}

/// Reads ` KEYWORD=value KEYWORD`; a keyword said twice, or one that is no keyword, is a mistake.
fn parameters(
    rest: &[u8],
    read: impl Fn(&str, Option<&str>, &mut Parameters) -> Result<Option<Extension>, Mistake>,
) -> Result<Parameters, Mistake> {
    let syntax = || Mistake::Syntax("keyword=value");
    let text = std::str::from_utf8(rest).map_err(|_| syntax())?;
    let mut parameters = Parameters::default();
    let mut seen: Vec<String> = Vec::new();
    for word in text.split_ascii_whitespace() {
        let (keyword, value) = word
            .split_once('=')
            .map_or((word, None), |(keyword, value)| (keyword, Some(value)));
        let upper = keyword.to_ascii_uppercase();
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if keyword.is_empty() || !keyword.chars().all(sound) || seen.contains(&upper) {
            return Err(syntax());
        }
        if let Some(extension) = read(&upper, value, &mut parameters)? {
            parameters.needs.push((extension, keyword.to_owned()));
        }
        seen.push(upper);
        parameters.said.push(word.to_owned());
    }
    Ok(parameters)
}

/// One parameter of MAIL: the extension it belongs to; 555 where nobody knows one (RFC 5321 §4.1.1.11).
fn mail_parameter(
    keyword: &str,
    value: Option<&str>,
    parameters: &mut Parameters,
) -> Result<Option<Extension>, Mistake> {
    let one_of =
        |words: &[&str], value: &str| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    Ok(Some(match (keyword, value) {
        ("SIZE", Some(size)) => {
            parameters.size = octets(size).ok_or(Mistake::Syntax("SIZE=octets"))?;
            Extension::Size
        }
        ("BODY", Some(body)) if one_of(&["7BIT", "8BITMIME"], body) => Extension::EightBitMime,
        ("BODY", Some(body)) if one_of(&["BINARYMIME"], body) => {
            parameters.binary = true;
            Extension::BinaryMime
        }
        ("SMTPUTF8", None) => {
            parameters.smtputf8 = true;
            Extension::SmtpUtf8
        }
        ("RET", Some(value)) if one_of(&["FULL", "HDRS"], value) => Extension::Dsn,
        ("ENVID", Some(id)) if xtext(id).is_some() && (1..=100).contains(&id.len()) => {
            Extension::Dsn
        }
        ("RET" | "ENVID", _) => return Err(Mistake::Syntax("RET=FULL or RET=HDRS, ENVID=xtext")),
        ("AUTH", Some(identity)) if identity == "<>" || xtext(identity).is_some() => {
            parameters.auth = true;
            return Ok(None);
        }
        ("MT-PRIORITY", Some(level))
            if level.parse::<i8>().is_ok_and(|n| (-9..=9).contains(&n)) =>
        {
            Extension::MtPriority
        }
        ("BY", Some(by)) if is_deliver_by(by) => Extension::DeliverBy,
        ("MT-PRIORITY" | "BY", _) => {
            return Err(Mistake::Syntax("MT-PRIORITY=-9 to 9, BY=seconds;R"));
        }
        ("REQUIRETLS", None) => Extension::RequireTls,
        _ => return Err(Mistake::Parameter(keyword.to_owned())),
    }))
}

/// One parameter of RCPT.
fn rcpt_parameter(
    keyword: &str,
    value: Option<&str>,
    _: &mut Parameters,
) -> Result<Option<Extension>, Mistake> {
    match (keyword, value) {
        ("NOTIFY", Some(value)) if is_notify(value) => Ok(Some(Extension::Dsn)),
        ("ORCPT", Some(value)) if is_original_recipient(value) => Ok(Some(Extension::Dsn)),
        ("NOTIFY" | "ORCPT", _) => Err(Mistake::Syntax(
            "NOTIFY=NEVER or SUCCESS,FAILURE,DELAY, ORCPT=rfc822;address",
        )),
        _ => Err(Mistake::Parameter(keyword.to_owned())),
    }
}

/// A number of octets; one beyond what a number here holds is as large as can be.
pub(super) fn octets(text: &str) -> Option<usize> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(usize::MAX))
}

/// RFC 2852 §4: seconds, a mode, perhaps a trace request.
fn is_deliver_by(text: &str) -> bool {
    let Some((seconds, mode)) = text.split_once(';') else {
        return false;
    };
    let digits = seconds.strip_prefix('-').unwrap_or(seconds);
    let number = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    number
        && ["N", "R", "NT", "RT"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(mode))
}

/// RFC 3461 §4.1.
fn is_notify(text: &str) -> bool {
    let known = |word: &str| {
        ["SUCCESS", "FAILURE", "DELAY"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    text.eq_ignore_ascii_case("NEVER") || text.split(',').all(known)
}

/// RFC 3461 §4.2.
fn is_original_recipient(text: &str) -> bool {
    let Some((kind, address)) = text.split_once(';') else {
        return false;
    };
    let atom = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !kind.is_empty()
        && kind.chars().all(atom)
        && xtext(address).is_some_and(|a| !a.is_empty())
        && text.len() <= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sender(argument: &str, expected: Result<&str, Mistake>) {
        let got = mail(argument.as_bytes()).map(|command| match command {
            Command::Mail { reverse_path, .. } => reverse_path,
            other => panic!("{other:?}"),
        });
        assert_eq!(got, expected.map(str::to_owned), "{argument}");
    }

    #[track_caller]
    fn recipient(argument: &str, expected: Result<&str, Mistake>) {
        let got = rcpt(argument.as_bytes()).map(|command| match command {
            Command::Rcpt { forward_path, .. } => forward_path,
            other => panic!("{other:?}"),
        });
        assert_eq!(got, expected.map(str::to_owned), "{argument}");
    }

    #[test]
    fn rfc5321_4_1_2_paths() {
        sender("FROM:<a@example.test>", Ok("a@example.test"));
        sender("from: <a@example.test>", Ok("a@example.test"));
        sender("FROM:<>", Ok(""));
        sender("FROM:<postmaster>", Ok("postmaster"));
        sender("FROM:<\"a b>\"@example.test>", Ok("\"a b>\"@example.test"));
        sender(
            "FROM:<\"a\\\"b\"@example.test>",
            Ok("\"a\\\"b\"@example.test"),
        );
        sender(
            "FROM:<@relay.test,@b.test:a@example.test>",
            Ok("a@example.test"),
        );
        sender("FROM:<a@[192.0.2.1]>", Ok("a@[192.0.2.1]"));
        sender(
            "FROM:a@example.test",
            Err(Mistake::Syntax("MAIL FROM:<address>")),
        );
        sender(
            "TO:<a@example.test>",
            Err(Mistake::Syntax("MAIL FROM:<address>")),
        );
        sender(
            "FROM:<a@example.test",
            Err(Mistake::Syntax("MAIL FROM:<address>")),
        );
        sender(
            "FROM:<a@example.test>SIZE=1",
            Err(Mistake::Syntax("MAIL FROM:<address>")),
        );
        sender("FROM:<a b@example.test>", Err(Mistake::Sender));
        sender("FROM:<ü@example.test>", Err(Mistake::Sender));
        recipient("TO:<Postmaster>", Ok("Postmaster"));
        recipient("TO:<\"a b\"@contoso.test>", Ok("\"a b\"@contoso.test"));
        recipient("TO:<ü@contoso.test>", Ok("ü@contoso.test"));
        recipient("TO:<>", Err(Mistake::Recipient));
        recipient("TO:<@a.test:>", Err(Mistake::Recipient));
    }

    #[track_caller]
    fn read(words: &str, size: usize, flags: (bool, bool, bool), needs: &[Extension]) {
        let Ok(Command::Mail { parameters, .. }) =
            mail(format!("FROM:<a@example.test> {words}").as_bytes())
        else {
            panic!("{words}")
        };
        assert_eq!(
            (
                parameters.size,
                parameters.smtputf8,
                parameters.binary,
                parameters.auth
            ),
            (size, flags.0, flags.1, flags.2)
        );
        assert_eq!(
            parameters
                .needs
                .iter()
                .map(|(extension, _)| *extension)
                .collect::<Vec<_>>(),
            needs
        );
        assert_eq!(parameters.said.join(" "), words);
    }

    #[test]
    fn rfc5321_4_1_1_11_parameters() {
        use Extension::{
            BinaryMime, DeliverBy, Dsn, EightBitMime, MtPriority, RequireTls, Size, SmtpUtf8,
        };
        let none = (false, false, false);
        read("SIZE=1000 BODY=8BITMIME", 1000, none, &[Size, EightBitMime]);
        read("body=7bit", 0, none, &[EightBitMime]);
        read(
            "SMTPUTF8 BODY=BINARYMIME",
            0,
            (true, true, false),
            &[SmtpUtf8, BinaryMime],
        );
        read("SIZE=99999999999999999999", usize::MAX, none, &[Size]);
        read("RET=HDRS ENVID=QQ+314159", 0, none, &[Dsn, Dsn]);
        read("AUTH=<>", 0, (false, false, true), &[]);
        read(
            "MT-PRIORITY=-3 BY=120;R REQUIRETLS",
            0,
            none,
            &[MtPriority, DeliverBy, RequireTls],
        );
        let wrong = |words: &str, expected| {
            sender(&format!("FROM:<a@example.test> {words}"), Err(expected))
        };
        wrong("SIZE=+1", Mistake::Syntax("SIZE=octets"));
        wrong("SIZE=1 SIZE=2", Mistake::Syntax("keyword=value"));
        wrong(
            "RET=ALL",
            Mistake::Syntax("RET=FULL or RET=HDRS, ENVID=xtext"),
        );
        wrong(
            "MT-PRIORITY=10",
            Mistake::Syntax("MT-PRIORITY=-9 to 9, BY=seconds;R"),
        );
        wrong(
            "BY=soon;R",
            Mistake::Syntax("MT-PRIORITY=-9 to 9, BY=seconds;R"),
        );
        wrong("FOO", Mistake::Parameter("FOO".into()));
        wrong("BODY=9BIT", Mistake::Parameter("BODY".into()));
        wrong("NOTIFY=NEVER", Mistake::Parameter("NOTIFY".into()));
    }

    #[test]
    fn rfc3461_parameters_of_rcpt() {
        recipient("TO:<postmaster> NOTIFY=NEVER", Ok("postmaster"));
        recipient(
            "TO:<b@contoso.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@contoso.test",
            Ok("b@contoso.test"),
        );
        let syntax = Mistake::Syntax("NOTIFY=NEVER or SUCCESS,FAILURE,DELAY, ORCPT=rfc822;address");
        recipient(
            "TO:<b@contoso.test> NOTIFY=NEVER,DELAY",
            Err(syntax.clone()),
        );
        recipient("TO:<b@contoso.test> ORCPT=b@contoso.test", Err(syntax));
        recipient(
            "TO:<b@contoso.test> RET=FULL",
            Err(Mistake::Parameter("RET".into())),
        );
    }
}
