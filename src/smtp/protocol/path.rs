//! The arguments of MAIL and RCPT: the path as sent, and parameters (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2).

use crate::smtp::Extension;
use crate::smtp::protocol::mailbox::{self, PathFlaw};
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::syntax::Syntax;
use crate::smtp::protocol::xtext;

/// The parameters of MAIL or RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Parameters {
    /// SIZE (RFC 1870); 0 if absent.
    pub(crate) size: usize,
    /// SMTPUTF8 (RFC 6531).
    pub(crate) smtputf8: bool,
    /// BODY=BINARYMIME (RFC 3030 §3).
    pub(crate) binary: bool,
    /// AUTH= (RFC 4954 §5).
    pub(crate) auth: bool,
    /// The parameters as sent, in order.
    pub(crate) said: Vec<String>,
    /// The required extensions, each with its parameter as sent.
    pub(crate) needs: Vec<(Extension, String)>,
}

/// MAIL or RCPT: its keyword, and its replies to mistakes.
struct Side {
    keyword: &'static str,
    syntax: CoreReply,
    operand: CoreReply,
    brackets: CoreReply,
    unclosed: CoreReply,
    too_long: CoreReply,
    flaw: fn(PathFlaw) -> CoreReply,
}

const MAIL: Side = Side {
    keyword: "FROM:",
    syntax: CoreReply::MailSyntax,
    operand: CoreReply::MailOperand,
    brackets: CoreReply::SenderBrackets,
    unclosed: CoreReply::SenderUnclosed,
    too_long: CoreReply::SenderTooLong,
    flaw: |flaw| match flaw {
        PathFlaw::Malformed => CoreReply::SenderSyntax,
        PathFlaw::Domain => CoreReply::SenderDomain,
        PathFlaw::Literal => CoreReply::SenderLiteral,
        PathFlaw::Unqualified => CoreReply::SenderUnqualified,
    },
};

const RCPT: Side = Side {
    keyword: "TO:",
    syntax: CoreReply::RcptSyntax,
    operand: CoreReply::RcptOperand,
    brackets: CoreReply::RecipientBrackets,
    unclosed: CoreReply::RecipientUnclosed,
    too_long: CoreReply::RecipientTooLong,
    flaw: |flaw| match flaw {
        PathFlaw::Malformed => CoreReply::RecipientSyntax,
        PathFlaw::Domain => CoreReply::RecipientDomain,
        PathFlaw::Literal => CoreReply::RecipientLiteral,
        PathFlaw::Unqualified => CoreReply::RecipientUnqualified,
    },
};

/// Parses the argument of MAIL: the reverse-path and the parameters.
pub(crate) fn mail(argument: &str, syntax: &Syntax) -> Result<(String, Parameters), Mistake> {
    let operand = operand(argument, &MAIL, syntax)?;
    let parameters = parameters(&operand, syntax, MAIL_PARAMETERS, mail_parameter)?;
    let reverse_path = operand.mailbox(&MAIL, syntax)?;
    if !(parameters.smtputf8 || syntax.utf8_paths || reverse_path.is_ascii()) {
        return Err(operand.mistake(CoreReply::NotAscii));
    }
    Ok((reverse_path.to_owned(), parameters))
}

/// Parses the argument of RCPT: the forward-path and the parameters. The session judges a non-ASCII path, because that
/// depends on MAIL.
pub(crate) fn rcpt(argument: &str, syntax: &Syntax) -> Result<(String, Parameters), Mistake> {
    let operand = operand(argument, &RCPT, syntax)?;
    let parameters = parameters(&operand, syntax, RCPT_PARAMETERS, rcpt_parameter)?;
    let forward_path = match operand.path {
        postmaster if postmaster.eq_ignore_ascii_case("postmaster") => postmaster,
        _ => operand.mailbox(&RCPT, syntax)?,
    };
    if forward_path.is_empty() {
        return Err(operand.mistake(CoreReply::RecipientEmpty));
    }
    Ok((forward_path.to_owned(), parameters))
}

/// The number of octets of a path that `{beginning}` quotes.
const BEGINNING_OCTETS: usize = 64;

/// Checks that the argument of VRFY is a forward-path, with or without its angle brackets (RFC 5321 §4.1.1.6 has a string).
pub(crate) fn vrfy(argument: &str, syntax: &Syntax) -> Result<(), Mistake> {
    let syntax = Syntax {
        brackets: false,
        ..syntax.clone()
    };
    rcpt(&format!("{}{argument}", RCPT.keyword), &syntax).map(|_| ())
}

/// The text after the colon.
struct Operand<'a> {
    /// The whole text after the colon.
    all: &'a str,
    /// The path as sent.
    said: &'a str,
    /// The path without its angle brackets.
    path: &'a str,
    /// The parameters.
    rest: &'a str,
}

impl<'a> Operand<'a> {
    fn mailbox(&self, side: &Side, syntax: &Syntax) -> Result<&'a str, Mistake> {
        if self.path.len() > syntax.path_octets {
            let mut ends = (0..=BEGINNING_OCTETS).rev();
            let beginning = ends.find_map(|end| self.path.get(..end));
            let mistake = self.mistake(side.too_long);
            return Err(mistake.quoting("beginning", beginning.unwrap_or_default()));
        }
        mailbox::read(self.path, syntax).map_err(|flaw| self.mistake((side.flaw)(flaw)))
    }

    fn mistake(&self, reply: CoreReply) -> Mistake {
        Mistake::from(reply)
            .quoting("path", self.said)
            .quoting("argument", self.all)
    }
}

/// Splits `FROM:<path> parameters`; the path can have a quoted `>`.
fn operand<'a>(argument: &'a str, side: &Side, syntax: &Syntax) -> Result<Operand<'a>, Mistake> {
    let after = argument
        .split_at_checked(side.keyword.len())
        .filter(|(keyword, _)| keyword.eq_ignore_ascii_case(side.keyword))
        .map(|(_, after)| after)
        .ok_or(side.syntax)?;
    let said = after.trim_ascii_start();
    if said.is_empty() {
        return Err(side.operand.into());
    }
    if said.len() < after.len() && !syntax.space_after_colon {
        return Err(side.syntax.into());
    }
    let quoted = |reply: CoreReply| {
        Mistake::from(reply)
            .quoting("path", said)
            .quoting("argument", said)
    };
    let Some(path) = said.strip_prefix('<') else {
        if syntax.brackets {
            return Err(side.brackets.into());
        }
        let end = said.find([' ', '\t']).unwrap_or(said.len());
        let (path, rest) = said.split_at(end);
        return Ok(Operand {
            all: said,
            said: path,
            path,
            rest,
        });
    };
    let end = closing_bracket(path).ok_or_else(|| quoted(side.unclosed))?;
    let rest = &path[end + 1..];
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Err(quoted((side.flaw)(PathFlaw::Malformed)));
    }
    Ok(Operand {
        all: said,
        said: &said[..end + 2],
        path: &path[..end],
        rest,
    })
}

fn closing_bracket(path: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    path.bytes().position(|octet| {
        let ends = octet == b'>' && !quoted;
        quoted ^= octet == b'"' && !escaped;
        escaped = quoted && octet == b'\\' && !escaped;
        ends
    })
}

/// The parameters of MAIL that a receiver can leave unchecked.
const MAIL_PARAMETERS: &[&str] = &[
    "SIZE",
    "BODY",
    "SMTPUTF8",
    "RET",
    "ENVID",
    "AUTH",
    "MT-PRIORITY",
    "BY",
    "REQUIRETLS",
];
/// The parameters of RCPT that a receiver can leave unchecked.
const RCPT_PARAMETERS: &[&str] = &["NOTIFY", "ORCPT"];

/// Parses ` KEYWORD=value KEYWORD`; a repeated or malformed keyword is a mistake.
fn parameters(
    operand: &Operand<'_>,
    syntax: &Syntax,
    known: &[&str],
    read: impl Fn(&str, Option<&str>, &mut Parameters) -> Result<Option<Extension>, CoreReply>,
) -> Result<Parameters, Mistake> {
    let mut parameters = Parameters::default();
    let mut seen: Vec<String> = Vec::new();
    for word in operand.rest.split_ascii_whitespace() {
        let mistake = |reply: CoreReply| operand.mistake(reply).quoting_parameter(word);
        let (keyword, value) = word
            .split_once('=')
            .map_or((word, None), |(keyword, value)| (keyword, Some(value)));
        let upper = keyword.to_ascii_uppercase();
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !keyword.chars().all(sound) || !keyword.starts_with(|c: char| c != '-') {
            return Err(mistake(CoreReply::ParameterSyntax));
        }
        if seen.contains(&upper) && !syntax.repeated_parameters {
            return Err(mistake(CoreReply::ParameterSyntax));
        }
        let mut unchecked = syntax.unchecked_parameters.iter();
        let unchecked =
            known.contains(&upper.as_str()) && unchecked.any(|k| k.eq_ignore_ascii_case(&upper));
        match read(&upper, value, &mut parameters) {
            _ if unchecked => {}
            Ok(Some(extension)) => parameters.needs.push((extension, word.to_owned())),
            Ok(None) => {}
            Err(reply) => return Err(mistake(reply)),
        }
        seen.push(upper);
        parameters.said.push(word.to_owned());
    }
    Ok(parameters)
}

/// Parses one parameter of MAIL and records its extension; 555 for an unknown parameter (RFC 5321 §4.1.1.11).
fn mail_parameter(
    keyword: &str,
    value: Option<&str>,
    parameters: &mut Parameters,
) -> Result<Option<Extension>, CoreReply> {
    let one_of =
        |words: &[&str], value: &str| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    Ok(Some(match (keyword, value) {
        ("SIZE", Some(size)) => {
            parameters.size = octets(size).ok_or(CoreReply::SizeSyntax)?;
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
        ("ENVID", Some(id)) if xtext::decode(id).is_some() && (1..=100).contains(&id.len()) => {
            Extension::Dsn
        }
        ("BODY", Some(_)) => return Err(CoreReply::BodySyntax),
        ("RET", Some(_)) => return Err(CoreReply::RetSyntax),
        ("ENVID", Some(_)) => return Err(CoreReply::EnvidSyntax),
        ("AUTH", Some(identity)) if identity == "<>" || xtext::decode(identity).is_some() => {
            parameters.auth = true;
            return Ok(None);
        }
        ("MT-PRIORITY", Some(level))
            if level.parse::<i8>().is_ok_and(|n| (-9..=9).contains(&n)) =>
        {
            Extension::MtPriority
        }
        ("BY", Some(by)) if is_deliver_by(by) => Extension::DeliverBy,
        ("MT-PRIORITY", Some(_)) => return Err(CoreReply::PrioritySyntax),
        ("BY", Some(_)) => return Err(CoreReply::DeliverBySyntax),
        ("REQUIRETLS", None) => Extension::RequireTls,
        _ => return Err(CoreReply::UnknownParameter),
    }))
}

/// Parses one parameter of RCPT.
fn rcpt_parameter(
    keyword: &str,
    value: Option<&str>,
    _: &mut Parameters,
) -> Result<Option<Extension>, CoreReply> {
    match (keyword, value) {
        ("NOTIFY", Some(value)) if is_notify(value) => Ok(Some(Extension::Dsn)),
        ("ORCPT", Some(value)) if is_original_recipient(value) => Ok(Some(Extension::Dsn)),
        ("NOTIFY", Some(_)) => Err(CoreReply::NotifySyntax),
        ("ORCPT", Some(_)) => Err(CoreReply::OrcptSyntax),
        _ => Err(CoreReply::UnknownParameter),
    }
}

/// A number of octets; a number that is too large for `usize` becomes its maximum.
pub(crate) fn octets(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(usize::MAX))
}

/// RFC 2852 §4: seconds, a mode, and an optional trace request.
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
        && xtext::decode(address).is_some_and(|a| !a.is_empty())
        && text.len() <= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sender(argument: &str, expected: Result<&str, CoreReply>) {
        let got = mail(argument, &Syntax::default())
            .map_err(|m| m.reply)
            .map(|(path, _)| path);
        assert_eq!(got, expected.map(str::to_owned), "{argument}");
    }

    #[track_caller]
    fn recipient(argument: &str, expected: Result<&str, CoreReply>) {
        let got = rcpt(argument, &Syntax::default())
            .map_err(|m| m.reply)
            .map(|(path, _)| path);
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
        sender("FROM:a@example.test", Err(CoreReply::SenderBrackets));
        sender("TO:<a@example.test>", Err(CoreReply::MailSyntax));
        sender("FROM:", Err(CoreReply::MailOperand));
        sender("FROM:<a@example.test", Err(CoreReply::SenderUnclosed));
        sender("FROM:<a@example.test>SIZE=1", Err(CoreReply::SenderSyntax));
        sender("FROM:<a b@example.test>", Err(CoreReply::SenderSyntax));
        sender("FROM:<ü@example.test>", Err(CoreReply::NotAscii));
        sender("FROM:<ü@example.test> SMTPUTF8", Ok("ü@example.test"));
        sender("FROM:<a@>", Err(CoreReply::SenderDomain));
        recipient("TO:<Postmaster>", Ok("Postmaster"));
        recipient("TO:<\"a b\"@contoso.test>", Ok("\"a b\"@contoso.test"));
        recipient("TO:<ü@contoso.test>", Ok("ü@contoso.test"));
        recipient("TO:<>", Err(CoreReply::RecipientEmpty));
        recipient("TO:<b@>", Err(CoreReply::RecipientDomain));
        recipient("TO:<@a.test:>", Err(CoreReply::RecipientSyntax));
    }

    #[track_caller]
    fn read(words: &str, size: usize, flags: (bool, bool, bool), needs: &[Extension]) {
        let Ok((_, parameters)) = mail(
            &format!("FROM:<a@example.test> {words}"),
            &Syntax::default(),
        ) else {
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
        wrong("SIZE=+1", CoreReply::SizeSyntax);
        wrong("SIZE=1 SIZE=2", CoreReply::ParameterSyntax);
        wrong("RET=ALL", CoreReply::RetSyntax);
        wrong("MT-PRIORITY=10", CoreReply::PrioritySyntax);
        wrong("BY=soon;R", CoreReply::DeliverBySyntax);
        wrong("FOO", CoreReply::UnknownParameter);
        wrong("BODY=9BIT", CoreReply::BodySyntax);
        wrong("NOTIFY=NEVER", CoreReply::UnknownParameter);
    }

    #[test]
    fn rfc3461_parameters_of_rcpt() {
        recipient("TO:<postmaster> NOTIFY=NEVER", Ok("postmaster"));
        recipient(
            "TO:<b@contoso.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@contoso.test",
            Ok("b@contoso.test"),
        );
        recipient(
            "TO:<b@contoso.test> NOTIFY=NEVER,DELAY",
            Err(CoreReply::NotifySyntax),
        );
        recipient(
            "TO:<b@contoso.test> ORCPT=b@contoso.test",
            Err(CoreReply::OrcptSyntax),
        );
        recipient(
            "TO:<b@contoso.test> RET=FULL",
            Err(CoreReply::UnknownParameter),
        );
    }
}
