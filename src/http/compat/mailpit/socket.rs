//! Mailpit's WebSocket: `{Type, Data}` for each new message. Access control has checked its Origin already.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde_json::{Value, json};

use crate::harness::World;
use crate::http::App;
use crate::http::compat::mailpit::{shown, summary};
use crate::http::compat::mime::Mail;
use crate::http::server::extract::TheWorld;
use crate::journal::Message;

/// Maximum number of messages sent at a time.
const BURST: usize = 256;

pub(crate) async fn events(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        // The client is gone, or the world stopped.
        let _ = follow(socket, &app, &world).await;
    })
}

async fn follow(mut socket: WebSocket, app: &App, world: &World) -> Result<(), axum::Error> {
    let mut after = world.messages().last();
    send(&mut socket, &stats(app, world)).await?;
    loop {
        let new = tokio::select! {
            () = app.shutdown.cancelled() => return Ok(()),
            () = world.stopped() => return Ok(()),
            frame = socket.recv() => match frame {
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => continue,
            },
            new = world.messages().wait(|log| Some(log.page(after, BURST)).filter(|page| !page.is_empty())) => new,
        };
        after = new.last().map_or(after, |message| message.id);
        let then = |mails: &mut dyn Iterator<Item = (Arc<Message>, Arc<Mail>)>| {
            let message = |(message, mail): (Arc<Message>, Arc<Mail>)| json!({ "Type": "new", "Data": summary(&message, &mail, false, &[]) });
            mails.map(message).collect::<Vec<_>>()
        };
        for message in app.mails.all(new, then).await.unwrap_or_default() {
            send(&mut socket, &message).await?;
        }
        send(&mut socket, &stats(app, world)).await?;
    }
}

fn stats(app: &App, world: &World) -> Value {
    let all = shown(app, world);
    let unread = app.mailpit.with(world, |marked| {
        all.iter().filter(|m| !marked.read.contains(&m.id)).count()
    });
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    json!({ "Type": "stats", "Data": { "Total": all.len(), "Unread": unread, "Version": version } })
}

async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), axum::Error> {
    socket.send(Frame::Text(value.to_string().into())).await
}
