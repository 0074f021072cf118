//! What a receiver writes above an accepted message: Return-Path, Authentication-Results, Received
//! (RFC 5321 §4.4, RFC 8601).

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::facts::{Facts, Verb};
use crate::name;

/// The header fields of one message, all but the date of the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    fields: String,
}

impl Trace {
    /// Writes the fields. What was not observed is not told: without any check it is `none` (RFC 8601 §2.2).
    pub(super) fn new(facts: &Facts, receiver: &str, id: &str, smtputf8: bool) -> Self {
        let mut fields = String::with_capacity(512);
        let sender = facts.sender.as_deref().unwrap_or_default();
        let _ = write!(fields, "Return-Path: <{sender}>\r\nAuthentication-Results: {receiver};");
        let results = results(facts);
        if results.is_empty() {
            fields.push_str(" none");
        }
        for (i, result) in results.iter().enumerate() {
            let end = if i + 1 == results.len() { "" } else { ";" };
            let _ = write!(fields, "\r\n\t{result}{end}");
        }
        let hello = facts.hello.as_ref().map_or("", |hello| hello.argument.as_str());
        let verified = facts.iprev.as_ref().and_then(|iprev| iprev.verified_name.as_ref());
        let verified = verified.map_or_else(|| "unknown".to_owned(), name::display);
        let with = protocol(facts, smtputf8);
        let _ = write!(fields, "\r\nReceived: from {} ({verified} [{}])", printable(hello), address(facts));
        let _ = write!(fields, "\r\n\tby {receiver} with {with} id {id}");
        if let Some(recipient) = &facts.recipient
            && facts.conduct.recipients == 1
        {
            let _ = write!(fields, "\r\n\tfor <{recipient}>");
        }
        Self { fields }
    }

    /// The fields as they stand above the message, dated.
    pub(super) fn dated(self, at: Timestamp) -> String {
        let mut text = self.fields;
        text.push_str(";\r\n\t");
        let date = at.to_zoned(jiff::tz::TimeZone::UTC);
        let _ = DateTimePrinter::new().print_zoned(&date, &mut text);
        text.push_str("\r\n");
        text
    }
}

/// The address in a Received field: IPv6 carries its tag (RFC 5321 §4.1.3).
fn address(facts: &Facts) -> String {
    match facts.client_address {
        std::net::IpAddr::V4(v4) => v4.to_string(),
        std::net::IpAddr::V6(v6) => format!("IPv6:{v6}"),
    }
}

/// The protocol by its registered name (RFC 3848, RFC 6531 §4.3).
fn protocol(facts: &Facts, smtputf8: bool) -> &'static str {
    let verb = facts.hello.as_ref().map_or(Verb::Helo, |hello| hello.verb);
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

/// One result of each method that was observed (RFC 8601 §2.7).
fn results(facts: &Facts) -> Vec<String> {
    let mut results = Vec::new();
    if let Some(iprev) = &facts.iprev {
        let name = iprev.verified_name.as_ref().map(|n| format!(" ({})", name::display(n))).unwrap_or_default();
        results.push(format!(
            "iprev={}{name} policy.iprev={}",
            iprev.result.word(),
            value(&facts.client_address.to_string())
        ));
    }
    if let (Some(spf), Some(hello)) = (&facts.spf_hello, &facts.hello) {
        results.push(format!("spf={} smtp.helo={}", spf.result.word(), value(&hello.argument)));
    }
    if let Some(spf) = &facts.spf_sender {
        let identity = facts.sender.as_deref().filter(|sender| !sender.is_empty()).map(str::to_owned);
        let identity = identity.unwrap_or_else(|| format!("postmaster@{}", spf.domain));
        results.push(format!("spf={} smtp.mailfrom={}", spf.result.word(), value(&identity)));
    }
    match facts.dkim.as_deref() {
        None => {}
        Some([]) => results.push("dkim=none".to_owned()),
        Some(signatures) => results.extend(signatures.iter().map(|signature| {
            let why =
                if signature.why.is_empty() { String::new() } else { format!(" reason={}", value(&signature.why)) };
            let (domain, selector) = (value(&signature.domain), value(&signature.selector));
            format!("dkim={}{why} header.d={domain} header.s={selector}", signature.result.word())
        })),
    }
    if let Some(dmarc) = &facts.dmarc {
        let (result, domain) = (dmarc.result.word(), value(&dmarc.from_domain));
        let policy = if dmarc.record { format!(" policy.dmarc={}", dmarc.policy) } else { String::new() };
        results.push(format!("dmarc={result} header.from={domain}{policy}"));
    }
    results
}

/// A value as a token, or as a quoted string where it is none (RFC 8601 §2.2, RFC 5322 §3.2.4). Control characters
/// have no place in either: they become `?`.
fn value(text: &str) -> String {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-./^_`{|}~@".contains(c);
    if !text.is_empty() && text.chars().all(token) {
        return text.to_owned();
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
    quoted
}

/// What a client claims, where a domain is expected: whatever could end the field or begin a comment becomes `?`.
fn printable(claim: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || "[]:.-_".contains(c) { c } else { '?' };
    let claim: String = claim.chars().take(255).map(kept).collect();
    if claim.is_empty() { "unknown".to_owned() } else { claim }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{AuthResult, Dkim, Dmarc, Lookup, Wants, lookup::table::Table};

    fn facts(client: &str, hello: &str, wants: &Wants, world: &dyn Lookup) -> Facts {
        let mut facts = Facts::of_receiver(client.parse().expect("an address"), "mx.martinet.test");
        facts.observe_client(wants, world);
        facts.observe_hello(Verb::Ehlo, hello, wants, world);
        facts.observe_sender("a@example.test", wants, world);
        facts.recipient = Some("b@contoso.test".to_owned());
        facts.conduct.recipients = 1;
        facts
    }

    #[track_caller]
    fn check(facts: &Facts, expected: &str) {
        let at: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a time");
        let got = Trace::new(facts, "mx.martinet.test", "0000002a", false).dated(at);
        assert_eq!(got.replace("\r\n", "\n"), expected);
    }

    #[test]
    fn rfc8601_what_was_observed() {
        let world = Table::new(
            "10.2.0.192.in-addr.arpa PTR mail.example.test\nmail.example.test A 192.0.2.10\n\
             mail.example.test TXT v=spf1 a -all\nexample.test TXT v=spf1 -all",
        );
        let wants = Wants { iprev: true, spf_hello: true, spf_sender: true, ..Wants::default() };
        let mut facts = facts("192.0.2.10", "mail.example.test", &wants, &world);
        let dkim = |result, why: &str| Dkim {
            domain: "example.test".into(),
            selector: "s1".into(),
            result,
            why: why.to_owned(),
        };
        facts.dkim = Some(vec![dkim(AuthResult::Pass, ""), dkim(AuthResult::Fail, "body \"changed\"")]);
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
    fn claims_cannot_leave_their_place() {
        let world = Table::new("");
        let mut facts = facts("2001:db8::1", "x) by evil (y;\r\nX-Evil: 1", &Wants::default(), &world);
        facts.conduct.recipients = 2;
        check(
            &facts,
            "Return-Path: <a@example.test>
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
