//! The header fields that a receiver adds above an accepted message: Return-Path, Delivered-To, Authentication-Results,
//! Received (RFC 5321 §4.4, RFC 8601).

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::facts::{Dkim, Facts, Verb};
use crate::name;

/// The header fields of one message; the last one is dated when the message is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    fields: String,
    dated: Option<Timestamp>,
}

impl Trace {
    /// Writes the fields. Authentication-Results has only methods that were observed; without any it is `none` (RFC 8601
    /// §2.2). There is one Delivered-To for each recipient, because the message is stored once for all of them.
    pub(crate) fn new(
        facts: &Facts,
        recipients: &[String],
        receiver: &str,
        id: &str,
        smtputf8: bool,
    ) -> Self {
        let mut fields = String::with_capacity(512);
        let address = facts.client_address.to_string();
        let verified = facts
            .iprev
            .as_ref()
            .and_then(|iprev| iprev.verified_name.as_ref())
            .map(name::display);
        let sender = facts.sender.as_deref().unwrap_or_default();
        fields.extend(["Return-Path: <", sender, ">\r\n"]);
        for recipient in recipients {
            fields.extend(["Delivered-To: ", recipient, "\r\n"]);
        }
        fields.extend(["Authentication-Results: ", receiver, ";"]);
        results(facts, &address, verified.as_deref(), &mut fields);
        let helo = facts
            .helo
            .as_ref()
            .map_or("", |helo| helo.argument.as_str());
        let (helo, verified) = (printable(helo), verified.as_deref().unwrap_or("unknown"));
        // IPv6 addresses have a tag (RFC 5321 §4.1.3).
        let tag = if facts.client_address.is_ipv6() {
            "IPv6:"
        } else {
            ""
        };
        let with = protocol(facts, smtputf8);
        fields.extend([
            "\r\nReceived: from ",
            &helo,
            " (",
            verified,
            " [",
            tag,
            &address,
            "])",
        ]);
        fields.extend(["\r\n\tby ", receiver, " with ", with, " id ", id]);
        if let Some(recipient) = &facts.recipient
            && facts.conduct.recipients == 1
        {
            fields.extend(["\r\n\tfor <", recipient, ">"]);
        }
        Self {
            fields,
            dated: None,
        }
    }

    /// The fields above a message that is being stored, or was stored before.
    pub(crate) fn dated(&mut self, at: Timestamp) -> &str {
        if self.dated.is_none() {
            self.dated = Some(at);
            self.fields.push_str(";\r\n\t");
            let date = at.to_zoned(jiff::tz::TimeZone::UTC);
            let _ = DateTimePrinter::new().print_zoned(&date, &mut self.fields);
            self.fields.push_str("\r\n");
        }
        &self.fields
    }

    /// The fields of a message that is being stored, and the time.
    pub(crate) fn finished(mut self) -> (Timestamp, String) {
        let at = self.dated.unwrap_or_else(Timestamp::now);
        self.dated(at);
        (at, self.fields)
    }
}

/// The protocol by its registered name (RFC 3848, RFC 6531 §4.3).
fn protocol(facts: &Facts, smtputf8: bool) -> &'static str {
    let verb = facts.helo.as_ref().map_or(Verb::Helo, |helo| helo.verb);
    match (verb, smtputf8, facts.conduct.tls) {
        (Verb::Helo, ..) => "SMTP",
        (Verb::Ehlo, false, false) => "ESMTP",
        (Verb::Ehlo, false, true) => "ESMTPS",
        (Verb::Ehlo, true, false) => "UTF8SMTP",
        (Verb::Ehlo, true, true) => "UTF8SMTPS",
        (Verb::Lhlo, false, false) => "LMTP",
        (Verb::Lhlo, false, true) => "LMTPS",
        (Verb::Lhlo, true, false) => "UTF8LMTP",
        (Verb::Lhlo, true, true) => "UTF8LMTPS",
    }
}

/// Writes one result of each method that was observed (RFC 8601 §2.7).
fn results(facts: &Facts, address: &str, verified: Option<&str>, fields: &mut String) {
    let begin = fields.len();
    let mut result = |parts: &[&str]| {
        let end = if fields.len() == begin { "" } else { ";" };
        fields.extend([end, "\r\n\t"]);
        fields.extend(parts.iter().copied());
    };
    if let Some(iprev) = &facts.iprev {
        let [open, name, close] = verified.map_or([""; 3], |name| [" (", name, ")"]);
        result(&[
            "iprev=",
            iprev.result.word(),
            open,
            name,
            close,
            " policy.iprev=",
            &value(address),
        ]);
    }
    if let (Some(spf), Some(helo)) = (&facts.spf_helo, &facts.helo) {
        result(&[
            "spf=",
            spf.result.word(),
            " smtp.helo=",
            &value(&helo.argument),
        ]);
    }
    if let Some(spf) = &facts.spf_sender {
        let identity = facts
            .sender
            .as_deref()
            .filter(|sender| !sender.is_empty())
            .map(str::to_owned);
        let identity = identity.unwrap_or_else(|| format!("postmaster@{}", spf.domain));
        result(&[
            "spf=",
            spf.result.word(),
            " smtp.mailfrom=",
            &value(&identity),
        ]);
    }
    match facts.dkim.as_deref() {
        None => {}
        Some([]) => result(&["dkim=none"]),
        Some(signatures) => signatures
            .iter()
            .for_each(|signature| dkim(signature, &mut result)),
    }
    if let Some(dmarc) = &facts.dmarc {
        let policy = if dmarc.record {
            [" policy.dmarc=", dmarc.policy]
        } else {
            [""; 2]
        };
        let domain = value(&dmarc.from_domain);
        result(&[
            "dmarc=",
            dmarc.result.word(),
            " header.from=",
            &domain,
            policy[0],
            policy[1],
        ]);
    }
    if fields.len() == begin {
        fields.push_str(" none");
    }
}

/// The result of one DKIM signature.
fn dkim(signature: &Dkim, result: &mut impl FnMut(&[&str])) {
    let Dkim {
        domain,
        selector,
        why,
        ..
    } = signature;
    let reason = if why.is_empty() {
        String::new()
    } else {
        format!(" reason={}", value(why))
    };
    result(&[
        "dkim=",
        signature.result.word(),
        &reason,
        " header.d=",
        &value(domain),
        " header.s=",
        &value(selector),
    ]);
}

/// A value as a token, or as a quoted string if it is not a token (RFC 8601 §2.2, RFC 5322 §3.2.4). Control characters
/// are allowed in neither and become `?`.
fn value(text: &str) -> Cow<'_, str> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-./^_`{|}~@".contains(c);
    if !text.is_empty() && text.chars().all(token) {
        return text.into();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(if c.is_control() { '?' } else { c });
    }
    quoted.push('"');
    quoted.into()
}

/// A claim of the client where a domain is expected: characters that could end the field or begin a comment become `?`.
fn printable(claim: &str) -> String {
    let replace_unprintable = |c: char| {
        if c.is_alphanumeric() || "[]:.-_".contains(c) {
            c
        } else {
            '?'
        }
    };
    let claim: String = claim.chars().take(255).map(replace_unprintable).collect();
    if claim.is_empty() {
        "unknown".to_owned()
    } else {
        claim
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{AuthResult, Dmarc, Observations, ReceiverLookup, lookup::table::Table};

    fn facts(client: &str, helo: &str, needs: &Observations, world: &dyn ReceiverLookup) -> Facts {
        let mut facts = Facts::of_receiver(client.parse().expect("an address"), "mx.martinet.test");
        facts.observe_client(needs, world);
        facts.observe_helo(Verb::Ehlo, helo, needs, world);
        facts.observe_sender("a@example.test", needs, world);
        facts.recipient = Some("b@contoso.test".to_owned());
        facts.conduct.recipients = 1;
        facts
    }

    #[track_caller]
    fn check(facts: &Facts, expected: &str) {
        let at: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a time");
        let mut trace = Trace::new(
            facts,
            &["b@contoso.test".to_owned()],
            "mx.martinet.test",
            "0000002a",
            false,
        );
        let got = trace.dated(at).to_owned();
        assert_eq!(trace.finished(), (at, got.clone()), "once");
        assert_eq!(got.replace("\r\n", "\n"), expected);
    }

    #[test]
    fn rfc8601_results_are_those_observed() {
        let world = Table::new(
            "10.2.0.192.in-addr.arpa PTR mail.example.test\nmail.example.test A 192.0.2.10\n\
             mail.example.test TXT v=spf1 a -all\nexample.test TXT v=spf1 -all",
        );
        let needs = Observations {
            iprev: true,
            spf_helo: true,
            spf_sender: true,
            ..Observations::default()
        };
        let mut facts = facts("192.0.2.10", "mail.example.test", &needs, &world);
        let dkim = |result, why: &str| Dkim {
            domain: "example.test".into(),
            selector: "s1".into(),
            result,
            why: why.to_owned(),
        };
        facts.dkim = Some(vec![
            dkim(AuthResult::Pass, ""),
            dkim(AuthResult::Fail, "body \"changed\""),
        ]);
        facts.dmarc = Some(Dmarc {
            from_domain: "example.test".into(),
            record: true,
            policy: "reject",
            result: AuthResult::Pass,
            spf_aligned: false,
            dkim_aligned: true,
        });
        check(
            &facts,
            "Return-Path: <a@example.test>
Delivered-To: b@contoso.test
Authentication-Results: mx.martinet.test;
	iprev=pass (mail.example.test) policy.iprev=192.0.2.10;
	spf=pass smtp.helo=mail.example.test;
	spf=fail smtp.mailfrom=a@example.test;
	dkim=pass header.d=example.test header.s=s1;
	dkim=fail reason=\"body \\\"changed\\\"\" header.d=example.test header.s=s1;
	dmarc=pass header.from=example.test policy.dmarc=reject
Received: from mail.example.test (mail.example.test [192.0.2.10])
	by mx.martinet.test with ESMTP id 0000002a
	for <b@contoso.test>;
	Sat, 21 Nov 2026 10:00:00 +0000
",
        );
    }

    #[test]
    fn claims_cannot_add_header_fields() {
        let world = Table::new("");
        let mut facts = facts(
            "2001:db8::1",
            "x) by evil (y;\r\nX-Evil: 1",
            &Observations::default(),
            &world,
        );
        facts.conduct.recipients = 2;
        check(
            &facts,
            "Return-Path: <a@example.test>
Delivered-To: b@contoso.test
Authentication-Results: mx.martinet.test; none
Received: from x??by?evil??y???X-Evil:?1 (unknown [IPv6:2001:db8::1])
	by mx.martinet.test with ESMTP id 0000002a;
	Sat, 21 Nov 2026 10:00:00 +0000
",
        );
        assert_eq!(value("a\r\nb;"), "\"a??b;\"");
        assert_eq!(value(""), "\"\"");
    }
}
