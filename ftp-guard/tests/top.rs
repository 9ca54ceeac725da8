//! `ftp-guard top` at a terminal of its own, with a daemon that only writes down what it is asked.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    fs::File,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use ftp_guard::control::{
    ban_view::BanAddReport,
    counters_view::CountersView,
    feed::EventSink,
    flood_view::FloodView,
    protocol::{Failure, ModeName, Request},
    server::{Answer, Limits, Members, Server, Service},
    session_view::{
        KillView, PassiveView, SessionCounts, SessionMember, SessionView, SessionsReport,
        SourceView, SourcesReport,
    },
    socket::ControlSocket,
};
use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, Termios, tcgetattr},
    },
    unistd::{Pid, setsid},
};
use tokio::{runtime::Runtime, sync::watch};

/// A daemon with one session of one source.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Vec<Request>>>);

impl Fake {
    fn asked(&self) -> Vec<Request> {
        self.0.lock().unwrap().clone()
    }
}

impl Service for Fake {
    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        let list = |members, report: Answer| {
            Ok(Answer {
                members: Some(members),
                ..report
            })
        };
        match request {
            Request::Counters => Answer::of(&counters()),
            Request::Sessions { .. } => list(
                Members::Sessions(vec![SessionMember::Session(session())]),
                Answer::of(&SessionsReport::default())?,
            ),
            Request::Sources { .. } => list(
                Members::Sources(vec![source()]),
                Answer::of(&SourcesReport::default())?,
            ),
            request @ Request::BanAdd { .. } => {
                self.0.lock().unwrap().push(request);
                Answer::of(&BanAddReport::default())
            }
            request @ Request::Kill { .. } => {
                self.0.lock().unwrap().push(request);
                list(
                    Members::Sessions(Vec::new()),
                    Answer::of(&KillView::default())?,
                )
            }
            _ => Answer::of(&serde_json::json!({})),
        }
    }
}

fn counters() -> CountersView {
    CountersView {
        deadline: None,
        time: "2026-11-22T12:30:00Z".parse().unwrap(),
        version: "0.1.0".into(),
        started: "2026-11-22T12:00:00Z".parse().unwrap(),
        uptime_seconds: 1_800,
        mode: ModeName::Enforce,
        role: "host".into(),
        interfaces: Vec::new(),
        missing_interfaces: vec!["eth9".into()],
        sessions: SessionCounts::default(),
        watched_sessions: 0,
        passive_ports: PassiveView::default(),
        tables: Vec::new(),
        flood: FloodView::default(),
        counters: Vec::new(),
        egress_counters: Vec::new(),
        control_counters: Vec::new(),
    }
}

fn session() -> SessionView {
    SessionView {
        id: 17,
        client: "192.0.2.77:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        tls: "clear".into(),
        age_seconds: 1.0,
        idle_seconds: 1.0,
        adopted: false,
        killed: false,
        bytes_in: 1,
        bytes_out: 1,
        profile: "default".into(),
        login: "yes".into(),
        data: Vec::new(),
        would_drop: None,
        pinholes: Vec::new(),
        record: None,
    }
}

fn source() -> SourceView {
    SourceView {
        source: "192.0.2.77/32".parse().unwrap(),
        profile: Some("default".into()),
        sessions: 1,
        opening: 0,
        max_sessions: None,
        data_connections: 0,
        max_data_connections: None,
    }
}

/// A daemon that listens until it is dropped.
struct Daemon {
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    _socket: ControlSocket,
}

impl Daemon {
    fn start(path: &Path, fake: Fake) -> Self {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let mut socket = ControlSocket::bind(path).unwrap();
        let listener = socket.listener().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(
            fake,
            EventSink::default(),
            socket.group(),
            Limits::default(),
        );
        runtime.spawn(server.run(listener, stopped));
        drop(guard);
        Self {
            runtime: Some(runtime),
            stop,
            _socket: socket,
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// `ftp-guard top` at a pseudo-terminal.
struct Top {
    child: Child,
    keys: File,
    shown: Arc<Mutex<Vec<u8>>>,
    terminal: OwnedFd,
    before: Termios,
}

impl Top {
    fn start(socket: &Path) -> Self {
        let size = Winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let ends = openpty(Some(&size), None).unwrap();
        let before = tcgetattr(&ends.slave).unwrap();
        let end = || Stdio::from(ends.slave.try_clone().unwrap());
        let mut command = command(socket, &["top", "--interval", "0.2"]);
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: between fork and exec only system calls are made.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (File::from(ends.master.try_clone().unwrap()), shown.clone());
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                sink.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        });
        Self {
            child,
            keys: File::from(ends.master),
            shown,
            terminal: ends.slave,
            before,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, text: &str) {
        wait(&format!("{text:?} in {:?}", self.text()), || {
            self.text().contains(text)
        });
    }

    fn forget(&self) {
        self.shown.lock().unwrap().clear();
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// The other screen is left, the cursor shown, and the line discipline as it was.
    fn assert_restored(&self) {
        self.wait_for("\u{1b}[?1049l");
        self.wait_for("\u{1b}[?25h");
        let after = tcgetattr(&self.terminal).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftp-guard"));
    command
        .env_remove("NO_COLOR")
        .args(["--config", "/no/such/guard.toml", "--socket"])
        .arg(socket)
        .args(arguments);
    command
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn site() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("guard.sock");
    (folder, socket)
}

#[test]
fn keys_reach_the_daemon_and_the_terminal_is_given_back() {
    let (_folder, socket) = site();
    let fake = Fake::default();
    let _daemon = Daemon::start(&socket, fake.clone());
    let mut top = Top::start(&socket);
    top.wait_for("\u{1b}[?1049h");
    top.wait_for("192.0.2.77");
    top.wait_for("eth9 NOT GUARDED");
    let raw = tcgetattr(&top.terminal).unwrap();
    assert!(!raw.local_flags.contains(LocalFlags::ECHO));

    // Without a yes nothing is asked for.
    top.press("3bn");
    // Right: ten minutes.
    top.press("b\u{1b}[C");
    thread::sleep(Duration::from_millis(300));
    assert!(fake.asked().is_empty());
    top.press("y");
    wait("the ban", || !fake.asked().is_empty());
    let [Request::BanAdd { prefixes, terms }] = &fake.asked()[..] else {
        panic!("{:?}", fake.asked())
    };
    assert_eq!(prefixes, &["192.0.2.77".parse().unwrap()]);
    assert_eq!(terms.seconds, Some(600));

    top.press("1ky");
    wait("the kill", || fake.asked().len() == 2);
    assert_eq!(
        fake.asked()[1],
        Request::Kill {
            targets: vec!["17".parse().unwrap()]
        }
    );
    top.press("q");
    assert_eq!(top.end().code(), Some(0));
    top.assert_restored();
}

#[test]
fn signals_and_control_c_give_the_terminal_back() {
    let (_folder, socket) = site();
    let _daemon = Daemon::start(&socket, Fake::default());
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGINT), None] {
        let mut top = Top::start(&socket);
        top.wait_for("192.0.2.77");
        match signal {
            Some(signal) => kill(Pid::from_raw(top.child.id() as i32), signal).unwrap(),
            None => top.press("\u{3}"),
        }
        assert_eq!(top.end().code(), Some(0), "{signal:?}");
        top.assert_restored();
    }
}

#[test]
fn a_daemon_that_restarts_is_told_and_survived() {
    let (_folder, socket) = site();
    let mut top = Top::start(&socket);
    top.wait_for("NO ANSWER");
    let daemon = Daemon::start(&socket, Fake::default());
    top.wait_for("192.0.2.77");
    top.forget();
    drop(daemon);
    top.wait_for("NO ANSWER");
    // Keys work meanwhile.
    top.press("?");
    top.wait_for("Keys");
    top.press("?");
    top.forget();
    let _daemon = Daemon::start(&socket, Fake::default());
    top.wait_for("q quit");
    top.press("q");
    assert_eq!(top.end().code(), Some(0));
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let (_folder, socket) = site();
    let _daemon = Daemon::start(&socket, Fake::default());
    let run = |arguments: &[&str]| {
        let mut command = command(&socket, arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = run(&["top"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        err.contains("--once") && err.contains("ftp-guard status"),
        "{err}"
    );

    let (code, out, err) = run(&["top", "--once", "--interval", "0.2"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.contains("192.0.2.77") && out.contains("packets/s"),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "{out}");

    let (code, out, _) = run(&["top", "--once", "--json", "--interval", "0.2"]);
    assert_eq!(code, Some(0));
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["sessions"][0]["id"], 17);
    assert_eq!(run(&["top", "--json"]).0, Some(2));
}
