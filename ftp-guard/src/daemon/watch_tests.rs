//! Which folders are watched.

use std::os::unix::fs::symlink;

use super::*;

fn folders(root: &Path, files: &[&str], patterns: &[&str]) -> BTreeSet<PathBuf> {
    let watched = Watched {
        files: files.iter().map(|file| root.join(file)).collect(),
        patterns: patterns
            .iter()
            .map(|pattern| root.join(pattern).to_str().unwrap().to_owned())
            .collect(),
    };
    watched
        .folders()
        .into_iter()
        .map(|folder| folder.strip_prefix(root).unwrap().to_owned())
        .collect()
}

fn set(paths: &[&str]) -> BTreeSet<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

/// A folder whose own path has no symbolic link in it.
fn root() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

#[test]
fn the_folders_of_files_and_patterns() {
    let (_guard, root) = root();
    std::fs::create_dir_all(root.join("allow.d")).unwrap();
    std::fs::write(root.join("guard.toml"), "").unwrap();
    let found = folders(
        &root,
        &["guard.toml", "allow.d/cli.list"],
        &["allow.d/*.list"],
    );
    assert_eq!(found, set(&["", "allow.d"]));
}

#[test]
fn a_folder_that_does_not_exist_yet_is_awaited_where_it_will_appear() {
    let (_guard, root) = root();
    let found = folders(&root, &["a/b/cli.list"], &["x/y/*.list"]);
    assert_eq!(found, set(&[""]));
}

#[test]
fn links_are_watched_where_they_stand_and_where_they_lead() {
    let (_guard, root) = root();
    std::fs::create_dir_all(root.join("v1")).unwrap();
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::create_dir_all(root.join("elsewhere")).unwrap();
    std::fs::write(root.join("elsewhere/partners"), "").unwrap();
    symlink("../v1", root.join("etc/allow.d")).unwrap();
    symlink(
        root.join("elsewhere/partners"),
        root.join("v1/partners.list"),
    )
    .unwrap();
    let found = folders(&root, &[], &["etc/allow.d/*.list"]);
    assert_eq!(found, set(&["etc", "v1", "elsewhere"]));
}

#[test]
fn wildcards_in_folders_watch_each_folder() {
    let (_guard, root) = root();
    std::fs::create_dir_all(root.join("sites/a")).unwrap();
    std::fs::create_dir_all(root.join("sites/b")).unwrap();
    let found = folders(&root, &[], &["sites/*/allow.list"]);
    assert_eq!(found, set(&["sites", "sites/a", "sites/b"]));
}

#[test]
fn a_loop_of_links_ends() {
    let (_guard, root) = root();
    symlink("b", root.join("a")).unwrap();
    symlink("a", root.join("b")).unwrap();
    assert_eq!(folders(&root, &["a/x"], &[]), set(&[""]));
}

#[test]
fn reading_does_not_matter_and_writing_does() {
    let event = |kind| Event::new(kind);
    assert!(!matters(&event(EventKind::Access(AccessKind::Open(
        AccessMode::Any
    )))));
    assert!(!matters(&event(EventKind::Access(AccessKind::Close(
        AccessMode::Read
    )))));
    assert!(matters(&event(EventKind::Access(AccessKind::Close(
        AccessMode::Write
    )))));
    assert!(matters(&event(EventKind::Create(
        notify::event::CreateKind::File
    ))));
}
