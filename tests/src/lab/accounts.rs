//! Accounts of the lab: its programs see an `/etc` whose users are these alone.

use std::fs;

use anyhow::{Context, Result};
use nix::{
    mount::{MsFlags, mount},
    unistd::{Gid, Uid, chown},
};

use super::Lab;

/// The FTP user.
pub const USER: &str = "lab";
/// The FTP user's password.
pub const PASSWORD: &str = "lab-secret";
/// The FTP user's user and group number.
pub const USER_ID: u32 = 61001;

/// `crypt(3)` of [`PASSWORD`]: SHA-512 with the salt `ftpguard`.
const PASSWORD_HASH: &str = "$6$ftpguard$f3CbSGn5OjtSXfXuZAPFIFiL3uHc7sRsETAz/RV5cz1lge/Yi24TXRORiKa.hxJ8UH1DW1wTZZTZHNFPm7El2.";

/// PAM services that the servers ask for.
const PAM_SERVICES: [&str; 3] = ["vsftpd", "proftpd", "pure-ftpd"];
const PAM_RULES: &str = "auth required pam_unix.so\n\
                         account required pam_permit.so\n\
                         session required pam_permit.so\n";

/// Writes the accounts and the FTP user's home, and mounts them over the lab's view of `/etc`.
pub(super) fn install(lab: &Lab) -> Result<()> {
    let folder = lab.folder();
    let home = folder.inside("home");
    let home = home.display();
    folder.write(
        "etc/passwd",
        format!(
            "root:x:0:0::/root:/bin/sh\n\
             nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n\
             ftp:x:61000:65534::{empty}:/usr/sbin/nologin\n\
             {USER}:x:{USER_ID}:{USER_ID}::{home}:/bin/sh\n",
            empty = folder.inside("empty").display()
        ),
    )?;
    folder.write(
        "etc/group",
        format!("root:x:0:\nnogroup:x:65534:\n{USER}:x:{USER_ID}:\n"),
    )?;
    folder.write(
        "etc/shadow",
        format!("root:*:19000::::::\n{USER}:{PASSWORD_HASH}:19000::::::\n"),
    )?;
    folder.write(
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    )?;
    for service in PAM_SERVICES {
        folder.write(&format!("etc/pam.d/{service}"), PAM_RULES)?;
    }
    fs::create_dir_all(folder.outside("home"))?;
    chown(
        &folder.outside("home"),
        Some(Uid::from_raw(USER_ID)),
        Some(Gid::from_raw(USER_ID)),
    )?;

    let files = ["passwd", "group", "shadow", "nsswitch.conf", "pam.d"];
    let mounts = files.map(|name| {
        (
            folder.inside(&format!("etc/{name}")),
            format!("/etc/{name}"),
        )
    });
    lab.holder.on_thread(move || {
        for (source, target) in &mounts {
            let none: Option<&str> = None;
            mount(Some(source), target.as_str(), none, MsFlags::MS_BIND, none)
                .with_context(|| format!("cannot mount over {target}"))?;
        }
        Ok(())
    })?
}
