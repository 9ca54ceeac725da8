//! pyftpdlib.

use std::process::Command;

use anyhow::Result;

use super::{Certificate, Settings};
use crate::lab::{Folder, PASSWORD, USER, packages::Package};

const SCRIPT: &str = include_str!("ftp_server.py");

pub(super) fn command(
    folder: &Folder,
    settings: &Settings,
    certificate: &Certificate,
) -> Result<Command> {
    let package = Package::find("pyftpdlib")?;
    folder.write("ftp_server.py", SCRIPT)?;
    // Debian's own interpreter, for which the package's modules are built.
    let mut command = Command::new("/usr/bin/python3");
    command
        .env("PYTHONPATH", package.path("usr/lib/python3/dist-packages"))
        .env("LD_LIBRARY_PATH", package.libraries())
        .arg(folder.inside("ftp_server.py"))
        .args(
            [
                settings.port,
                *settings.passive.start(),
                *settings.passive.end(),
            ]
            .map(|n| n.to_string()),
        )
        .args([USER, PASSWORD])
        .arg(folder.inside("home"))
        .arg(&certificate.both)
        .arg(if settings.implicit_tls {
            "implicit"
        } else {
            "explicit"
        });
    Ok(command)
}
