//! Mailpit's message API, as npm `mailpit-api`, `cypress-mailpit` and PyPI `mailpit-api-client` use it. Marks (read,
//! tags, deleted) belong to this API: they do not change the journal.

mod change;
mod message;
mod search;
mod send;
mod socket;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::World;
use crate::http::App;
use crate::http::compat::mime::Mail;
use crate::http::server::extract::{Params, TheWorld};
use crate::http::server::problem::Problem;
use crate::journal::{Message, StoredMark};

/// Default number of messages of a page, as in Mailpit.
const PAGE: usize = 50;
/// Maximum number of messages of a page.
const MOST: usize = 1000;

pub(crate) fn routes() -> Router<Arc<App>> {
    let api = || {
        Router::new()
            .route(
                "/api/v1/messages",
                get(list).put(change::mark).delete(change::delete),
            )
            .route("/api/v1/search", get(search::search).delete(search::delete))
            .route("/api/v1/message/{id}", get(message::show))
            .route("/api/v1/message/{id}/headers", get(message::headers))
            .route("/api/v1/message/{id}/raw", get(message::raw))
            .route("/api/v1/message/{id}/part/{part}", get(message::part))
            .route("/api/v1/message/{id}/release", post(release))
            .route("/api/v1/send", post(send::send))
            .route("/api/v1/tags", get(change::tags).put(change::tag))
            .route(
                "/api/v1/tags/{tag}",
                put(change::rename_tag).delete(change::drop_tag),
            )
            .route("/api/v1/chaos", get(chaos).put(chaos))
            .route("/api/v1/info", get(info))
            .route("/api/v1/webui", get(webui))
            .route("/api/events", get(socket::events))
            .route("/view/{file}", get(message::view))
    };
    api().nest("/worlds/{world}", api())
}

/// The marks of messages. Each world stores its own, because a later world may have the same ports.
#[derive(Debug, Default)]
pub(crate) struct Marks;

#[derive(Debug, Default)]
struct Marked {
    read: BTreeSet<u64>,
    tags: BTreeMap<u64, BTreeSet<String>>,
    /// Deleted messages with numbers above `below`.
    deleted: BTreeSet<u64>,
    /// All messages up to this number are deleted.
    below: u64,
    /// The number of deletions so far.
    deletions: u64,
    /// Whether the marks of the journal file are loaded.
    restored: bool,
    /// Messages whose marks are not yet stored in the journal file.
    changed: BTreeSet<u64>,
    /// The value of `below` in the journal file.
    kept_below: u64,
}

impl Marks {
    /// Reads or changes the marks of a world.
    fn with<R>(&self, world: &World, then: impl FnOnce(&mut Marked) -> R) -> R {
        let gone = world.messages().counts().dropped;
        let mut marked = world.extension::<Mutex<Marked>>().lock();
        if !std::mem::replace(&mut marked.restored, true) {
            marked.restore(world.marks());
        }
        if gone > marked.below {
            marked.forget_below(gone);
        }
        let answer = then(&mut marked);
        let (below, changed) = (marked.below, std::mem::take(&mut marked.changed));
        if !changed.is_empty() || below > marked.kept_below {
            marked.kept_below = below;
            world.keep_marks(
                gone,
                changed.into_iter().map(|id| marked.stored(id)).collect(),
            );
        }
        answer
    }
}

impl Marked {
    /// Loads the marks of a journal file.
    fn restore(&mut self, marks: &[StoredMark]) {
        for mark in marks {
            let id = mark.message;
            if mark.read {
                self.read.insert(id);
            }
            if mark.deleted {
                self.deleted.insert(id);
            }
            if !mark.tags.is_empty() {
                self.tags.insert(id, mark.tags.iter().cloned().collect());
            }
        }
    }

    /// The marks of a message in the form of the journal file.
    fn stored(&self, id: u64) -> StoredMark {
        StoredMark {
            message: id,
            read: self.read.contains(&id),
            deleted: !self.exists(id),
            tags: self.tags(id),
        }
    }

    fn set_read(&mut self, id: u64, read: bool) {
        let changed = if read {
            self.read.insert(id)
        } else {
            self.read.remove(&id)
        };
        if changed {
            self.changed.insert(id);
        }
    }

    /// Replaces the tags of a message.
    fn set_tags(&mut self, id: u64, tags: BTreeSet<String>) {
        self.tags.insert(id, tags);
        self.changed.insert(id);
    }

    /// Replaces a tag of all messages by another one, or removes it.
    fn replace_tag(&mut self, old: &str, new: Option<&str>) {
        for (id, tags) in &mut self.tags {
            if tags.remove(old) {
                tags.extend(new.map(str::to_owned));
                self.changed.insert(*id);
            }
        }
    }

    fn forget_below(&mut self, gone: u64) {
        self.below = gone;
        self.read = self.read.split_off(&(gone + 1));
        self.deleted = self.deleted.split_off(&(gone + 1));
        self.tags = self.tags.split_off(&(gone + 1));
    }

    fn exists(&self, id: u64) -> bool {
        id > self.below && !self.deleted.contains(&id)
    }

    fn delete_all(&mut self, last: u64) {
        self.deletions += last.saturating_sub(self.below + self.deleted.len() as u64);
        let remaining = (self.below + 1..=last).filter(|id| !self.deleted.contains(id));
        self.changed.extend(remaining);
        self.forget_below(last);
    }

    fn delete(&mut self, id: u64, last: u64) {
        if id <= last && self.exists(id) {
            self.deletions += 1;
            self.deleted.insert(id);
            self.read.remove(&id);
            self.tags.remove(&id);
            self.changed.insert(id);
        }
    }

    /// For each message, whether it is read, and its tags.
    fn of(&self, messages: &[Arc<Message>]) -> Vec<(bool, Vec<String>)> {
        let marks = |m: &Arc<Message>| (self.read.contains(&m.id), self.tags(m.id));
        messages.iter().map(marks).collect()
    }

    fn tags(&self, id: u64) -> Vec<String> {
        self.tags.get(&id).into_iter().flatten().cloned().collect()
    }
}

/// The messages that this API shows, oldest first: those kept and not deleted.
pub(crate) fn shown(app: &App, world: &World) -> Vec<Arc<Message>> {
    app.mailpit.with(world, |marked| {
        let mut messages = world.messages().after(marked.below);
        messages.retain(|message| marked.exists(message.id));
        messages
    })
}

/// Hides every message of a world from these APIs.
pub(crate) fn hide_all(app: &App, world: &World) {
    let last = world.messages().last();
    app.mailpit.with(world, |marked| marked.delete_all(last));
}

/// Hides one message from these APIs; returns false if it does not exist.
pub(crate) fn hide(app: &App, world: &World, id: u64) -> bool {
    let last = world.messages().last();
    app.mailpit.with(world, |marked| {
        let exists = id <= last && marked.exists(id);
        marked.delete(id, last);
        exists
    })
}

/// The page to return.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    start: usize,
    limit: Option<usize>,
}

impl Page {
    fn limit(self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, MOST)
    }
}

/// A mailbox of a header field.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mailbox {
    name: String,
    address: String,
}

impl From<(String, String)> for Mailbox {
    fn from((name, address): (String, String)) -> Self {
        Self { name, address }
    }
}

fn mailboxes(all: &[(String, String)]) -> Vec<Mailbox> {
    all.iter().cloned().map(Mailbox::from).collect()
}

/// Recipients of the envelope that no header field names.
fn blind(mail: &Mail, message: &Message) -> Vec<Mailbox> {
    let unnamed = message.envelope.recipients.iter().filter(|p| {
        !mail
            .to
            .iter()
            .chain(&mail.cc)
            .any(|(_, a)| a.eq_ignore_ascii_case(p))
    });
    let more = unnamed.map(|path| (String::new(), path.clone()));
    let mut all: Vec<(String, String)> = mail.bcc.clone();
    for one in more {
        if !all
            .iter()
            .any(|(_, address)| address.eq_ignore_ascii_case(&one.1))
        {
            all.push(one);
        }
    }
    mailboxes(&all)
}

/// The first author in the From field; an empty mailbox if there is none.
fn author(mail: &Mail) -> Mailbox {
    let from = mail.from.first().cloned();
    from.map(Mailbox::from).unwrap_or_default()
}

fn summary(message: &Message, mail: &Mail, read: bool, tags: &[String]) -> Value {
    json!({
        "ID": message.id.to_string(),
        "MessageID": mail.message_id,
        "Read": read,
        "From": author(mail),
        "To": mailboxes(&mail.to),
        "Cc": mailboxes(&mail.cc),
        "Bcc": blind(mail, message),
        "ReplyTo": mailboxes(&mail.reply_to),
        "Subject": mail.subject,
        "Created": format!("{:.3}", message.at),
        "Username": "",
        "Tags": tags,
        "Size": mail.size,
        "Attachments": mail.parts.iter().filter(|part| !part.inline).count(),
        "Snippet": mail.snippet(),
    })
}

/// One page of the messages found, newest first, as Mailpit lists them.
async fn listed(
    app: &App,
    world: &World,
    found: &[Arc<Message>],
    page: Page,
) -> Result<Response, Problem> {
    let all = shown(app, world);
    let slice = found.iter().rev().skip(page.start).take(page.limit());
    let slice: Vec<_> = slice.cloned().collect();
    let (mut answer, marks) = app.mailpit.with(world, |marked| {
        let unread = |messages: &[Arc<Message>]| {
            let unread = messages.iter().filter(|m| !marked.read.contains(&m.id));
            unread.count()
        };
        let tags: BTreeSet<_> = marked.tags.values().flatten().collect();
        let answer = json!({
            "total": all.len(),
            "unread": unread(&all),
            "count": slice.len(),
            "messages_count": found.len(),
            "messages_unread": unread(found),
            "start": page.start,
            "tags": tags,
        });
        (answer, marked.of(&slice))
    });
    let then = move |mails: &mut dyn Iterator<Item = (Arc<Message>, Arc<Mail>)>| {
        let rows = mails
            .zip(marks)
            .map(|((message, mail), (read, tags))| summary(&message, &mail, read, &tags));
        answer["messages"] = rows.collect();
        Json(answer).into_response()
    };
    app.mails.all(slice, then).await
}

async fn list(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    let found = shown(&app, &world);
    listed(&app, &world, &found, page).await
}

async fn info(State(app): State<Arc<App>>, TheWorld(world): TheWorld) -> Json<Value> {
    let all = shown(&app, &world);
    let counts = world.mail_counts();
    let (unread, tags, deletions) = app.mailpit.with(&world, |marked| {
        let mut tags: BTreeMap<String, usize> = BTreeMap::new();
        for tag in marked.tags.values().flatten() {
            *tags.entry(tag.clone()).or_default() += 1;
        }
        (
            all.iter().filter(|m| !marked.read.contains(&m.id)).count(),
            tags,
            marked.deletions,
        )
    });
    Json(json!({
        "Version": concat!("v", env!("CARGO_PKG_VERSION"), " (martinet)"),
        "LatestVersion": concat!("v", env!("CARGO_PKG_VERSION")),
        "Database": "",
        "DatabaseSize": world.messages().counts().octets,
        "Messages": all.len(),
        "Unread": unread,
        "Tags": tags,
        "RuntimeStats": {
            "Uptime": app.started.elapsed().as_secs(),
            "Memory": world.messages().counts().octets,
            "MessagesDeleted": deletions,
            "SMTPAccepted": counts.messages.get(),
            "SMTPAcceptedSize": counts.message_octets.get(),
            "SMTPRejected": counts.refusals.get(),
            "SMTPIgnored": 0,
        },
    }))
}

async fn webui() -> Json<Value> {
    Json(json!({
        "Label": "martinet",
        "MessageRelay": {
            "Enabled": false, "SMTPServer": "", "ReturnPath": "", "AllowedRecipients": "", "BlockedRecipients": "",
            "OverrideFrom": "", "PreserveMessageIDs": false, "RecipientAllowlist": "",
        },
        "SpamAssassin": false,
        "ChaosEnabled": false,
        "DuplicatesIgnored": false,
        "HideDeleteAllButton": false,
    }))
}

/// Nothing fails at random here: rules refuse, and faults are scripted.
async fn chaos() -> Response {
    plain(StatusCode::BAD_REQUEST, "Chaos is not enabled")
}

/// martinet delivers no mail.
async fn release() -> Response {
    plain(StatusCode::BAD_REQUEST, "Message relaying is not enabled")
}

fn ok() -> Response {
    plain(StatusCode::OK, "ok")
}

fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "Message not found")
}

/// A plain text response, as Mailpit sends it.
fn plain(status: StatusCode, text: &str) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text.to_owned(),
    )
        .into_response()
}
