//! Mailpit's search: words and `key:value` filters, all of which must match; `-` or `!` negates one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::harness::World;
use crate::http::App;
use crate::http::compat::mailpit::{Page, listed, ok, plain, shown};
use crate::http::compat::mime::Mail;
use crate::http::server::extract::{Params, TheWorld};
use crate::http::server::problem::Problem;
use crate::journal::Message;

/// A search.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Query {
    query: String,
    start: usize,
    limit: Option<usize>,
}

pub(crate) async fn search(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Params(Query {
        query,
        start,
        limit,
    }): Params<Query>,
) -> Result<Response, Problem> {
    if query.trim().is_empty() {
        return Ok(plain(StatusCode::BAD_REQUEST, "Error: no search query"));
    }
    let found = matching(&app, &world, &query).await?;
    listed(&app, &world, &found, Page { start, limit }).await
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Params(Query { query, .. }): Params<Query>,
) -> Result<Response, Problem> {
    if query.trim().is_empty() {
        return Ok(plain(StatusCode::BAD_REQUEST, "Error: no search query"));
    }
    for message in matching(&app, &world, &query).await? {
        crate::http::compat::mailpit::hide(&app, &world, message.id);
    }
    Ok(ok())
}

/// The messages that match a query, oldest first; all messages for an empty query.
pub(crate) async fn matching(
    app: &App,
    world: &World,
    query: &str,
) -> Result<Vec<Arc<Message>>, Problem> {
    let terms = terms(query);
    let messages = shown(app, world);
    if terms.is_empty() {
        return Ok(messages);
    }
    let marks = app.mailpit.with(world, |marked| marked.of(&messages));
    let then = move |mails: &mut dyn Iterator<Item = (Arc<Message>, Arc<Mail>)>| {
        let found = mails.zip(marks).filter(|((message, mail), (read, tags))| {
            terms
                .iter()
                .all(|term| term.holds(message, mail, *read, tags))
        });
        found.map(|((message, _), _)| message).collect()
    };
    app.mails.all(messages, then).await
}

#[derive(Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    key: String,
    value: String,
}

/// The terms of a query; quotes group words.
fn terms(query: &str) -> Vec<Term> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for c in query.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.into_iter().map(|word| term(&word)).collect()
}

fn term(word: &str) -> Term {
    const KEYS: [&str; 13] = [
        "subject",
        "to",
        "from",
        "cc",
        "bcc",
        "addressed",
        "reply-to",
        "message-id",
        "tag",
        "is",
        "has",
        "before",
        "after",
    ];
    let bare = word.trim_start_matches(['-', '!']);
    let negated = bare.len() < word.len();
    let (key, value) = bare.split_once(':').unwrap_or(("", bare));
    let key = key.to_ascii_lowercase();
    if KEYS.contains(&key.as_str()) {
        return Term {
            negated,
            key,
            value: value.trim().to_lowercase(),
        };
    }
    Term {
        negated,
        key: String::new(),
        value: bare.to_lowercase(),
    }
}

impl Term {
    fn holds(&self, message: &Message, mail: &Mail, read: bool, tags: &[String]) -> bool {
        self.found(message, mail, read, tags) != self.negated
    }

    fn found(&self, message: &Message, mail: &Mail, read: bool, tags: &[String]) -> bool {
        let wanted = self.value.as_str();
        let within = |text: &str| text.to_lowercase().contains(wanted);
        let among = |all: &[(String, String)]| {
            all.iter()
                .any(|(name, address)| within(name) || within(address))
        };
        let to = || among(&mail.to);
        let from = || among(&mail.from);
        let cc = || among(&mail.cc);
        let reply_to = || among(&mail.reply_to);
        let bcc = || {
            let blind = crate::http::compat::mailpit::blind(mail, message);
            blind
                .iter()
                .any(|to| within(&to.name) || within(&to.address))
        };
        match self.key.as_str() {
            "subject" => within(&mail.subject),
            "to" => to(),
            "from" => from(),
            "cc" => cc(),
            "bcc" => bcc(),
            "addressed" => from() || to() || cc() || bcc() || reply_to(),
            "reply-to" => reply_to(),
            "message-id" => within(&mail.message_id),
            "tag" => tags.iter().any(|tag| tag.to_lowercase() == wanted),
            "is" => match wanted {
                "read" => read,
                "unread" => !read,
                _ => wanted == "tagged" && !tags.is_empty(),
            },
            "has" => match wanted {
                "attachment" | "attachments" => mail.parts.iter().any(|part| !part.inline),
                _ => wanted == "inline" && mail.parts.iter().any(|part| part.inline),
            },
            "before" => message.at.to_string().as_str() < wanted.to_uppercase().as_str(),
            "after" => message.at.to_string().as_str() >= wanted.to_uppercase().as_str(),
            _ => {
                within(&mail.subject)
                    || from()
                    || to()
                    || cc()
                    || within(&mail.text)
                    || within(&mail.html)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let show = |query| {
            let all: Vec<_> = terms(query)
                .iter()
                .map(|t| format!("{}{}={}", if t.negated { "!" } else { "" }, t.key, t.value))
                .collect();
            all.join(" ")
        };
        assert_eq!(show("helo World"), "=helo =world");
        assert_eq!(
            show("subject:\"two words\" -to:a@b.test"),
            "subject=two words !to=a@b.test"
        );
        assert_eq!(show("!is:read http://x"), "!is=read =http://x");
        assert_eq!(show("  "), "");
    }
}
