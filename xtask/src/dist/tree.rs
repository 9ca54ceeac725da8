//! The files of the packages, laid out as on a host.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{shell, workspace::Workspace};

const DOC: &str = "usr/share/doc/ftp-guard";

/// Files of the repository, and where they go on a host.
const FILES: &[(&str, &str)] = &[
    (
        "dist/allow.d/README.list",
        "etc/ftp-guard/allow.d/README.list",
    ),
    (
        "dist/fail2ban/action.d/ftp-guard.conf",
        "etc/fail2ban/action.d/ftp-guard.conf",
    ),
    ("README.md", "usr/share/doc/ftp-guard/README.md"),
    ("CHANGELOG.md", "usr/share/doc/ftp-guard/changelog"),
    (
        "dist/ftp-guard.toml",
        "usr/share/doc/ftp-guard/examples/ftp-guard.toml",
    ),
];

/// Folders, with all that is in them. One that is not there has no files.
const FOLDERS: &[(&str, &str)] = &[
    ("docs", DOC),
    (
        "dist/fail2ban/jail.d",
        "usr/share/doc/ftp-guard/examples/fail2ban/jail.d",
    ),
    ("dist/sysctl", "usr/share/doc/ftp-guard/examples/sysctl.d"),
    (
        "dist/prometheus",
        "usr/share/doc/ftp-guard/examples/prometheus",
    ),
    ("dist/grafana", "usr/share/doc/ftp-guard/examples/grafana"),
];

/// Each shell, and where Debian has its completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/ftp-guard"),
    ("zsh", "usr/share/zsh/vendor-completions/_ftp-guard"),
    ("fish", "usr/share/fish/vendor_completions.d/ftp-guard.fish"),
];

/// What the changelog of the package says.
pub(crate) struct About<'a> {
    /// The version of the binary.
    pub(crate) version: &'a str,
    /// The revision of the package.
    pub(crate) revision: &'a str,
    /// Who makes it.
    pub(crate) maintainer: Option<&'a str>,
}

/// Lays the files out below `root`, which is not there yet.
///
/// # Errors
///
/// When a file is missing or cannot be written.
pub(crate) fn lay_out(
    workspace: &Workspace,
    root: &Path,
    binary: &Path,
    about: &About<'_>,
) -> Result<()> {
    let program = root.join("usr/bin/ftp-guard");
    make_parent(&program)?;
    shell::run(
        Command::new("strip")
            .args(["--strip-unneeded", "--remove-section=.comment", "-o"])
            .args([&program, binary]),
    )?;
    for (from, to) in FILES {
        copy(&workspace.root.join(from), &root.join(to))?;
    }
    for (from, to) in FOLDERS {
        copy_all(&workspace.root.join(from), &root.join(to))?;
    }
    for (shell, to) in COMPLETIONS {
        let script = shell::output(Command::new(binary).args(["completions", shell]))?;
        write(&root.join(to), &(script + "\n"))?;
    }
    let pages = root.join("usr/share/man/man1");
    fs::create_dir_all(&pages)?;
    shell::run(Command::new(binary).args(["man", "--output"]).arg(&pages))?;
    write(
        &root.join(DOC).join("changelog.Debian"),
        &changelog(workspace, about)?,
    )?;
    let mut compressed = vec![
        root.join(DOC).join("changelog"),
        root.join(DOC).join("changelog.Debian"),
    ];
    for page in fs::read_dir(&pages)? {
        compressed.push(page?.path());
    }
    let mut gzip = Command::new("gzip");
    shell::run(gzip.args(["--best", "--no-name"]).args(compressed))
}

/// Debian's form of a changelog, dated by the last commit, so that a package can be built again.
fn changelog(workspace: &Workspace, about: &About<'_>) -> Result<String> {
    let mut log = Command::new("git");
    log.current_dir(&workspace.root)
        .args(["log", "-1", "--format=%cd", "--date=rfc"]);
    let date = shell::output(&mut log).context("the date of the last commit is not to be had")?;
    let (version, revision) = (about.version, about.revision);
    let who = about
        .maintainer
        .unwrap_or("ftp-guard maintainers <maintainers@localhost>");
    Ok(format!(
        "ftp-guard ({version}-{revision}) unstable; urgency=medium\n\n  \
         * What is new is in the changelog of the program.\n\n \
         -- {who}  {date}\n"
    ))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(0o644))?)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_all(&entry.path(), &to)?,
            false => copy(&entry.path(), &to)?,
        }
    }
    Ok(())
}

fn write(to: &Path, text: &str) -> Result<()> {
    make_parent(to)?;
    fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("no folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_copied_with_all_that_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write(&from.join("deep/er/a.txt"), "a").unwrap();
        write(&from.join("b.txt"), "b").unwrap();
        copy_all(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("deep/er/a.txt")).unwrap(), "a");
        assert!(to.join("b.txt").is_file());
    }

    #[test]
    fn a_file_that_is_missing_is_a_mistake_and_a_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(copy(&folder.path().join("rules.yml"), &folder.path().join("to")).is_err());
        copy_all(&folder.path().join("rules"), &folder.path().join("to")).unwrap();
        assert!(!folder.path().join("to").exists());
    }
}
