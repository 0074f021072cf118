//! Sending through the API: the message passes the receiver's rules like any other, and may be refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use serde::Deserialize;
use serde_json::json;

use crate::harness::World;
use crate::http::App;
use crate::http::server::extract::{Body, TheWorld};
use crate::smtp::SessionRecord;
use crate::smtp::client::{Delivery, deliver};

/// The message to send.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Mail {
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<String>,
    reply_to: Vec<Mailbox>,
    subject: String,
    text: String,
    #[serde(rename = "HTML")]
    html: String,
    attachments: Vec<Attachment>,
    tags: Vec<String>,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Mailbox {
    name: String,
    email: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Attachment {
    content: String,
    filename: String,
    content_type: String,
    #[serde(rename = "ContentID")]
    content_id: String,
}

pub(crate) async fn send(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    request: Request,
) -> Response {
    let mail =
        match <Body<Mail> as axum::extract::FromRequest<_>>::from_request(request, &app).await {
            Ok(Body(mail)) => mail,
            Err(problem) => return problem.into_response(),
        };
    let failed =
        |text: String| (StatusCode::BAD_REQUEST, Json(json!({ "Error": text }))).into_response();
    let (recipients, message) = match mail.build() {
        Ok(built) => built,
        Err(text) => return failed(text),
    };
    let before = world.sessions().last();
    let helo = "localhost".to_owned();
    let delivery = Delivery {
        helo,
        from: mail.from.email.clone(),
        to: recipients,
        message,
        ..Delivery::default()
    };
    let dialogue = match deliver(world.smtp_addr(), &delivery).await {
        Ok(dialogue) => dialogue,
        Err(error) => return failed(error.to_string()),
    };
    if let Some((stage, reply)) = dialogue.refused {
        let lines: Vec<_> = reply.wire_lines().collect();
        return failed(format!("refused at {stage}: {}", lines.join(" / ")));
    }
    let Some(id) = number_of_message(&world, before, dialogue.local).await else {
        return failed("the message is not kept any more".to_owned());
    };
    if !mail.tags.is_empty() {
        app.mailpit.with(&world, |marked| {
            marked.set_tags(id, mail.tags.iter().cloned().collect());
        });
    }
    Json(json!({ "ID": id.to_string() })).into_response()
}

/// The number of the message that arrived from this address in a session with a greater number.
async fn number_of_message(world: &World, before: u64, local: Option<SocketAddr>) -> Option<u64> {
    let local = local?;
    let message_of_connection = |record: &SessionRecord| {
        let peer = record.peer;
        let same =
            peer.port() == local.port() && peer.ip().to_canonical() == local.ip().to_canonical();
        let mut messages = record.transactions.iter().filter_map(|t| t.message);
        messages.next().filter(|_| same)
    };
    let found = world.sessions().wait(|log| {
        let sessions = log.after(before);
        sessions
            .iter()
            .find_map(|entry| entry.look(message_of_connection))
    });
    tokio::time::timeout(world.wait_timeout(), found).await.ok()
}

/// A field name (RFC 5322 §3.6.8): visible ASCII without the colon.
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b':')
}

impl Mail {
    /// The recipients of the envelope, and the message. A value must not contain a line end, which would begin another
    /// field.
    fn build(&self) -> Result<(Vec<String>, Vec<u8>), String> {
        let mut recipients: Vec<String> = self
            .to
            .iter()
            .chain(&self.cc)
            .map(|mailbox| mailbox.email.clone())
            .collect();
        recipients.extend(self.bcc.iter().cloned());
        if self.from.email.is_empty() {
            return Err("expected an address in From.Email, found none".to_owned());
        }
        if recipients.is_empty() {
            return Err("expected a recipient in To, Cc or Bcc, found none".to_owned());
        }
        let named = self
            .to
            .iter()
            .chain(&self.cc)
            .chain(&self.reply_to)
            .chain([&self.from]);
        let texts = named
            .flat_map(|mailbox| [&mailbox.name, &mailbox.email])
            .chain(&self.bcc)
            .chain([&self.subject]);
        let files = self
            .attachments
            .iter()
            .flat_map(|a| [&a.filename, &a.content_type, &a.content_id]);
        let fields = self.headers.iter().flat_map(|(name, value)| [name, value]);
        for text in texts.chain(files).chain(fields) {
            if text.contains(['\r', '\n', '\0']) {
                return Err(format!("expected one line, found {text:?}"));
            }
        }
        if let Some(wrong) = self.headers.keys().find(|name| !is_field_name(name)) {
            return Err(format!(
                "expected the name of a header field in Headers, found {wrong:?}"
            ));
        }
        let address = recipients.iter().chain([&self.from.email]);
        if let Some(wrong) = address
            .into_iter()
            .find(|a| a.contains(['<', '>', ' ']) || !a.contains('@'))
        {
            return Err(format!(
                "expected an address such as user@example.test, found {wrong:?}"
            ));
        }
        let octets = self.message()?;
        Ok((recipients, octets))
    }

    fn message(&self) -> Result<Vec<u8>, String> {
        let pairs = |all: &[Mailbox]| {
            all.iter()
                .map(|m| (m.name.clone(), m.email.clone()))
                .collect::<Vec<_>>()
        };
        let mut builder = MessageBuilder::new()
            .from((self.from.name.clone(), self.from.email.clone()))
            .to(pairs(&self.to))
            .subject(self.subject.clone())
            .text_body(self.text.clone());
        if !self.cc.is_empty() {
            builder = builder.cc(pairs(&self.cc));
        }
        if !self.reply_to.is_empty() {
            builder = builder.reply_to(pairs(&self.reply_to));
        }
        if !self.html.is_empty() {
            builder = builder.html_body(self.html.clone());
        }
        for (name, value) in &self.headers {
            builder = builder.header(name.clone(), Raw::new(value.clone()));
        }
        for file in &self.attachments {
            let octets = STANDARD
                .decode(&file.content)
                .map_err(|error| format!("{}: {error}", file.filename))?;
            let kind = if file.content_type.is_empty() {
                "application/octet-stream"
            } else {
                &file.content_type
            };
            builder = if file.content_id.is_empty() {
                builder.attachment(kind.to_owned(), file.filename.clone(), octets)
            } else {
                builder.inline(kind.to_owned(), file.content_id.clone(), octets)
            };
        }
        builder.write_to_vec().map_err(|error| error.to_string())
    }
}
