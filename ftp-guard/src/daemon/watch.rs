//! Watching the files by inotify, through symbolic links and folders that are swapped.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{inputs::Fingerprint, owner::Owner};
use crate::config::Config;

/// How long it has to be quiet before a change counts: editors and packages write several files.
const QUIET: Duration = Duration::from_millis(200);

/// How long a change may wait for quiet.
const PATIENCE: Duration = Duration::from_secs(2);

/// Symbolic links that are followed on the way to one file (MAXSYMLINKS of Linux).
const MOST_LINKS: u32 = 40;

/// The files that are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    files: BTreeSet<PathBuf>,
    patterns: BTreeSet<String>,
}

impl Watched {
    /// The configuration file, the allowlists that it names, and those configurations of FTP
    /// servers that were last looked at.
    pub fn of(config: &Config, last: &Fingerprint) -> Self {
        let own = [&config.path, &config.allow.cli_file];
        let lists = &config.allow.files;
        Self {
            files: own
                .into_iter()
                .chain(last.server_files())
                .cloned()
                .collect(),
            patterns: lists
                .iter()
                .chain(last.server_patterns())
                .cloned()
                .collect(),
        }
    }

    /// The folders in which something has to change for one of the files to appear, change or go.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for file in &self.files {
            follow(file, &mut folders);
        }
        for pattern in &self.patterns {
            // Where the pattern begins; new folders that match a pattern appear there or below.
            follow(&plain_beginning(pattern), &mut folders);
            for file in glob::glob(pattern).into_iter().flatten().flatten() {
                follow(&file, &mut folders);
            }
            if let Some(parent) = Path::new(pattern).parent().and_then(Path::to_str) {
                for folder in glob::glob(parent).into_iter().flatten().flatten() {
                    follow(&folder.join("*"), &mut folders);
                }
            }
        }
        folders
    }
}

/// The path of a pattern up to its first component with a wildcard, which stays as `*`.
fn plain_beginning(pattern: &str) -> PathBuf {
    let mut beginning = PathBuf::new();
    for component in Path::new(pattern) {
        let wild = component
            .to_str()
            .is_none_or(|text| text.contains(['*', '?', '[']));
        beginning.push(if wild { "*".as_ref() } else { component });
        if wild {
            break;
        }
    }
    beginning
}

/// Collects the folders that lead to `path`: those of each symbolic link on the way and the last
/// one; of those that do not exist yet, the nearest that does.
fn follow(path: &Path, folders: &mut BTreeSet<PathBuf>) {
    let mut links = 0;
    let mut rest: Vec<PathBuf> = components(path);
    let mut here = PathBuf::from(if path.is_absolute() { "/" } else { "." });
    while let Some(next) = rest.pop() {
        if next == Path::new("..") {
            // `here` has no symbolic link in it.
            here.pop();
            continue;
        }
        let step = here.join(&next);
        match std::fs::symlink_metadata(&step) {
            Ok(metadata) if metadata.is_symlink() && links < MOST_LINKS => {
                links += 1;
                folders.insert(here.clone());
                let Ok(target) = std::fs::read_link(&step) else {
                    return;
                };
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                rest.extend(components(&target));
            }
            Ok(metadata) if metadata.is_dir() => here = step,
            // The file itself, or what does not exist yet.
            _ => {
                folders.insert(here);
                return;
            }
        }
    }
    folders.insert(here);
}

/// The components behind the root, last one first.
fn components(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter(|component| !matches!(component, Component::RootDir | Component::CurDir))
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect()
}

/// Whether an event can mean that a file has another content. Reading is none of these, or the
/// daemon would wake itself.
fn matters(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// Watches until the owner is gone.
///
/// A failure to watch is logged: the daemon works without, by `reload` and SIGHUP.
pub async fn run(mut watched: watch::Receiver<Watched>, owner: Owner) {
    let (wake, mut woken) = mpsc::channel::<()>(1);
    loop {
        // A new watcher each time: a folder that was swapped has another inode.
        let current = watched.borrow_and_update().clone();
        let watcher = watcher(&current, wake.clone());
        // What happened since the last look, also between the old watcher and this one. The owner may have been busy
        // until somebody began to write again.
        settle(&mut woken).await;
        let deadline = Instant::now() + PATIENCE;
        while !owner.files_changed(Instant::now() >= deadline).await {
            sleep(QUIET).await;
        }
        tokio::select! {
            changed = watched.changed() => if changed.is_err() { return },
            _ = woken.recv() => {}
        }
        drop(watcher);
    }
}

/// Waits until no more events come.
async fn settle(woken: &mut mpsc::Receiver<()>) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if timeout(QUIET, woken.recv()).await.is_err() {
            return;
        }
    }
}

fn watcher(watched: &Watched, wake: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let handler = move |event: notify::Result<Event>| {
        // An error is an overflow of the queue, most likely: then anything may have changed.
        if event.as_ref().map_or(true, matters) {
            // A full channel has woken the other side already.
            let _ = wake.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(handler)
        .inspect_err(|error| tracing::warn!("cannot watch files for changes: {error}"))
        .ok()?;
    for folder in watched.folders() {
        if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            let folder = folder.display();
            tracing::warn!("{folder}: cannot watch for changes: {error}; use `ftp-guard reload`");
        }
    }
    Some(watcher)
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
