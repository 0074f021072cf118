//! `[syntax]` and `[replies]` of receiver files: the syntax that a receiver accepts, and its replies that do not come
//! from rules. `keys` declares the keys; those of `[replies]` are generated from [`CoreReply`].

use super::reader::Reader;
use super::report::Mistakes;
use super::values::reply_with;
use crate::smtp::{
    BareNewline, COMMAND_LINE_OCTETS, CORE_PLACEHOLDERS, CoreReplies, CoreReply, DomainTolerance,
    LocalPart, LongLine, MistakeOrder, Syntax, TEXT_LINE_OCTETS,
};

/// Minimum value of `path_octets`: the domain alone can have 255 octets (RFC 5321 §4.5.3.1.2).
const PATH_OCTETS: usize = 255;
/// Maximum value of a line limit: a session keeps a whole command line in memory.
const MOST_LINE_OCTETS: usize = 1 << 20;

/// Reads `[syntax]`.
pub(super) fn syntax(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Syntax {
    let mut syntax = Syntax::default();
    let Some(mut table) = file.table("syntax", mistakes) else {
        return syntax;
    };
    for (key, flag) in [
        ("empty_helo", &mut syntax.empty_helo),
        ("repeated_helo", &mut syntax.repeated_helo),
        ("noop_argument", &mut syntax.noop_argument),
        ("brackets", &mut syntax.brackets),
        ("space_after_colon", &mut syntax.space_after_colon),
        ("leading_space", &mut syntax.leading_space),
        ("address_literals", &mut syntax.address_literals),
        ("unqualified", &mut syntax.unqualified),
        ("utf8_paths", &mut syntax.utf8_paths),
        ("invalid_utf8", &mut syntax.invalid_utf8),
        ("repeated_parameters", &mut syntax.repeated_parameters),
        ("extensions_need_ehlo", &mut syntax.extensions_need_ehlo),
        ("vrfy_path", &mut syntax.vrfy_path),
    ] {
        if let Some(value) = table.flag(key, mistakes) {
            *flag = value;
        }
    }
    for (key, setting) in [
        ("bare_lf", &mut syntax.bare_lf),
        ("bare_cr", &mut syntax.bare_cr),
    ] {
        match table.choice(key, mistakes) {
            Some("normalize") => *setting = BareNewline::Normalize,
            Some("accept") => *setting = BareNewline::Accept,
            _ => {}
        }
    }
    if table.choice("local_part", mistakes) == Some("lax") {
        syntax.local_part = LocalPart::Lax;
    }
    match table.choice("order", mistakes) {
        Some("sequence") => syntax.order = MistakeOrder::Sequence,
        Some("sequence-of-paths") => syntax.order = MistakeOrder::SequenceOfPaths,
        _ => {}
    }
    match table.choice("long_lines", mistakes) {
        Some("cut") => syntax.long_lines = LongLine::Cut,
        Some("split") => syntax.long_lines = LongLine::Split,
        _ => {}
    }
    lists(&mut table, &mut syntax, mistakes);
    table.finish();
    syntax
}

fn lists(table: &mut Reader<'_>, syntax: &mut Syntax, mistakes: &mut Mistakes) {
    let tolerance = |text: &str| {
        DomainTolerance::ALL
            .into_iter()
            .find(|(word, _)| *word == text)
            .map(|(_, tolerance)| tolerance)
    };
    if let Some(domains) = table.parsed_list("domains", mistakes, tolerance) {
        syntax.domains = domains;
    }
    let keyword = |text: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (!text.is_empty() && text.chars().all(sound)).then(|| text.to_owned())
    };
    let key = "unchecked_parameters";
    if let Some(keywords) = table.parsed_list(key, mistakes, keyword) {
        syntax.unchecked_parameters = keywords;
    }
    for (key, least, setting) in [
        ("path_octets", PATH_OCTETS, &mut syntax.path_octets),
        ("line_octets", COMMAND_LINE_OCTETS, &mut syntax.line_octets),
        (
            "text_line_octets",
            TEXT_LINE_OCTETS,
            &mut syntax.text_line_octets,
        ),
    ] {
        let span = table.span();
        match table.number_as::<usize>(key, mistakes) {
            Some(octets) if (least..=MOST_LINE_OCTETS).contains(&octets) => *setting = octets,
            Some(octets) => mistakes.add(
                span,
                format!("{key} from {least} to {MOST_LINE_OCTETS}"),
                octets.to_string(),
            ),
            None => {}
        }
    }
}

/// Reads `[replies]`.
pub(super) fn replies(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> CoreReplies {
    let mut replies = CoreReplies::default();
    let Some(mut table) = file.table("replies", mistakes) else {
        return replies;
    };
    for reply in CoreReply::ALL {
        let expected = format!(
            "a reply of the kind of \"{}\"",
            reply.default_text().get(..3).unwrap_or_default()
        );
        let own = reply_with(
            reply.key(),
            &expected,
            |code| reply.may_have(code),
            CORE_PLACEHOLDERS,
            &mut table,
            mistakes,
        );
        if let Some(own) = own {
            replies.set(*reply, own);
        }
    }
    table.finish();
    replies
}
