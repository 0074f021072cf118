//! One sentence: the source of the refusal, its stage, and its reason.

use super::Case;
use crate::stage::Stage;
use crate::verdict::Verdict;

/// The name of a stage after "at".
const fn place(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "the greeting",
        Stage::Helo => "EHLO",
        Stage::Mail => "MAIL",
        Stage::Rcpt => "RCPT",
        Stage::Data => "DATA",
        Stage::Eod => "the final dot",
    }
}

pub(super) fn of(case: &Case<'_>) -> String {
    let (receiver, client) = (case.receiver, case.client_address);
    let verb = match case.verdict {
        Verdict::Accept => return format!("{receiver} accepted the mail of {client}."),
        Verdict::Defer => "deferred",
        Verdict::Reject => "rejected",
        Verdict::None => {
            return format!("{receiver} neither accepted nor refused a message of {client}.");
        }
    };
    let at = case
        .stage
        .map_or(String::new(), |stage| format!(" at {}", place(stage)));
    let because = if case.why.is_empty() {
        String::new()
    } else {
        format!(": {}", case.why.trim_end_matches('.'))
    };
    format!("{receiver} {verb} {client}{at}{because}.")
}
