//! Sessions loaded from a journal file.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::journal::{Envelope, Message};
use crate::policy::{After, Refusal, RemediesView, checks};
use crate::reply::Reply;
use crate::smtp::ClientAddress;
use crate::smtp::record::transcript::TranscriptLine;
use crate::smtp::record::{SessionEntry, SessionRecord, Transaction};
use crate::smtp::session::event::Speaker;
use crate::verdict::{ClosedBy, Source, Verdict};

impl SessionEntry {
    /// A session that ended in an earlier process; `record` is what [`SessionRecord`] serialises to.
    pub(crate) fn restored(id: u64, record: &Value) -> Self {
        Self::of(restored(id, record))
    }

    /// A session that was running when the process ended; only its messages are known.
    pub(crate) fn interrupted(id: u64, messages: &[&Message]) -> Self {
        let mut record = restored(id, &Value::Null);
        record.closed_by = Some(ClosedBy::Lost);
        record.closed_reason = "the process ended".to_owned();
        if let Some(first) = messages.first() {
            record.verdict = Verdict::Accept;
            record.started = first.at;
            record.sender.clone_from(&first.envelope.sender);
        }
        for message in messages {
            record
                .recipients
                .extend(message.envelope.recipients.iter().cloned());
            let envelope = Arc::clone(&message.envelope);
            record.transactions.push(Transaction {
                envelope,
                verdict: Verdict::Accept,
                reply: Vec::new(),
                message: Some(message.id),
            });
        }
        Self::of(record)
    }
}

fn restored(id: u64, value: &Value) -> SessionRecord {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let unknown = std::net::IpAddr::from([0, 0, 0, 0]);
    let address = text("client_address").parse().unwrap_or(unknown);
    let source = serde_json::from_value(value["client_source"].clone()).unwrap_or_default();
    let client = ClientAddress {
        address,
        source,
        translated_from: text("translated_from").parse().ok(),
    };
    let peer = text("peer")
        .parse()
        .unwrap_or_else(|_| std::net::SocketAddr::new(unknown, 0));
    let clock = Duration::try_from_secs_f64(value["clock_ms"].as_f64().unwrap_or_default() / 1e3)
        .unwrap_or_default();
    let mut record = SessionRecord::new(id, peer, client, text("receiver"), clock);
    record.started = text("started").parse().unwrap_or(record.started);
    record.ended = text("ended").parse().ok();
    record.helo = text("helo");
    record.sender = text("sender");
    record.recipients = strings(&value["recipients"]);
    record.verdict = verdict(value);
    record.reply = strings(&value["reply"]);
    record.refusals = list(&value["refusals"])
        .iter()
        .filter_map(refusal)
        .collect();
    record.allowed = text("allowed");
    record.transactions = list(&value["transactions"])
        .iter()
        .map(transaction)
        .collect();
    for line in list(&value["transcript"]) {
        record.transcript.push(transcript_line(line));
    }
    record.transcript_dropped = value["transcript_dropped"].as_u64().unwrap_or_default();
    record.closed_reason = text("closed_reason");
    let closed_by = serde_json::from_value(value["closed_by"].clone());
    record.closed_by = Some(closed_by.unwrap_or(ClosedBy::Lost));
    record.archived = Some(Box::new((
        value["facts"].clone(),
        value["evidence"].clone(),
    )));
    record
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn strings(value: &Value) -> Vec<String> {
    list(value)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn verdict(value: &Value) -> Verdict {
    let word = value["verdict"].as_str().unwrap_or_default();
    word.parse().unwrap_or_default()
}

/// A refusal; its rule is absent if the catalogue no longer has it.
fn refusal(value: &Value) -> Option<Refusal> {
    let source = value["source"].as_str().unwrap_or("rule");
    let source: Source = source.parse().ok()?;
    let rule = match source {
        Source::Rule => checks::find(value["rule"].as_str()?)?.name,
        _ => "",
    };
    Some(Refusal {
        source,
        rule,
        stage: value["stage"].as_str()?.parse().ok()?,
        reply: Reply::parse(&strings(&value["reply"])).ok()?,
        temporary: value["temporary"].as_bool().unwrap_or_default(),
        why: value["why"].as_str().unwrap_or_default().to_owned(),
        remedies: serde_json::from_value::<RemediesView>(value["remedies"].clone())
            .unwrap_or_default()
            .into(),
        nth: 0,
        after: After::Continue,
    })
}

fn transaction(value: &Value) -> Transaction {
    let envelope: Envelope = serde_json::from_value(value.clone()).unwrap_or_default();
    let envelope = Arc::new(envelope);
    Transaction {
        envelope,
        verdict: verdict(value),
        reply: strings(&value["reply"]),
        message: value["message"].as_u64(),
    }
}

fn transcript_line(value: &Value) -> TranscriptLine<'_> {
    let from = if value["from"] == "client" {
        Speaker::Client
    } else {
        Speaker::Server
    };
    let at = value["at"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    TranscriptLine {
        at,
        from,
        text: value["text"].as_str().unwrap_or_default(),
    }
}
