//! A notice of each accepted connection, before its greeting.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// A connection that was accepted and has no greeting yet. The greeting is sent after this value is dropped.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The address of the listener.
    pub listener: SocketAddr,
    _greeting: oneshot::Sender<()>,
}

/// Announces a connection, and waits until the reader of the notice has dropped it. Without a reader it does not wait.
pub(crate) async fn announce(notices: &mpsc::Sender<Accepted>, stream: &TcpStream) {
    let Ok(listener) = stream.local_addr() else {
        return; // the connection has ended
    };
    let (greeting, dropped) = oneshot::channel();
    let notice = Accepted {
        listener,
        _greeting: greeting,
    };
    if notices.send(notice).await.is_ok() {
        let _ = dropped.await;
    }
}
