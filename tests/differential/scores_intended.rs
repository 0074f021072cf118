//! Intended differences from the scoring programs: data, each row with its reason.

use crate::scores::Case;

/// One intended difference.
struct Intended {
    program: &'static str,
    /// The start of the symbol.
    symbol: &'static str,
    /// Whether only the real program finds it, or only martinet; `None` for both cases.
    by_real: Option<bool>,
    /// The condition on a case.
    when: fn(&Case) -> bool,
    reason: &'static str,
}

const ROWS: &[Intended] = &[
    Intended {
        program: "rspamd",
        symbol: "HFILTER_HELO_",
        by_real: Some(true),
        when: |case| case.helo.starts_with('['),
        reason: "rspamd looks up what stands within the brackets of a malformed literal; martinet looks up names only",
    },
    Intended {
        program: "spamassassin",
        symbol: "SPF_",
        by_real: Some(false),
        when: |case| {
            let mx = |line: &str| line.contains("v=spf1 mx");
            let null = |line: &str| line.ends_with(" MX 0 .");
            case.world.records.lines().any(mx) && case.world.records.lines().any(null)
        },
        reason: "Mail::SPF ends with an error at the mechanism mx of a domain with a null MX; by RFC 7208 it matches nothing",
    },
    Intended {
        program: "spamassassin",
        symbol: "",
        by_real: None,
        when: |case| case.helo.contains(' '),
        reason: "SpamAssassin reads no Received field with a blank in its HELO",
    },
];

/// The reason of the first row that explains a difference.
pub fn explains(program: &str, symbol: &str, by_real: bool, case: &Case) -> Option<&'static str> {
    let explains = |row: &&Intended| {
        row.program == program
            && symbol.starts_with(row.symbol)
            && row.by_real.is_none_or(|expected| expected == by_real)
            && (row.when)(case)
    };
    ROWS.iter().find(explains).map(|row| row.reason)
}
