//! The view of a session in the API: names are stable, and nothing is null. Unknown values are left out; lists may be
//! empty.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::policy::{Refusal, RemediesView};
use crate::smtp::{AddressSource, SessionRecord, Transaction, TranscriptLine};
use crate::stage::Stage;
use crate::verdict::{ClosedBy, Source, Verdict};

/// A session.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SessionView {
    /// The number of the session in this world, from 1.
    pub(crate) id: u64,
    /// The time at which the connection was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) started: Timestamp,
    /// The time at which the session ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) ended: Option<Timestamp>,
    /// The address and port of the connection.
    pub(crate) peer: String,
    /// The client address that the rules use.
    pub(crate) client_address: String,
    /// The source of the client address.
    pub(crate) client_source: AddressSource,
    /// The name of the receiver that judges the session.
    pub(crate) receiver: String,
    /// The client address before NAT; absent without NAT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) translated_from: Option<String>,
    /// The clock of the world when the connection was accepted, in milliseconds.
    pub(crate) clock_ms: f64,
    /// The argument of the last HELO or EHLO; empty before.
    pub(crate) helo: String,
    /// The envelope sender of the last transaction; empty for the null sender.
    pub(crate) sender: String,
    /// The recipients in RCPT commands, accepted or not.
    pub(crate) recipients: Vec<String>,
    /// The verdict so far: `accept` after an acknowledged message without a refusal, `defer` or `reject` by the class of
    /// the first refusal, `none` otherwise.
    pub(crate) verdict: Verdict,
    /// The reply code of the first refusal, or of the reply to the final dot; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<u16>,
    /// The source of the first refusal; absent without a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
    /// The rule of the first refusal; absent if no rule refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<&'static str>,
    /// The stage of the first refusal; absent without a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<Stage>,
    /// The reply of the first refusal, or the reply to the final dot, line by line.
    pub(crate) reply: Vec<String>,
    /// All refusals.
    pub(crate) refusals: Vec<RefusalView>,
    /// The reason why rules were bypassed; empty if none were.
    pub(crate) allowed: String,
    /// The completed transactions.
    pub(crate) transactions: Vec<TransactionView>,
    /// What ended the session; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed_by: Option<ClosedBy>,
    /// The reason of a lost connection or a failed TLS handshake; absent if the session ended in order.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) closed_reason: String,
    /// The facts about the client; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) facts: Option<Value>,
    /// The DNS lookups of the receiver with their answers; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub(crate) evidence: Option<Value>,
    /// The dialogue; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transcript: Option<Vec<LineView>>,
    /// The number of lines that the transcript does not keep.
    pub(crate) transcript_dropped: u64,
}

/// One refusal.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RefusalView {
    /// The source of the refusal.
    pub source: Source,
    /// The rule; absent if no rule refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// The stage at which the reply was sent.
    pub stage: Stage,
    /// The reply code.
    pub code: u16,
    /// The enhanced status code, for example 5.7.25; absent if the reply has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enhanced: Option<String>,
    /// The reply, line by line.
    pub reply: Vec<String>,
    /// Whether the refusal is due to a temporary DNS failure.
    pub temporary: bool,
    /// The reason, in one sentence.
    pub why: String,
    /// The remedies, best first.
    pub remedies: RemediesView,
}

/// One transaction, from MAIL to its end.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TransactionView {
    /// The envelope sender; empty for the null sender.
    pub sender: String,
    /// The accepted recipients.
    pub recipients: Vec<String>,
    /// The verdict of the transaction.
    pub verdict: Verdict,
    /// The reply to the final dot, line by line; empty without one.
    pub reply: Vec<String>,
    /// The number of the message; absent if none was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
}

/// One line of a transcript.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LineView {
    /// The time at which the line was sent or received.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The sender of the line: `client` or `server`.
    pub from: &'static str,
    /// The line without CRLF.
    pub text: String,
}

impl SessionView {
    /// The session without facts, evidence and transcript.
    pub(crate) fn outline(record: &SessionRecord) -> Self {
        let first = record.refusals.first();
        Self {
            id: record.id,
            started: record.started,
            ended: record.ended,
            peer: record.peer.to_string(),
            client_address: record.client_address.to_string(),
            client_source: record.client_source,
            translated_from: record.translated_from.map(|address| address.to_string()),
            clock_ms: record.clock.as_secs_f64() * 1e3,
            receiver: record.receiver.clone(),
            helo: record.helo.clone(),
            sender: record.sender.clone(),
            recipients: record.recipients.clone(),
            verdict: record.verdict,
            code: record.code(),
            source: first.map(|refusal| refusal.source),
            rule: first.and_then(Refusal::by_rule),
            stage: first.map(|refusal| refusal.stage),
            reply: record.reply.clone(),
            refusals: record.refusals.iter().map(RefusalView::of).collect(),
            allowed: record.allowed.clone(),
            transactions: record
                .transactions
                .iter()
                .map(TransactionView::of)
                .collect(),
            closed_by: record.closed_by,
            closed_reason: record.closed_reason.clone(),
            facts: None,
            evidence: None,
            transcript: None,
            transcript_dropped: record.transcript_dropped,
        }
    }

    /// The session with facts, evidence and transcript.
    pub(crate) fn whole(record: &SessionRecord) -> Self {
        let (facts, evidence) = match record.archived.as_deref() {
            Some((facts, evidence)) => (
                without_nulls(facts.clone()),
                without_nulls(evidence.clone()),
            ),
            None => (plain(&record.facts), plain(&record.evidence)),
        };
        Self {
            facts: Some(facts),
            evidence: Some(evidence),
            transcript: Some(record.transcript.iter().map(LineView::of).collect()),
            ..Self::outline(record)
        }
    }
}

impl RefusalView {
    fn of(refusal: &Refusal) -> Self {
        Self {
            source: refusal.source,
            rule: refusal.by_rule(),
            stage: refusal.stage,
            code: refusal.reply.code().get(),
            enhanced: refusal.enhanced(),
            reply: refusal.reply.wire_lines().collect(),
            temporary: refusal.temporary,
            why: refusal.why.clone(),
            remedies: refusal.remedies.view(),
        }
    }
}

impl TransactionView {
    fn of(transaction: &Transaction) -> Self {
        let envelope = &transaction.envelope;
        Self {
            sender: envelope.sender.clone(),
            recipients: envelope.recipients.clone(),
            verdict: transaction.verdict,
            reply: transaction.reply.clone(),
            message: transaction.message,
        }
    }
}

impl LineView {
    fn of(line: TranscriptLine<'_>) -> Self {
        let from = if line.from == crate::smtp::Speaker::Client {
            "client"
        } else {
            "server"
        };
        Self {
            at: line.at,
            from,
            text: line.text.to_owned(),
        }
    }
}

/// The value as JSON without nulls.
pub(crate) fn plain(value: &impl Serialize) -> Value {
    without_nulls(serde_json::to_value(value).unwrap_or_default())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key, without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
