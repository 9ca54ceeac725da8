//! The exporter over a socket.

use std::collections::BTreeMap;

use ftp_guard_common::config::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    engine::sessions::view::{SessionFigures, SessionsInfo},
    telemetry::metrics::Live,
};

#[derive(Clone)]
struct Fake(Result<Snapshot, String>);

impl Source for Fake {
    async fn snapshot(&self) -> Result<Snapshot, String> {
        self.0.clone()
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        counters: Vec::new(),
        egress: Vec::new(),
        control: Vec::new(),
        live: Live::of(SessionFigures::default(), &SessionsInfo::default()),
        flood: crate::telemetry::flood::FloodFigures::default(),
        monitor: crate::telemetry::sessions::MonitorFigures::default(),
        kept: crate::telemetry::kept::KeptFigures::default(),
        entries: BTreeMap::new(),
        max_entries: 1,
        names: Default::default(),
        memory: crate::control::view::MemoryView::default(),
        attached: Vec::new(),
        missing: Vec::new(),
        mode: Mode::Enforce,
        mode_deadline: None,
        mode_fallbacks: 0,
        reloads_applied: 0,
        reloads_refused: 0,
        last_reload_success: true,
        last_reload_seconds: 0.0,
    }
}

async fn get(source: Fake, path: &str) -> String {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, source, stopped));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    stop.send(true).unwrap();
    server.await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn a_scrape_is_answered_in_the_text_format() {
    let answer = get(Fake(Ok(snapshot())), "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(
        answer.contains("ftp_guard_mode{mode=\"enforce\"} 1"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_kernel_that_cannot_be_read_is_no_half_scrape() {
    let answer = get(Fake(Err("no such map".into())), "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.ends_with("no such map\n"), "{answer}");
    assert!(!answer.contains("ftp_guard_"), "{answer}");
}

#[tokio::test]
async fn other_paths_are_not_found() {
    assert!(
        get(Fake(Ok(snapshot())), "/secret")
            .await
            .starts_with("HTTP/1.1 404")
    );
    assert!(get(Fake(Ok(snapshot())), "/").await.contains("/metrics"));
}

#[test]
fn an_address_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = bind(taken.local_addr().unwrap()).unwrap_err().to_string();
    assert!(
        error.contains("metrics.listen: cannot listen on 127.0.0.1:"),
        "{error}"
    );
    assert!(error.contains("in use"), "{error}");
}
