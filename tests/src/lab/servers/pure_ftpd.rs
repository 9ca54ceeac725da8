//! Pure-FTPd.

use std::process::Command;

use anyhow::Result;

use super::{Certificate, Settings};
use crate::lab::{Folder, packages::Package};

pub(super) fn command(
    _: &Folder,
    settings: &Settings,
    certificate: &Certificate,
) -> Result<Command> {
    let mut command = Package::find("pure-ftpd")?.command("usr/sbin/pure-ftpd")?;
    command
        .arg(format!("--bind={}", settings.port))
        .arg(format!(
            "--passiveportrange={}:{}",
            settings.passive.start(),
            settings.passive.end()
        ))
        .args([
            "--login=unix",
            "--tls=1",
            "--tlsciphersuite=HIGH",
            "--chrooteveryone",
        ])
        .args(["--minuid=1000", "--dontresolve"])
        .args(["--maxclientsnumber=500", "--maxclientsperip=500"])
        .arg("--certfile")
        .arg(&certificate.both);
    Ok(command)
}
