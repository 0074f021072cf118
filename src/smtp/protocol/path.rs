//! The arguments of MAIL and RCPT: the path as sent, and parameters (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2).

use crate::smtp::protocol::mailbox::{self, PathFlaw};
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::parameters::{
    MAIL_PARAMETERS, Parameters, RCPT_PARAMETERS, mail_parameter, parameters, rcpt_parameter,
};
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::syntax::Syntax;

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
    let parameters = parameters(
        operand.rest,
        |reply| operand.mistake(reply),
        syntax,
        MAIL_PARAMETERS,
        mail_parameter,
    )?;
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
    let parameters = parameters(
        operand.rest,
        |reply| operand.mistake(reply),
        syntax,
        RCPT_PARAMETERS,
        rcpt_parameter,
    )?;
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
    as_sent: &'a str,
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
            .quoting("path", self.as_sent)
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
    let operand = after.trim_ascii_start();
    if operand.is_empty() {
        return Err(side.operand.into());
    }
    if operand.len() < after.len() && !syntax.space_after_colon {
        return Err(side.syntax.into());
    }
    let quoted = |reply: CoreReply| {
        Mistake::from(reply)
            .quoting("path", operand)
            .quoting("argument", operand)
    };
    let Some(path) = operand.strip_prefix('<') else {
        if syntax.brackets {
            return Err(side.brackets.into());
        }
        let end = operand.find([' ', '\t']).unwrap_or(operand.len());
        let (path, rest) = operand.split_at(end);
        return Ok(Operand {
            all: operand,
            as_sent: path,
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
        all: operand,
        as_sent: &operand[..end + 2],
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[track_caller]
    fn check(
        argument: &str,
        got: Result<(String, Parameters), Mistake>,
        expected: Result<&str, CoreReply>,
    ) {
        let got = got.map(|(path, _)| path).map_err(|mistake| mistake.reply);
        assert_eq!(got, expected.map(str::to_owned), "{argument}");
    }

    #[track_caller]
    pub(in crate::smtp::protocol) fn sender(argument: &str, expected: Result<&str, CoreReply>) {
        check(argument, mail(argument, &Syntax::default()), expected);
    }

    #[track_caller]
    pub(in crate::smtp::protocol) fn recipient(argument: &str, expected: Result<&str, CoreReply>) {
        check(argument, rcpt(argument, &Syntax::default()), expected);
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
}
