//! The thread and the process on which a lab's namespaces hang.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{prctl, signal::Signal},
};

use super::{INSIDE, outside};

type Job = Box<dyn FnOnce() + Send>;

/// How much of each log is printed when a test fails, in lines.
const LOG_LINES: usize = 60;

/// Keeps the mount namespace, the process namespace and the folder of a lab.
///
/// Every process of the lab is forked by one thread, for three reasons: namespaces belong to a
/// thread, children inherit its mounts and its process namespace, and `PR_SET_PDEATHSIG` follows
/// the forking thread, not its process.
pub(super) struct Holder {
    /// The lab's folder, opened inside the mount namespace.
    pub(super) folder: OwnedFd,
    jobs: Option<Mutex<mpsc::Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
    /// Process 1 of the lab; when it dies, the kernel kills every other process of the lab.
    init: Mutex<Child>,
    logs: AtomicU32,
}

impl Holder {
    /// Makes the namespaces.
    pub(super) fn start() -> Result<std::sync::Arc<Self>> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (ready, outcome) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("lab".to_owned())
            .spawn(move || {
                let made = make_namespaces();
                let usable = made.is_ok();
                if ready.send(made).is_ok() && usable {
                    for job in queue {
                        job();
                    }
                }
            })?;
        let (folder, init) = outcome.recv().context("the lab thread died")??;
        Ok(std::sync::Arc::new(Self {
            folder,
            jobs: Some(Mutex::new(jobs)),
            thread: Some(thread),
            init: Mutex::new(init),
            logs: AtomicU32::new(0),
        }))
    }

    /// Runs `job` on the lab thread. It must not make threads: the kernel refuses them to a thread
    /// whose children go to another process namespace.
    pub(super) fn on_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (sender, result) = mpsc::channel();
        let boxed: Job = Box::new(move || drop(sender.send(job())));
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.lock().ok()?.send(boxed).ok())
            .ok_or_else(|| anyhow!("the lab thread is gone"))?;
        result.recv().context("a job of the lab thread died")
    }

    /// Opens the two log files (standard output and standard error) of a new process, and tells the
    /// name of the log below the lab's folder.
    pub(super) fn new_log(&self, title: &str) -> io::Result<(String, File, File)> {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        let name = format!("log/{number:03}-{title}");
        let open = |suffix: &str| {
            OpenOptions::new()
                .create_new(true)
                .append(true)
                .mode(0o644)
                .open(outside(&self.folder, &format!("{name}.{suffix}")))
        };
        let (out, err) = (open("out")?, open("err")?);
        Ok((name, out, err))
    }

    /// Prints the end of every log to standard error.
    pub(super) fn print_logs(&self) {
        let Ok(entries) = fs::read_dir(outside(&self.folder, "log")) else {
            return;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let text = fs::read(&path).unwrap_or_default();
            if text.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<_> = text.lines().collect();
            let skipped = lines.len().saturating_sub(LOG_LINES);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            eprintln!("---- {name} ({skipped} lines before)");
            for line in &lines[skipped..] {
                eprintln!("{line}");
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Ok(init) = self.init.get_mut() {
            // Either may fail only because the process has ended already.
            let _ = init.kill();
            let _ = init.wait();
        }
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Unshares the calling thread's mounts and its children's processes, mounts the lab's folder and
/// starts the init process.
fn make_namespaces() -> Result<(OwnedFd, Child)> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).context("unshare")?;
    let none: Option<&str> = None;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).context("cannot make mounts private")?;
    // All of /run: what runs inside neither sees nor disturbs the sockets of the host's services.
    fs::create_dir_all("/run")?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("lab"), "/run", Some("tmpfs"), safe, Some("mode=0755")).context("tmpfs")?;
    let bpf = format!("{INSIDE}/bpf");
    for folder in ["log", "bpf", "empty"] {
        fs::create_dir_all(Path::new(INSIDE).join(folder))?;
    }
    mount(
        Some("lab"),
        bpf.as_str(),
        Some("bpf"),
        safe,
        Some("mode=0700"),
    )
    .context("bpffs")?;
    let folder = File::open(INSIDE)?;

    let mut command = Command::new("cat");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: only system calls between fork and exec, nothing that allocates or locks.
    unsafe {
        command.pre_exec(|| {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            let none: Option<&str> = None;
            mount(Some("lab"), "/proc", Some("proc"), MsFlags::empty(), none)?;
            Ok(())
        });
    }
    let init = command.spawn().context("cannot start the lab's init")?;
    Ok((folder.into(), init))
}
