//! Requests for what was over the socket.

use std::path::Path;

use jiff::Timestamp;
use tokio::sync::watch;

use super::*;
use crate::{
    control::{
        client::Client,
        feed::EventSink,
        server::{Limits, Server},
        socket::ControlSocket,
    },
    engine::{
        events::{AttackEnd, EventKind},
        monitor::record::SessionRecord,
        suggest::Sightings,
    },
    store::history::SessionState,
};

#[derive(Clone)]
struct Standing;

impl Service for Standing {
    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        match request {
            Request::Report(_) => Answer::of(&"how it stands"),
            Request::AllowSuggest(wanted) => {
                let past = wanted.past.as_deref().map(|past| past.since);
                Answer::of(&(wanted.min_days, past))
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Has as many events as it is asked for.
#[derive(Debug)]
struct Many;

impl Past for Many {
    fn events(
        &self,
        wanted: PastEventsWanted,
        take: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        for number in 0..wanted.limit.unwrap_or(0) {
            let event = Event {
                time: Timestamp::UNIX_EPOCH,
                kind: EventKind::AttackEnd(AttackEnd {
                    seconds: number as f64,
                }),
            };
            if take(event).is_break() {
                return Ok(number);
            }
        }
        Ok(wanted.limit.unwrap_or(0))
    }

    fn sessions(
        &self,
        _: PastSessionsWanted,
        take: &mut dyn FnMut(PastSession) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        let _ = take(PastSession {
            state: SessionState::Unknown,
            record: SessionRecord::new(
                7,
                "192.0.2.7:1".parse().unwrap(),
                "198.51.100.1:21".parse().unwrap(),
                Timestamp::UNIX_EPOCH,
            ),
        });
        Err(Failure::failed("the file is damaged"))
    }

    fn suggest(&self, wanted: &SuggestWanted) -> Result<SuggestPast, Failure> {
        let until = Timestamp::UNIX_EPOCH;
        Ok(SuggestPast {
            since: wanted.since(until),
            until,
            begins: None,
            sightings: Sightings::default(),
        })
    }

    fn report(&self, _: ReportWanted, posture: Value) -> Result<Value, Failure> {
        Ok(posture)
    }
}

async fn with_server<T: Send + 'static>(
    past: Option<Arc<dyn Past>>,
    client: impl FnOnce(&Path) -> T + Send + 'static,
) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.sock");
    let mut socket = ControlSocket::bind(&path).unwrap();
    let listener = socket.listener().unwrap();
    let (stop, stopped) = watch::channel(false);
    let events = EventSink::default();
    let server = Server::new(Standing, events, socket.group(), Limits::default());
    let server = match past {
        Some(past) => server.with_past(past),
        None => server,
    };
    let server = tokio::spawn(server.run(listener, stopped));
    let result = tokio::task::spawn_blocking(move || client(&path)).await;
    stop.send(true).unwrap();
    server.await.unwrap();
    result.unwrap()
}

fn events(limit: u64) -> Request {
    Request::HistoryEvents(PastEventsWanted {
        limit: Some(limit),
        ..PastEventsWanted::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_come_in_parts_and_in_order() {
    with_server(Some(Arc::new(Many)), |path| {
        let mut client = Client::connect(path).unwrap();
        for count in [0, 1, 20_001] {
            let mut next = 0;
            let report: EventsReport = client
                .call(&events(count), |event: Event| {
                    let EventKind::AttackEnd(end) = event.kind else {
                        panic!("{event:?}");
                    };
                    assert_eq!(end.seconds, f64::from(next));
                    next += 1;
                })
                .unwrap();
            assert_eq!((report.events, u64::from(next as u32)), (count, count));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_in_the_middle_ends_the_work() {
    with_server(Some(Arc::new(Many)), |path| {
        for _ in 0..MAX_ASKING * 3 {
            let mut client = Client::connect(path).unwrap();
            let mut taken = 0;
            let answer: Option<EventsReport> = client
                .follow(&events(u64::MAX), |_| {
                    taken += 1;
                    match taken {
                        500 => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                })
                .unwrap_or_default();
            assert_eq!(answer, None);
            drop(client);
            // Its place is free when the server has noticed.
            std::thread::sleep(Duration::from_millis(200));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_behind_what_was_read() {
    with_server(Some(Arc::new(Many)), |path| {
        let mut client = Client::connect(path).unwrap();
        let request = Request::SessionsPast(PastSessionsWanted::default());
        let failed = client
            .call::<PastSessionsReport, PastSession>(&request, |_| {})
            .unwrap_err();
        assert_eq!(failed.to_string(), "the file is damaged");
        let report: String = client
            .ask(&Request::Report(ReportWanted::default()))
            .unwrap();
        assert_eq!(report, "how it stands");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_asked_first_what_to_propose_from() {
    with_server(Some(Arc::new(Many)), |path| {
        let mut client = Client::connect(path).unwrap();
        let request = Request::AllowSuggest(SuggestWanted {
            min_days: Some(3),
            ..SuggestWanted::default()
        });
        let (min_days, since): (Option<u64>, Option<Timestamp>) = client.ask(&request).unwrap();
        assert_eq!(min_days, Some(3));
        assert_eq!(since, Some("1969-12-02T00:00:00Z".parse().unwrap()));
    })
    .await;
    let suggest = Request::AllowSuggest(SuggestWanted::default());
    with_server(None, move |path| {
        let mut client = Client::connect(path).unwrap();
        let failed = client.ask::<Value>(&suggest).unwrap_err();
        assert_eq!(failed.to_string(), "this daemon keeps no history");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_history_there_is_a_clear_answer() {
    with_server(None, |path| {
        let mut client = Client::connect(path).unwrap();
        let failed = client.ask::<EventsReport>(&events(1)).unwrap_err();
        assert_eq!(failed.to_string(), "this daemon keeps no history");
    })
    .await;
}
