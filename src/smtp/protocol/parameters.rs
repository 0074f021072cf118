//! The parameters of MAIL and RCPT (RFC 5321 §4.1.1.11).

use crate::smtp::Extension;
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
    pub(crate) as_sent: Vec<String>,
    /// The required extensions, each with its parameter as sent.
    pub(crate) needs: Vec<(Extension, String)>,
}

/// The parameters of MAIL that a receiver can leave unchecked.
pub(super) const MAIL_PARAMETERS: &[&str] = &[
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
pub(super) const RCPT_PARAMETERS: &[&str] = &["NOTIFY", "ORCPT"];

/// Parses ` KEYWORD=value KEYWORD`; a repeated or malformed keyword is a mistake.
pub(super) fn parameters(
    words: &str,
    mistake_of: impl Fn(CoreReply) -> Mistake,
    syntax: &Syntax,
    known: &[&str],
    read: impl Fn(&str, Option<&str>, &mut Parameters) -> Result<Option<Extension>, CoreReply>,
) -> Result<Parameters, Mistake> {
    let mut parameters = Parameters::default();
    let mut seen: Vec<String> = Vec::new();
    for word in words.split_ascii_whitespace() {
        let mistake = |reply: CoreReply| mistake_of(reply).quoting_parameter(word);
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
        parameters.as_sent.push(word.to_owned());
    }
    Ok(parameters)
}

/// Parses one parameter of MAIL and records its extension; 555 for an unknown parameter (RFC 5321 §4.1.1.11).
pub(super) fn mail_parameter(
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
pub(super) fn rcpt_parameter(
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
    use crate::smtp::protocol::path::mail;
    use crate::smtp::protocol::path::tests::{recipient, sender};

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
        assert_eq!(parameters.as_sent.join(" "), words);
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
        wrong("-FOO", CoreReply::ParameterSyntax);
        wrong("F_O", CoreReply::ParameterSyntax);
        wrong("=1", CoreReply::ParameterSyntax);
        wrong("ENVID=", CoreReply::EnvidSyntax);
        wrong("ENVID=+XX", CoreReply::EnvidSyntax);
        wrong(
            &format!("ENVID={}", "x".repeat(101)),
            CoreReply::EnvidSyntax,
        );
        wrong("AUTH=a b", CoreReply::UnknownParameter);
        wrong("AUTH=+X", CoreReply::UnknownParameter);
        wrong("MT-PRIORITY=-10", CoreReply::PrioritySyntax);
        wrong("BY=;R", CoreReply::DeliverBySyntax);
        wrong("BY=1234567890;R", CoreReply::DeliverBySyntax);
        wrong("BY=12x;R", CoreReply::DeliverBySyntax);
        wrong("BY=120;X", CoreReply::DeliverBySyntax);
        wrong("BY=120", CoreReply::DeliverBySyntax);
        wrong("SMTPUTF8=1", CoreReply::UnknownParameter);
        read("BY=-120;nt", 0, none, &[DeliverBy]);
        read(&format!("ENVID={}", "x".repeat(100)), 0, none, &[Dsn]);
        read("AUTH=a+40b.test", 0, (false, false, true), &[]);
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
        for malformed in [
            "rfc-822_;b@contoso.test".to_owned(),
            ";b@contoso.test".to_owned(),
            "rfc822;".to_owned(),
            "rfc822;+XX".to_owned(),
            format!("rfc822;{}", "x".repeat(494)),
        ] {
            let argument = format!("TO:<b@contoso.test> ORCPT={malformed}");
            recipient(&argument, Err(CoreReply::OrcptSyntax));
        }
        for sound in ["x-400;b".to_owned(), format!("rfc822;{}", "x".repeat(493))] {
            let argument = format!("TO:<b@contoso.test> ORCPT={sound}");
            recipient(&argument, Ok("b@contoso.test"));
        }
        recipient(
            "TO:<b@contoso.test> RET=FULL",
            Err(CoreReply::UnknownParameter),
        );
    }
}
