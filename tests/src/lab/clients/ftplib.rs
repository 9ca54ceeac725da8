//! Python's ftplib.

use std::process::Command;

use anyhow::Result;

use super::{Direction, Order};
use crate::lab::{PASSWORD, USER};

const SCRIPT: &str = include_str!("ftp_client.py");

pub(super) fn command(order: &Order<'_>) -> Result<Command> {
    order.folder.write("ftp_client.py", SCRIPT)?;
    let mut command = Command::new("/usr/bin/python3");
    command
        .arg(order.folder.inside("ftp_client.py"))
        .args([
            order.server.ip().to_string(),
            order.server.port().to_string(),
        ])
        .args([USER, PASSWORD])
        .arg(if order.transfer.negotiation.is_active() {
            "active"
        } else {
            "passive"
        })
        .arg(match order.transfer.direction {
            Direction::Download => "download",
            Direction::Upload => "upload",
        })
        .arg(order.remote)
        .arg(order.local);
    Ok(command)
}
