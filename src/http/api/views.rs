//! What the API shows of a session: stable names, nothing null. What is not known is left out, and lists may be empty.

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
    /// Its number in this world, from 1.
    pub id: u64,
    /// When the connection was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// When it ended; left out while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// The socket's peer.
    pub peer: String,
    /// The address it is judged by.
    pub client_address: String,
    /// Where that address comes from.
    pub client_source: AddressSource,
    /// The address before translation, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translated_from: Option<String>,
    /// The receiver's clock when the connection was accepted, in milliseconds.
    pub clock_ms: f64,
    /// The last HELO/EHLO argument, empty before.
    pub helo: String,
    /// The reverse-path of the last transaction that was tried.
    pub sender: String,
    /// The arguments of RCPT, accepted or not.
    pub recipients: Vec<String>,
    /// What it came to so far: `accept` where a message was acknowledged and nothing refused, `defer` or `reject` by
    /// the first refusal, `none` otherwise.
    pub verdict: Verdict,
    /// The reply code that decided; left out before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Who spoke the first refusal; left out where nothing was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The rule of the first refusal; left out where no rule spoke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// The stage of the first refusal; left out where nothing was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The reply that decided, as wire lines.
    pub reply: Vec<String>,
    /// Every refusal.
    pub refusals: Vec<RefusalView>,
    /// Why rules were passed over, empty where none were.
    pub allowed: String,
    /// The transactions that ended.
    pub transactions: Vec<TransactionView>,
    /// What ended it; left out while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<ClosedBy>,
    /// What was observed; left out of outlines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub facts: Option<Value>,
    /// The DNS questions the receiver asked, and what came back; left out of outlines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub evidence: Option<Value>,
    /// What was said; left out of outlines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Vec<LineView>>,
    /// Lines beyond what a transcript keeps.
    pub transcript_dropped: u64,
}

/// One refusal.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RefusalView {
    /// Who spoke it.
    pub source: Source,
    /// The rule; left out where no rule spoke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// The stage at which the reply was spoken.
    pub stage: Stage,
    /// The reply code.
    pub code: u16,
    /// The enhanced status code, for example 5.7.25; left out where the reply has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enhanced: Option<String>,
    /// The reply, as wire lines.
    pub reply: Vec<String>,
    /// True where DNS failed for the time being and nothing is proved.
    pub temporary: bool,
    /// Which demand was not met.
    pub why: String,
    /// What would cure it, the best first.
    pub remedies: RemediesView,
}

/// One transaction, from MAIL to its end: at its final dot, or before.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TransactionView {
    /// Its reverse-path, empty for the null one.
    pub sender: String,
    /// Its forward-paths.
    pub recipients: Vec<String>,
    /// What it came to, by what happened from MAIL to its end.
    pub verdict: Verdict,
    /// The reply to the final dot, as wire lines; empty where none was sent.
    pub reply: Vec<String>,
    /// The number of the message, where it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
}

/// One line of a transcript.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LineView {
    /// When it was sent, or read.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who said it: `client` or `server`.
    pub from: &'static str,
    /// The line without its line end.
    pub text: String,
}

impl SessionView {
    /// The outline: who, what, and which verdict.
    pub fn outline(record: &SessionRecord) -> Self {
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
            facts: None,
            evidence: None,
            transcript: None,
            transcript_dropped: record.transcript_dropped,
        }
    }

    /// The session with facts, evidence and transcript.
    pub fn whole(record: &SessionRecord) -> Self {
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

/// A value as JSON without nulls: what is not known is left out.
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
