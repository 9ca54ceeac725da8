//! Events over the socket, to readers of every kind.

use std::{
    io::{BufRead, BufReader, Write},
    ops::ControlFlow,
    os::unix::net::UnixStream,
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    control::{
        client::Client,
        event_view::EventsReport,
        feed::{EventSink, REMEMBERED},
        following::MAX_FOLLOWERS,
        protocol::{EventsWanted, Failure, Request},
        server::{Answer, Limits, Server, Service},
        socket::ControlSocket,
    },
    engine::events::{AttackEnd, Event, EventKind, SessionEnded},
};

#[derive(Clone)]
struct Idle;

impl Service for Idle {
    async fn call(&self, _: Request) -> Result<Answer, Failure> {
        Ok(Answer::default())
    }
}

fn attack(number: usize) -> Event {
    Event {
        time: Timestamp::UNIX_EPOCH,
        kind: EventKind::AttackEnd(AttackEnd {
            seconds: number as f64,
        }),
    }
}

fn ended(client: &str) -> Event {
    Event {
        time: Timestamp::UNIX_EPOCH,
        kind: EventKind::SessionEnded(SessionEnded {
            id: 1,
            part: "session".into(),
            client: client.parse().unwrap(),
            server: "198.51.100.1:21".parse().unwrap(),
            profile: "default".into(),
            reason: "idle_timeout".into(),
        }),
    }
}

/// Runs `client` on a thread of its own against a server with this feed; then the server ends.
async fn with_server<T: Send + 'static>(
    sink: &EventSink,
    client: impl FnOnce(&Path) -> T + Send + 'static,
) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.sock");
    let mut socket = ControlSocket::bind(&path).unwrap();
    let listener = socket.listener().unwrap();
    let (stop, stopped) = watch::channel(false);
    let server = Server::new(Idle, sink.clone(), socket.group(), Limits::default());
    let server = tokio::spawn(server.run(listener, stopped));
    let result = tokio::task::spawn_blocking(move || client(&path)).await;
    stop.send(true).unwrap();
    server.await.unwrap();
    result.unwrap()
}

fn ask(path: &Path, wanted: EventsWanted) -> (Vec<Value>, Option<EventsReport>) {
    let mut events = Vec::new();
    let mut client = Client::connect(path).unwrap();
    let report = client
        .follow(&Request::Events(wanted), |event| {
            events.push(event);
            ControlFlow::Continue(())
        })
        .unwrap();
    (events, report)
}

fn follow(limit: Option<u64>) -> EventsWanted {
    EventsWanted {
        follow: true,
        limit,
        ..EventsWanted::default()
    }
}

/// Publishes until one who follows has taken something.
fn publish_until_done(sink: &EventSink, done: &mpsc::Receiver<()>) {
    let limit = Instant::now() + Duration::from_secs(20);
    let mut number = 0;
    while done.try_recv().is_err() {
        assert!(Instant::now() < limit, "nobody follows");
        sink.publish_all([attack(number)]);
        number += 1;
        thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn the_last_events_are_told_and_filtered() {
    let sink = EventSink::default();
    sink.publish_all((0..9).map(attack));
    sink.publish_all([ended("192.0.2.7:40000"), ended("192.0.2.8:40000")]);
    with_server(&sink, |path| {
        let (all, report) = ask(path, EventsWanted::default());
        assert_eq!(all.len(), 11);
        assert_eq!(report.unwrap().events, 11);
        assert_eq!(all[8]["event"], "attack_end");
        assert_eq!(all[8]["seconds"], 8.0);
        let last = EventsWanted {
            limit: Some(1),
            reasons: vec!["idle_timeout".into()],
            ..EventsWanted::default()
        };
        let (last, _) = ask(path, last);
        assert_eq!(last.len(), 1);
        assert_eq!(last[0]["client"], "192.0.2.8:40000");
        let of_source = EventsWanted {
            source: Some("192.0.2.7".parse().unwrap()),
            ..EventsWanted::default()
        };
        let (of_source, _) = ask(path, of_source);
        assert_eq!(of_source.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_what_comes_and_no_more_than_wanted() {
    let sink = EventSink::default();
    sink.publish_all((100..103).map(attack));
    let feed = sink.clone();
    with_server(&sink, move |path| {
        let (tell, done) = mpsc::channel();
        let path = path.to_owned();
        let follower = thread::spawn(move || {
            let told = ask(&path, follow(Some(3)));
            tell.send(()).unwrap();
            told
        });
        publish_until_done(&feed, &done);
        let (events, report) = follower.join().unwrap();
        assert_eq!(events.len(), 3);
        assert_eq!(report.unwrap().events, 3);
        let first = events[0]["seconds"].as_f64().unwrap();
        assert!(first < 100.0, "one of the past");
        assert_eq!(events[2]["seconds"].as_f64(), Some(first + 2.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_how_much_it_missed() {
    let sink = EventSink::default();
    let feed = sink.clone();
    with_server(&sink, move |path| {
        let mut stream = UnixStream::connect(path).unwrap();
        stream
            .write_all(b"{\"version\":1,\"verb\":\"events\",\"follow\":true}\n")
            .unwrap();
        let mut lines = BufReader::new(stream);
        let mut first = String::new();
        let (tell, done) = mpsc::channel();
        let publisher = feed.clone();
        let publishing = thread::spawn(move || publish_until_done(&publisher, &done));
        lines.read_line(&mut first).unwrap();
        tell.send(()).unwrap();
        publishing.join().unwrap();
        // More than socket buffers and the feed hold: about 60 bytes each.
        let many = 40 * REMEMBERED;
        for number in 0..many {
            feed.publish_all([attack(1_000_000 + number)]);
            if number % REMEMBERED == 0 {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let (mut told, mut lost) = (0, 0);
        while told + lost < many as u64 {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            for event in line["part"].as_array().unwrap() {
                match event["event"].as_str() {
                    Some("lost") => lost += event["count"].as_u64().unwrap(),
                    _ => told += u64::from(event["seconds"].as_f64() >= Some(1e6)),
                }
            }
        }
        assert!(lost > 0, "nothing was lost: {told} told");
        assert!(told >= REMEMBERED as u64, "{told}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_leave_room_for_commands_and_end_with_the_daemon() {
    let sink = EventSink::default();
    let ends = with_server(&sink, |path| {
        let line = b"{\"version\":1,\"verb\":\"events\",\"follow\":true}\n";
        let open = || {
            let mut stream = UnixStream::connect(path).unwrap();
            stream.write_all(line).unwrap();
            BufReader::new(stream)
        };
        let mut followers: Vec<_> = (0..=MAX_FOLLOWERS).map(|_| open()).collect();
        let mut refused = String::new();
        // Which one is the last to be served is not known.
        let limit = Duration::from_millis(200);
        let at = loop {
            let found = followers.iter_mut().position(|follower| {
                follower.get_ref().set_read_timeout(Some(limit)).unwrap();
                follower.read_line(&mut refused).is_ok()
            });
            if let Some(at) = found {
                break at;
            }
        };
        assert!(refused.contains("follow events already"), "{refused}");
        drop(followers.swap_remove(at));
        let mut client = Client::connect(path).unwrap();
        client.ask::<Value>(&Request::Status).unwrap();
        followers.truncate(1);
        followers
    })
    .await;
    for mut follower in ends {
        follower.get_ref().set_read_timeout(None).unwrap();
        let mut last = String::new();
        follower.read_line(&mut last).unwrap();
        assert_eq!(
            last,
            "{\"version\":1,\"result\":{\"events\":0,\"lost\":0}}\n"
        );
    }
}
