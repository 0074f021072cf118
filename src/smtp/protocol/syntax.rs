//! The syntax that a receiver accepts, more or less than RFC 5321 allows: `[syntax]` of a receiver file.

/// The maximum length of a command line in octets, including CRLF (RFC 5321 §4.5.3.1.4).
pub(crate) const COMMAND_LINE_OCTETS: usize = 512;
/// The octets that extensions add to a MAIL or RCPT line (RFC 5321 §4.5.3.1.11; RFC 3461 §4 adds 500).
pub(crate) const EXTENSION_OCTETS: usize = 500;
/// The maximum length of a MAIL or RCPT line, unless the receiver accepts longer ones.
pub(crate) const PATH_LINE_OCTETS: usize = COMMAND_LINE_OCTETS + EXTENSION_OCTETS;
/// The maximum length of a text line in octets, including CRLF (RFC 5321 §4.5.3.1.6).
pub(crate) const TEXT_LINE_OCTETS: usize = 1000;

/// The treatment of a bare LF or a bare CR. Only CRLF `.` CRLF ends the data (RFC 5321 §4.1.1.4): no setting permits
/// SMTP smuggling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum BareNewline {
    /// Refused: RFC 5321 §2.3.8 forbids both.
    #[default]
    Reject,
    /// A bare LF ends a line; in the message a bare LF and a bare CR become CRLF (Postfix `normalize`).
    Normalize,
    /// Accepted as an octet of the message; a bare LF can end a command (Postfix `no`).
    Accept,
}

/// The syntax of a local part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum LocalPart {
    /// `Dot-string / Quoted-string` (RFC 5321 §4.1.2).
    #[default]
    Rfc5321,
    /// Any printable characters except spaces and `<>,;:"[]@`.
    Lax,
}

/// Deviations from `Domain` of RFC 5321 §4.1.2 that are accepted in MAIL and RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DomainTolerance {
    /// `_`.
    Underscore,
    /// A dot at the end.
    TrailingDot,
    /// A label that ends with a hyphen.
    TrailingHyphen,
    /// A label of more than 63 octets.
    LongLabel,
    /// An empty domain after `@`.
    Empty,
}

impl DomainTolerance {
    /// All tolerances with their words in receiver files.
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("underscore", Self::Underscore),
        ("trailing-dot", Self::TrailingDot),
        ("trailing-hyphen", Self::TrailingHyphen),
        ("long-label", Self::LongLabel),
        ("empty", Self::Empty),
    ];
}

/// What happens to a command line that exceeds the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum LongLine {
    /// The whole line is discarded and refused. MAIL, RCPT and AUTH can have 500 octets more (RFC 5321 §4.5.3.1.11).
    #[default]
    Refuse,
    /// The beginning of the line is the command, and the rest is discarded (Postfix `line_length_limit`).
    Cut,
    /// The beginning of the line is refused, and the rest is another command (Exim).
    Split,
}

/// The mistake that is reported if a command is both malformed and out of sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum MistakeOrder {
    /// The malformed argument.
    #[default]
    Syntax,
    /// The wrong sequence (Postfix).
    Sequence,
    /// The wrong sequence of MAIL and RCPT, and the malformed argument of any other command (Exim).
    SequenceOfPaths,
}

/// The syntax that a receiver accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Whether HELO, EHLO and LHLO are accepted without an argument; the rules judge the empty argument.
    pub(crate) empty_helo: bool,
    /// Whether a second HELO or EHLO is accepted.
    pub(crate) repeated_helo: bool,
    /// Whether NOOP can have an argument.
    pub(crate) noop_argument: bool,
    /// Whether a path requires angle brackets.
    pub(crate) brackets: bool,
    /// Whether spaces are accepted between `FROM:` or `TO:` and the path, which RFC 5321 §3.3 forbids.
    pub(crate) space_after_colon: bool,
    /// Whether spaces are accepted before a command.
    pub(crate) leading_space: bool,
    /// The treatment of a bare LF.
    pub(crate) bare_lf: BareNewline,
    /// The treatment of a bare CR in a message.
    pub(crate) bare_cr: BareNewline,
    /// The syntax of a local part.
    pub(crate) local_part: LocalPart,
    /// Whether a local part is accepted without a domain. `postmaster` in RCPT always is (RFC 5321 §4.1.1.3).
    pub(crate) unqualified: bool,
    /// The tolerances in domains.
    pub(crate) domains: Vec<DomainTolerance>,
    /// Whether a domain can be an address literal.
    pub(crate) address_literals: bool,
    /// Whether a path can have UTF-8 without SMTPUTF8 in MAIL (RFC 6531 §3.4).
    pub(crate) utf8_paths: bool,
    /// Whether a command can have invalid UTF-8, which is kept as U+FFFD.
    pub(crate) invalid_utf8: bool,
    /// The maximum length of a command line in octets, including CRLF.
    pub(crate) line_octets: usize,
    /// What happens to a longer line.
    pub(crate) long_lines: LongLine,
    /// The maximum length of a path in octets, without its angle brackets.
    pub(crate) path_octets: usize,
    /// Whether the argument of VRFY must be a forward-path.
    pub(crate) vrfy_path: bool,
    /// The maximum length of a text line of a message in octets, including CRLF.
    pub(crate) text_line_octets: usize,
    /// Whether a parameter can be repeated.
    pub(crate) repeated_parameters: bool,
    /// Whether an extension can be used only after EHLO.
    pub(crate) extensions_need_ehlo: bool,
    /// Parameters of MAIL and RCPT whose values are not checked.
    pub(crate) unchecked_parameters: Vec<String>,
    /// The mistake that is reported first.
    pub(crate) order: MistakeOrder,
}

impl Default for Syntax {
    fn default() -> Self {
        Self {
            empty_helo: false,
            repeated_helo: true,
            noop_argument: true,
            brackets: true,
            space_after_colon: true,
            leading_space: false,
            bare_lf: BareNewline::default(),
            bare_cr: BareNewline::default(),
            local_part: LocalPart::default(),
            unqualified: true,
            domains: Vec::new(),
            address_literals: true,
            utf8_paths: false,
            invalid_utf8: false,
            line_octets: COMMAND_LINE_OCTETS,
            long_lines: LongLine::default(),
            path_octets: usize::MAX,
            vrfy_path: false,
            text_line_octets: TEXT_LINE_OCTETS,
            repeated_parameters: false,
            extensions_need_ehlo: false,
            unchecked_parameters: Vec::new(),
            order: MistakeOrder::default(),
        }
    }
}

impl Syntax {
    /// The longest line that begins with a verb, in octets.
    pub(crate) fn line_octets_of(&self, line: &[u8]) -> usize {
        let longer = ["MAIL", "RCPT", "AUTH"].iter().any(|verb| {
            line.get(..verb.len())
                .is_some_and(|v| v.eq_ignore_ascii_case(verb.as_bytes()))
        });
        match self.long_lines {
            LongLine::Refuse if longer => self.line_octets + EXTENSION_OCTETS,
            _ => self.line_octets,
        }
    }

    /// The longest line of any verb, in octets.
    pub(crate) fn most_line_octets(&self) -> usize {
        self.line_octets_of(b"MAIL")
    }
}
