//! `message-format`: the header of the message conforms to RFC 5322.

use crate::facts::{Facts, Header, HeaderFault, Observations, SINGLE_FIELDS};
use crate::policy::behaviour::title;
use crate::policy::check::{
    Check, Complaint, Finding, Judge, Kind, Parameter, Settings, Timing, Topic,
};
use crate::policy::{Behaviour, Change, Remedy};
use crate::stage::Stage;

/// The fields that every message has (RFC 5322 §3.6).
const REQUIRED: &[&str] = &["date", "from"];
const BY_RFC5322: &str =
    "as in RFC 5322 §3.6 if the rule sets none of these parameters; otherwise nothing";

pub(super) static CHECK: Check = Check {
    name: "message-format",
    topic: Topic::Other,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "the header of the message has the fields and the numbers of fields that RFC 5322 §3.6 allows, and one address in From",
    basis: "RFC 5322 §3.6; Gmail 5.7.1 \"not RFC 5322 compliant\", GMX",
    beyond: "beyond RFC 5321 §3.3, which does not let a server judge the header; RFC 5322 §3.6 requires only Date and From",
    parameters: &[
        Parameter {
            name: "missing",
            kind: Kind::Choices(SINGLE_FIELDS),
            default: BY_RFC5322,
            doc: "the required fields (RFC 5322: date, from)",
        },
        Parameter {
            name: "doubled",
            kind: Kind::Choices(SINGLE_FIELDS),
            default: BY_RFC5322,
            doc: "the fields that must not be repeated (RFC 5322: all of them)",
        },
        Parameter {
            name: "malformed",
            kind: Kind::Choices(SINGLE_FIELDS),
            default: BY_RFC5322,
            doc: "the fields whose values must be well-formed: dates, addresses, identifiers, no control characters (RFC 5322: all of them)",
        },
        Parameter {
            name: "several_from",
            kind: Kind::Choice(&["accept", "with-sender", "refuse"]),
            default: BY_RFC5322,
            doc: "whether several addresses in From are accepted: always, with a Sender field (RFC 5322 §3.6.2), or never (Gmail)",
        },
        Parameter {
            name: "stray_lines",
            kind: Kind::Flag,
            default: BY_RFC5322,
            doc: "whether a header line that is not a field is refused (RFC 5322: yes)",
        },
    ],
    fail: &["550 5.7.1 This message is not RFC 5322 compliant: {what}"],
    error: &["451 4.7.1 Try again later"],
    needs: |_| Observations {
        header: true,
        ..Observations::default()
    },
    build,
};

/// The demands of a rule.
struct Demands {
    missing: Vec<&'static str>,
    doubled: Vec<&'static str>,
    malformed: Vec<&'static str>,
    several_from: &'static str,
    stray_lines: bool,
}

fn build(settings: &Settings) -> Judge {
    let by_rfc = CHECK.parameters.iter().all(|p| !settings.is_set(p.name));
    let fields = |name, all: &'static [&'static str]| match by_rfc {
        true => all.to_vec(),
        false => settings.choices(name),
    };
    let demands = Demands {
        missing: fields("missing", REQUIRED),
        doubled: fields("doubled", SINGLE_FIELDS),
        malformed: fields("malformed", SINGLE_FIELDS),
        several_from: settings.choice(
            "several_from",
            if by_rfc { "with-sender" } else { "accept" },
        ),
        stray_lines: settings.flag("stray_lines", by_rfc),
    };
    Box::new(move |facts| judge(facts, &demands))
}

fn judge(facts: &Facts, demands: &Demands) -> Finding {
    let Some(header) = &facts.header else {
        return Finding::NotApplicable;
    };
    let faults = demands.faults(header);
    if faults.is_empty() {
        return Finding::Satisfied;
    }
    let words: Vec<_> = faults.iter().map(|fault| describe(fault, header)).collect();
    let what = words.join(", ");
    let field = faults.first().map_or_else(String::new, HeaderFault::field);
    let changes = faults.into_iter().map(Behaviour::MendHeader);
    Finding::Violated(Complaint {
        why: format!("the header of the message is malformed: {what}"),
        remedies: vec![Remedy {
            all_of: changes.map(Change::Behave).collect(),
        }],
        quotes: vec![("what", what), ("field", title(&field))],
    })
}

impl Demands {
    /// The faults, in the order of RFC 5322 §3.6.
    fn faults(&self, header: &Header) -> Vec<HeaderFault> {
        let mut faults = Vec::new();
        for name in SINGLE_FIELDS.iter().copied() {
            let times = header.times(name);
            let wrong = header
                .field(name)
                .is_some_and(|field| !field.mistake.is_empty());
            if times == 0 && self.missing.contains(&name) {
                faults.push(HeaderFault::Missing(name));
            }
            if wrong && self.malformed.contains(&name) {
                faults.push(HeaderFault::Malformed(name));
            } else if times > 1 && self.doubled.contains(&name) {
                faults.push(HeaderFault::Doubled(name));
            }
        }
        let several = match self.several_from {
            "refuse" => true,
            "with-sender" => header.times("sender") == 0,
            _ => false,
        };
        // Two From fields are a different fault. A rewritten field has one address.
        let one_field =
            header.times("from") == 1 && !faults.contains(&HeaderFault::Malformed("from"));
        if several && one_field && header.from.len() > 1 {
            faults.push(HeaderFault::SeveralFrom);
        }
        if self.stray_lines && !header.stray_line.is_empty() {
            faults.push(HeaderFault::StrayLine);
        }
        faults
    }
}

fn describe(fault: &HeaderFault, header: &Header) -> String {
    match fault {
        HeaderFault::Missing(name) => format!("no {} field", title(name)),
        HeaderFault::Doubled(name) => format!("{} {} fields", header.times(name), title(name)),
        HeaderFault::Malformed(name) => {
            let why = header.field(name).map_or("", |field| &field.mistake);
            format!("a malformed {} field ({why})", title(name))
        }
        HeaderFault::SeveralFrom => format!("{} addresses in From", header.from.len()),
        HeaderFault::StrayLine => format!("a line that is not a field ({:?})", header.stray_line),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, NOT_APPLICABLE, Outcome, SATISFIED, VIOLATED, case};

    const WHOLE: &str = "From: <a@x.test>\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <1@x.test>\r\nSubject: s\r\n";

    #[track_caller]
    fn check(header: &str, settings: &str, expected: &str) -> Outcome {
        case(Case {
            check: "message-format",
            settings,
            message: Some(&format!("{header}\r\nbody\r\n")),
            ..Case::default()
        })
        .is(expected)
    }

    #[test]
    fn by_rfc5322() {
        check(WHOLE, "", SATISFIED);
        check(
            "From: <a@x.test>\r\nDate: 11 Jul 2003 21:00:37 +0000\r\n",
            "",
            SATISFIED,
        );
        check("", "", VIOLATED).because("no Date field, no From field");
        check(
            &format!("{WHOLE}Subject: again\r\nsubject: and again\r\n"),
            "",
            VIOLATED,
        )
        .because("3 Subject fields")
        .remedied_by("send one Subject header field instead");
        check("From: <a@x.test>\r\nDate: soon\r\n", "", VIOLATED)
            .because("a malformed Date field")
            .remedied_by("Date");
        let two = "From: a@x.test, b@x.test\r\nDate: 11 Jul 2003 21:00:37 +0000\r\n";
        check(two, "", VIOLATED)
            .because("2 addresses in From")
            .remedied_by("one address");
        check(&format!("{two}Sender: a@x.test\r\n"), "", SATISFIED);
        check(&format!("{WHOLE}oops\r\n"), "", VIOLATED).because("\"oops\"");
        case(Case {
            check: "message-format",
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }

    #[test]
    fn only_the_listed_faults_are_refused() {
        let only = "missing = [\"message-id\"]\nmalformed = [\"message-id\"]";
        check("", only, VIOLATED)
            .because("malformed: no Message-ID field")
            .remedied_by("add one Message-ID header field");
        check("Message-ID: <1@x.test>\r\noops\r\n", only, SATISFIED);
        check("Message-ID: 1\r\n", only, VIOLATED);
        check(
            "Message-ID: <1@x.test>\r\nMessage-ID: <1@x.test>\r\n",
            only,
            SATISFIED,
        );
        check(
            "From: a@x.test, b@x.test\r\nSender: a@x.test\r\n",
            "several_from = \"refuse\"",
            VIOLATED,
        );
        check(
            "From: a@x.test\r\nFrom: b@x.test\r\n",
            "several_from = \"refuse\"",
            SATISFIED,
        );
        check("", "several_from = \"refuse\"", SATISFIED);
        check("oops\r\n", "stray_lines = true", VIOLATED);
        check("oops\r\n", "stray_lines = false", SATISFIED);
        check(
            "Subject: a\r\nSubject: b\r\n",
            "doubled = [\"date\"]",
            SATISFIED,
        );
    }
}
