//! The HTTP server that Prometheus scrapes.

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;

use super::metrics::{Snapshot, render};

/// Content type of the text format (prometheus.io, exposition formats).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "<!doctype html><title>ftp-guard</title><a href=\"/metrics\">Metrics</a>\n";

/// Why the metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("metrics.listen: cannot listen on {address}: {source}; set another address, or \"off\"")]
pub struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Where snapshots come from.
pub trait Source: Clone + Send + Sync + 'static {
    /// Reads the kernel, or says why that failed.
    fn snapshot(&self) -> impl Future<Output = Result<Snapshot, String>> + Send;
}

/// Takes the address, so that a daemon whose address is in use fails before it changes anything.
///
/// # Errors
///
/// When it cannot be taken.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let error = |source| ListenError { address, source };
    let listener = TcpListener::bind(address).map_err(error)?;
    listener.set_nonblocking(true).map_err(error)?;
    Ok(listener)
}

/// Serves `/metrics` until `stop` turns true.
///
/// # Errors
///
/// When the runtime refuses the listener.
pub async fn serve(
    listener: TcpListener,
    source: impl Source,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app = Router::new()
        .route("/", get(|| async { Html(INDEX) }))
        .route("/metrics", get(move || scrape(source.clone())));
    let serving = axum::serve(listener, app);
    tokio::select! {
        result = serving.into_future() => result,
        // A scrape under way is cut: Prometheus takes it for what it is, a daemon that ends.
        _ = stop.wait_for(|stop| *stop) => Ok(()),
    }
}

async fn scrape(source: impl Source) -> Response {
    let text = match source.snapshot().await {
        Ok(snapshot) => render(&snapshot).map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::warn!("metrics: scrape failed: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
        }
    }
}

#[cfg(test)]
#[path = "exporter_tests.rs"]
mod tests;
