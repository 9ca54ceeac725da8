//! `dist`: the Debian package and the tarball.

mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::{
    build,
    setup::{self, Group},
    shell,
    workspace::Workspace,
};

/// What is in both, laid out as on a host; cargo-deb looks for it there.
const LAID_OUT: &str = "release/package";

/// Make the Debian package and a tarball of the same files.
///
/// They are for the machine's own architecture, and for hosts whose libc is not older than this one's.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// How the binary is built: without optimisation it is made sooner, and for tests only
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    pub(crate) profile: Profile,
    /// The Debian revision: a package of the same version that is built again has a higher one
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) revision: String,
    /// Who answers for the package: `NAME <ADDRESS>`
    #[arg(long, value_name = "NAME")]
    pub(crate) maintainer: Option<String>,
}

/// How the binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// As it is deployed
    Release,
    /// As the suites have it, stripped
    Dev,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "dev",
        }
    }
}

impl Options {
    /// For the suites: the binary that they have, as this revision.
    pub(crate) fn of_suites(revision: &str) -> Self {
        Self {
            profile: Profile::Dev,
            revision: revision.to_owned(),
            maintainer: None,
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    for file in make(workspace, options)? {
        println!("{}", file.display());
    }
    Ok(())
}

/// Makes both and returns where they are, the package first.
///
/// # Errors
///
/// When something does not build, or a file is missing.
pub(crate) fn make(workspace: &Workspace, options: &Options) -> Result<[PathBuf; 2]> {
    setup::ensure(workspace, &[Group::Build, Group::Package], &[])?;
    let binary = build::binary(workspace, options.profile == Profile::Release)?;
    let laid_out = workspace.target.join(LAID_OUT);
    if laid_out.exists() {
        fs::remove_dir_all(&laid_out)
            .with_context(|| format!("cannot remove {}", laid_out.display()))?;
    }
    let version = version(&binary)?;
    let about = tree::About {
        version: &version,
        revision: &options.revision,
        maintainer: options.maintainer.as_deref(),
    };
    tree::lay_out(workspace, &laid_out, &binary, &about)?;
    let folder = workspace.target.join("dist").join(options.profile.folder());
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok([
        debian(workspace, options, &version, &folder)?,
        tarball(workspace, &laid_out, &version, &folder)?,
    ])
}

/// What the binary says of itself.
fn version(binary: &Path) -> Result<String> {
    let said = shell::output(Command::new(binary).arg("--version"))?;
    let version = said.strip_prefix("ftp-guard ");
    Ok(version
        .context("the binary does not tell its version")?
        .into())
}

fn debian(
    workspace: &Workspace,
    options: &Options,
    version: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let architecture = shell::output(Command::new("dpkg").arg("--print-architecture"))?;
    let revision = &options.revision;
    let file = folder.join(format!("ftp-guard_{version}-{revision}_{architecture}.deb"));
    let mut package = Command::new(setup::packager(workspace)?);
    package
        .current_dir(&workspace.root)
        .args([
            "--package",
            "ftp-guard",
            "--no-build",
            "--no-strip",
            "--no-dbgsym",
        ])
        .args(["--deb-revision", revision, "--output"])
        .arg(&file);
    if let Some(maintainer) = &options.maintainer {
        package.args(["--maintainer", maintainer]);
    }
    if options.profile == Profile::Dev {
        package.arg("--fast");
    }
    shell::run(&mut package)?;
    ensure!(file.is_file(), "{} was not made", file.display());
    Ok(file)
}

/// The same files and the unit, in a folder that says the version.
fn tarball(
    workspace: &Workspace,
    laid_out: &Path,
    version: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let unit = laid_out.join("usr/lib/systemd/system");
    fs::create_dir_all(&unit)?;
    let unit = unit.join("ftp-guard.service");
    fs::copy(workspace.root.join("dist/systemd/ftp-guard.service"), &unit)
        .context("cannot copy the unit")?;
    let architecture = std::env::consts::ARCH;
    let file = folder.join(format!("ftp-guard-{version}-{architecture}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--gzip",
        "--owner=0",
        "--group=0",
        "--sort=name",
    ])
    .arg(format!("--transform=s,^\\.,ftp-guard-{version},"))
    .arg("--file")
    .arg(&file)
    .arg("--directory")
    .arg(laid_out)
    .arg(".");
    shell::run(&mut tar)?;
    // cargo-deb brings the unit itself.
    fs::remove_dir_all(laid_out.join("usr/lib"))?;
    if !file.is_file() {
        bail!("{} was not made", file.display());
    }
    Ok(file)
}
