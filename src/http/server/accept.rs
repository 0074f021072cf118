//! HTTP connections: limits for the headers, and graceful shutdown.

use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::journal::Failures;

/// Maximum time for the headers of a request.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Maximum number of header fields; a request with more gets 431.
const HEADER_FIELDS: usize = 100;
/// Maximum size of the headers; a request with more gets 431.
const HEADER_OCTETS: usize = 64 << 10;
/// Maximum time for requests under way after shutdown begins.
const STOPPING: Duration = Duration::from_secs(2);

/// Serves until shutdown; requests under way then get a limited time to end.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let (mut connections, mut failures) = (JoinSet::new(), Failures::default());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                _ = connections.spawn(connection(stream, router.clone(), shutdown.clone()))
            }
            // The process has no free descriptors: wait until connections end.
            Err(error) => {
                if let Some(failures) = failures.count(Instant::now()) {
                    tracing::error!(%error, failures, "cannot accept an HTTP connection");
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(STOPPING, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME);
    builder
        .max_headers(HEADER_FIELDS)
        .max_buf_size(HEADER_OCTETS);
    let connection = builder
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
