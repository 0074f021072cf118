//! What a receiver tolerates of a client's syntax, beyond RFC 5321 or short of it: `[syntax]` of a receiver file.

/// The longest command line in octets, CRLF included (RFC 5321 §4.5.3.1.4).
pub const COMMAND_LINE_OCTETS: usize = 512;
/// What extensions add to a MAIL or RCPT line (RFC 5321 §4.5.3.1.11; RFC 3461 §4 adds 500).
pub(crate) const EXTENSION_OCTETS: usize = 500;
/// The longest MAIL or RCPT line, unless the receiver accepts longer ones.
pub const PATH_LINE_OCTETS: usize = COMMAND_LINE_OCTETS + EXTENSION_OCTETS;
/// The longest text line in octets, CRLF included (RFC 5321 §4.5.3.1.6).
pub const TEXT_LINE_OCTETS: usize = 1000;

/// What a bare LF or a bare CR means. Only CRLF `.` CRLF ends the data (RFC 5321 §4.1.1.4): no setting permits SMTP
/// smuggling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BareNewline {
    /// Refused: RFC 5321 §2.3.8 forbids both.
    #[default]
    Reject,
    /// A bare LF ends a line; in the message a bare LF and a bare CR become CRLF (Postfix `normalize`).
    Normalize,
    /// An octet like any other in the message; a command may end with a bare LF (Postfix `no`).
    Accept,
}

/// How strictly a local part is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LocalPart {
    /// `Dot-string / Quoted-string` (RFC 5321 §4.1.2).
    #[default]
    Rfc5321,
    /// Any printable characters but blanks and `<>,;:"[]@`.
    Lax,
}

/// What is tolerated in a domain of MAIL and RCPT beyond `Domain` of RFC 5321 §4.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainTolerance {
    /// `_`.
    Underscore,
    /// One dot at the end.
    TrailingDot,
    /// A label that ends with a hyphen.
    TrailingHyphen,
    /// A label of more than 63 octets.
    LongLabel,
    /// No domain at all behind `@`.
    Empty,
}

impl DomainTolerance {
    /// Every tolerance, and its word in receiver files.
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("underscore", Self::Underscore),
        ("trailing-dot", Self::TrailingDot),
        ("trailing-hyphen", Self::TrailingHyphen),
        ("long-label", Self::LongLabel),
        ("empty", Self::Empty),
    ];
}

/// Which mistake is reported where a command is both malformed and out of sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MistakeOrder {
    /// The malformed argument.
    #[default]
    Syntax,
    /// The wrong sequence (Postfix).
    Sequence,
    /// The wrong sequence of MAIL and RCPT, and the malformed argument of any other command (Exim).
    SequenceOfPaths,
}

/// What a receiver tolerates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Whether HELO, EHLO and LHLO may stand without an argument; the rules judge the empty argument.
    pub empty_helo: bool,
    /// Whether HELO or EHLO may come again.
    pub repeated_helo: bool,
    /// Whether NOOP may have an argument.
    pub noop_argument: bool,
    /// Whether a path must stand in angle brackets.
    pub brackets: bool,
    /// Whether blanks may stand between `FROM:` or `TO:` and the path, which RFC 5321 §3.3 forbids.
    pub space_after_colon: bool,
    /// Whether blanks may stand before a command.
    pub leading_space: bool,
    /// What a bare LF means.
    pub bare_lf: BareNewline,
    /// What a bare CR in a message means.
    pub bare_cr: BareNewline,
    /// How strictly a local part is read.
    pub local_part: LocalPart,
    /// Whether a local part may stand without a domain. `postmaster` may in RCPT, always (RFC 5321 §4.1.1.3).
    pub unqualified: bool,
    /// What is tolerated in domains.
    pub domains: Vec<DomainTolerance>,
    /// Whether a domain may be an address literal.
    pub address_literals: bool,
    /// Whether a path may hold UTF-8 though MAIL did not say SMTPUTF8 (RFC 6531 §3.4).
    pub utf8_paths: bool,
    /// Whether a command may hold octets that are no UTF-8; they are kept as U+FFFD.
    pub invalid_utf8: bool,
    /// The longest command line in octets, CRLF included; MAIL, RCPT and AUTH may have 500 more.
    pub line_octets: usize,
    /// The longest text line of a message in octets, CRLF included.
    pub text_line_octets: usize,
    /// Whether a parameter may stand twice.
    pub repeated_parameters: bool,
    /// Whether an extension can be used only after EHLO.
    pub extensions_need_ehlo: bool,
    /// Parameters of MAIL and RCPT that may have any value, or none.
    pub unchecked_parameters: Vec<String>,
    /// Which mistake comes first.
    pub order: MistakeOrder,
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
            text_line_octets: TEXT_LINE_OCTETS,
            repeated_parameters: false,
            extensions_need_ehlo: false,
            unchecked_parameters: Vec::new(),
            order: MistakeOrder::default(),
        }
    }
}
