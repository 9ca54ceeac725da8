//! `lint`: what can be said of the code without running it.

use anyhow::{Result, bail};

use crate::{codegen, compiler::Compiler, shell, workspace::Workspace};

/// Check formatting, clippy, documentation, generated pages and dependencies.
#[derive(clap::Args)]
pub(crate) struct Options {}

type Check = fn(&Workspace) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("rustfmt", rustfmt),
    ("clippy", clippy),
    ("clippy for the kernel programs", clippy_bpf),
    ("documentation", documentation),
    ("generated pages", generated_pages),
    ("dependencies", dependencies),
];

pub(crate) fn run(workspace: &Workspace, _: &Options) -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        shell::say(format!("lint: {name}"));
        if let Err(error) = check(workspace) {
            eprintln!("error: {name}: {error:#}");
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    println!("lint: {} checks, none failed", CHECKS.len());
    Ok(())
}

fn rustfmt(workspace: &Workspace) -> Result<()> {
    shell::run(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    // The programs have a pass of their own: together, the features that the daemon wants of the
    // shared crate would reach them.
    shell::run(workspace.cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--exclude=ftp-guard-ebpf",
        "--exclude=ftp-guard-tests-ebpf",
        "--all-targets",
        "--keep-going",
        "--",
        "-Dwarnings",
    ]))
}

fn clippy_bpf(workspace: &Workspace) -> Result<()> {
    let compiler = Compiler::find().map_err(|why| anyhow::anyhow!(why))?;
    let mut clippy = compiler.cargo("clippy");
    clippy
        .current_dir(&workspace.root)
        .args(["--package=ftp-guard-ebpf", "--package=ftp-guard-tests-ebpf"])
        .args(["--profile=bpf", "--target-dir"])
        .arg(workspace.target.join("bpf-lint"));
    shell::run(clippy.args(["--", "-Dwarnings"]))
}

fn documentation(workspace: &Workspace) -> Result<()> {
    let mut doc = workspace.cargo();
    doc.args([
        "doc",
        "--locked",
        "--workspace",
        "--exclude=ftp-guard-ebpf",
        "--exclude=ftp-guard-tests-ebpf",
        "--no-deps",
    ]);
    shell::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn generated_pages(workspace: &Workspace) -> Result<()> {
    codegen::run(workspace, &codegen::Options::check())
}

fn dependencies(workspace: &Workspace) -> Result<()> {
    if !shell::succeeds(workspace.cargo().args(["deny", "--version"])) {
        shell::say(
            "lint: cargo-deny is not installed (`cargo install cargo-deny --locked`): licences, \
             bans and sources go unchecked",
        );
        return Ok(());
    }
    // Advisories change from day to day and come over the network: they are no property of a commit.
    let mut deny = workspace.cargo();
    shell::run(deny.args(["deny", "--locked", "check", "bans", "licenses", "sources"]))
}
