//! Functions for the fuzz targets, each with the properties that must hold. Not part of the public API.

#[cfg(feature = "proxy")]
use bytes::BytesMut;

use crate::smtp::protocol::command::{self, Command};
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::syntax::Syntax;
use crate::smtp::protocol::xclient;
#[cfg(feature = "proxy")]
use crate::smtp::server::proxy::header::{self, Beginning};

/// A command line is a command or a mistake. Its paths have no octets that a header field forbids, and smtp-proto
/// parses the line alike, except for the intended differences (`INTENDED`).
///
/// # Panics
/// If a property does not hold.
pub fn command(line: &[u8]) {
    let parsed = command::parse(line, &Syntax::default());
    let texts = match &parsed {
        Ok(Command::Mail {
            reverse_path,
            parameters,
        }) => [vec![reverse_path.clone()], parameters.as_sent.clone()].concat(),
        Ok(Command::Rcpt {
            forward_path,
            parameters,
        }) => [vec![forward_path.clone()], parameters.as_sent.clone()].concat(),
        Ok(Command::Helo(_, argument)) => vec![argument.clone()],
        _ => Vec::new(),
    };
    let sound = |text: &String| !text.chars().any(|c| c.is_ascii_control() && c != '\t');
    assert!(texts.iter().all(sound), "control characters in {texts:?}");
    if let Some(difference) = unintended(line, &parsed) {
        panic!("{difference}");
    }
}

/// The results of smtp-proto and of this parser for a line.
struct Opinions<'a> {
    /// The line.
    line: &'a str,
    ours: &'a Result<Command, Mistake>,
    /// The result of smtp-proto, with the address of MAIL and RCPT.
    reference: Result<Option<String>, smtp_proto::Error>,
}

/// An intended difference: its reason, and whether it explains the two results.
type Intended = (&'static str, fn(&Opinions<'_>) -> bool);

/// The intended differences from smtp-proto. Each reason says which parser follows the RFC.
const INTENDED: &[Intended] = &[
    (
        "smtp-proto reads no address literals (RFC 5321 §4.1.3)",
        |o| o.ours.is_ok() && o.line.contains('['),
    ),
    (
        "[syntax] can allow a mailbox without a domain; smtp-proto allows only postmaster",
        |o| o.ours.is_ok() && !o.line.contains('@'),
    ),
    (
        "smtp-proto unescapes quoted strings and resolves source routes; paths are kept here as the client sent them",
        |o| {
            o.ours.is_ok() && o.reference.is_ok() && (o.line.contains('"') || o.line.contains("<@"))
        },
    ),
    (
        "smtp-proto has no upper limits: domains follow RFC 5321 §4.1.2 and RFC 1035 §2.3.4 here",
        |o| o.refused_as(&[CoreReply::SenderDomain, CoreReply::RecipientDomain]),
    ),
    (
        "smtp-proto accepts quoted strings within atoms, blanks within brackets and an open bracket",
        |o| {
            o.refused_as(&[
                CoreReply::SenderSyntax,
                CoreReply::RecipientSyntax,
                CoreReply::SenderUnclosed,
                CoreReply::RecipientUnclosed,
                CoreReply::MailSyntax,
                CoreReply::RcptSyntax,
            ])
        },
    ),
    (
        "the null path is not a recipient (RFC 5321 §4.1.1.3)",
        |o| {
            o.refused_as(&[
                CoreReply::RecipientEmpty,
                CoreReply::MailOperand,
                CoreReply::RcptOperand,
            ])
        },
    ),
    (
        "UTF-8 in MAIL needs SMTPUTF8 (RFC 6531 §3.4), and all commands are UTF-8",
        |o| o.refused_as(&[CoreReply::NotAscii, CoreReply::BadUtf8]),
    ),
    (
        "smtp-proto ignores text after a command without arguments, and after a size",
        |o| {
            o.refused_as(&[
                CoreReply::DataSyntax,
                CoreReply::RsetSyntax,
                CoreReply::QuitSyntax,
                CoreReply::BdatSyntax,
            ])
        },
    ),
    (
        "each parser has parameters that the other has not, and smtp-proto accepts a repeated parameter",
        |o| o.line.contains("> ") || o.line.contains(">\t"),
    ),
    ("a command has no control characters", |o| {
        o.refused_as(&[CoreReply::ControlCharacters])
    }),
];

impl Opinions<'_> {
    fn refused_as(&self, replies: &[CoreReply]) -> bool {
        matches!(self.ours, Err(mistake) if replies.contains(&mistake.reply))
    }
}

fn unintended(line: &[u8], ours: &Result<Command, Mistake>) -> Option<String> {
    let verb = line.get(..4)?.to_ascii_uppercase();
    let compared = [&b"MAIL"[..], b"RCPT", b"BDAT", b"DATA", b"RSET", b"QUIT"];
    if !compared.iter().any(|known| verb.starts_with(known)) {
        return None;
    }
    // Parameters have tests of their own: smtp-proto has extensions that no receiver here offers.
    let line = String::from_utf8_lossy(line);
    let whole = format!("{line}\r\n");
    let reference = smtp_proto::Request::parse(&mut whole.as_bytes().iter());
    let reference = reference.map(|request| match request {
        smtp_proto::Request::Mail { from } => Some(from.address.into_owned()),
        smtp_proto::Request::Rcpt { to } => Some(to.address.into_owned()),
        _ => None,
    });
    let ours_path = match ours {
        Ok(Command::Mail { reverse_path, .. }) => Some(reverse_path),
        Ok(Command::Rcpt { forward_path, .. }) => Some(forward_path),
        _ => None,
    };
    let agree = match (&reference, ours) {
        (Ok(address), Ok(_)) => address.as_ref() == ours_path,
        (reference, ours) => reference.is_ok() == ours.is_ok(),
    };
    let opinions = Opinions {
        line: &line,
        ours,
        reference,
    };
    if agree || INTENDED.iter().any(|(_, explains)| explains(&opinions)) {
        return None;
    }
    Some(format!(
        "{line:?}: {:?} here, {:?} in smtp-proto",
        ours, opinions.reference
    ))
}

/// The argument of XCLIENT is parsed or refused, and its names are valid.
///
/// # Panics
/// If a value has control characters.
pub fn xclient(argument: &[u8]) {
    let Ok(argument) = std::str::from_utf8(argument) else {
        return;
    };
    let Ok(attributes) = xclient::parse(argument) else {
        return;
    };
    let _ = attributes.names();
    for value in [
        &attributes.name,
        &attributes.reverse_name,
        &attributes.helo,
        &attributes.login,
    ]
    .into_iter()
    .flatten()
    {
        if let xclient::Value::Known(text) = value {
            assert!(
                !text.chars().any(char::is_control) && text.len() <= 255,
                "{text:?}"
            );
        }
    }
}

/// The result for the beginning of a connection does not depend on packet borders: a part of it gives the same result,
/// or is incomplete.
///
/// # Panics
/// If a property does not hold.
#[cfg(feature = "proxy")]
pub fn proxy(octets: &[u8], cut: usize) {
    let mut whole = BytesMut::from(octets);
    let beginning = header::begin(&mut whole);
    let mut part = BytesMut::from(&octets[..cut.min(octets.len())]);
    match header::begin(&mut part) {
        Beginning::Incomplete => {
            part.extend_from_slice(&octets[cut.min(octets.len())..]);
            assert_eq!((header::begin(&mut part), part), (beginning, whole));
        }
        // The rest of an overlong or malformed header can be malformed for another reason.
        Beginning::Malformed(_) => assert!(
            matches!(beginning, Beginning::Malformed(_)),
            "{beginning:?}"
        ),
        first => assert_eq!(first, beginning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fragments of random lines.
    const PIECES: &[&str] = &[
        "MAIL FROM:",
        "RCPT TO:",
        "BDAT ",
        "DATA",
        "RSET",
        "QUIT",
        "<",
        ">",
        "@",
        ".",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "[",
        "]",
        "-",
        "_",
        "a",
        "b",
        "example.test",
        "192.0.2.1",
        "postmaster",
        "IPv6:",
        "ü",
        "LAST",
        "1",
        "99999999999",
        "\u{1}",
        "@r.test:",
        "<a@example.test>",
        "<b@contoso.test>",
        "<>",
    ];

    /// A linear congruential generator is random enough here, and reproducible on every machine.
    fn next(state: &mut u64) -> usize {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 33).expect("31 bits")
    }

    #[test]
    fn smtp_proto_agrees_except_for_intended_differences() {
        let mut state = 20_261_125;
        let mut found: Vec<String> = Vec::new();
        for _ in 0..200_000 {
            let mut line = PIECES[next(&mut state) % 6].to_owned();
            for _ in 0..next(&mut state) % 8 {
                line += PIECES[next(&mut state) % PIECES.len()];
            }
            let parsed = command::parse(line.as_bytes(), &Syntax::default());
            found.extend(unintended(line.as_bytes(), &parsed));
        }
        found.truncate(20);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn paths_that_both_refuse_and_both_take() {
        for line in [
            "MAIL FROM:<a@example.test>",
            "MAIL FROM:<>",
            "RCPT TO:<b@contoso.test>",
            "BDAT 5 LAST",
        ] {
            assert!(
                command::parse(line.as_bytes(), &Syntax::default()).is_ok(),
                "{line}"
            );
            command(line.as_bytes());
        }
        for line in [
            "MAIL FROM:<a@b@c.test>",
            "MAIL FROM:<@>",
            "RCPT TO:<.a@b.test>",
            "BDAT x",
        ] {
            assert!(
                command::parse(line.as_bytes(), &Syntax::default()).is_err(),
                "{line}"
            );
            command(line.as_bytes());
        }
    }
}
