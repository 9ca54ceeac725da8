//! A server that does what real ones do not: it may keep silent, and it keeps every passive port open
//! that it has named.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv6Addr, Shutdown, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::Result;
use ftp_guard_tests::lab::{Host, servers};

/// The server; it ends when it is dropped.
pub struct Puppet {
    listener: TcpListener,
    held: Arc<Held>,
    thread: Option<JoinHandle<()>>,
}

/// What the server holds open, and the next passive port.
#[derive(Default)]
struct Held {
    streams: Mutex<Vec<TcpStream>>,
    listeners: Mutex<Vec<TcpListener>>,
    next: AtomicU16,
}

impl Puppet {
    /// The control port.
    pub const PORT: u16 = 21;

    /// Starts a server on `host` that greets, or does not.
    pub fn start(host: &Host, greets: bool) -> Result<Self> {
        let listener = host.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, Self::PORT)))?;
        let held = Arc::new(Held::default());
        let (accepting, holder) = (listener.try_clone()?, Arc::clone(&held));
        let home = host.clone();
        let thread = host.thread(move || {
            while let Ok((stream, _)) = accepting.accept() {
                if let Ok(copy) = stream.try_clone() {
                    lock(&holder.streams).push(copy);
                }
                if greets {
                    let holder = Arc::clone(&holder);
                    // It ends when its connection does.
                    drop(home.thread(move || drop(serve(stream, &holder))));
                }
            }
        });
        Ok(Self {
            listener,
            held,
            thread: Some(thread),
        })
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open; the call wakes the thread that accepts.
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RD) };
        for stream in lock(&self.held.streams).drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: TcpStream, held: &Held) -> Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 At your service.\r\n")?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer = match line.split_whitespace().next() {
            Some("USER") => "331 And the password?\r\n".to_owned(),
            Some("PASS") => "230 Welcome.\r\n".to_owned(),
            Some("NOOP") => "200 Done.\r\n".to_owned(),
            Some("EPSV") => {
                let first = *servers::Settings::default().passive.start();
                let port = first + held.next.fetch_add(1, Ordering::Relaxed);
                let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
                lock(&held.listeners).push(listener);
                format!("229 Entering extended passive mode (|||{port}|)\r\n")
            }
            _ => "502 Not here.\r\n".to_owned(),
        };
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
