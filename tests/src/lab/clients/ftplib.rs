//! Python's ftplib.

use std::process::Command;

use super::transfer::Order;
use crate::lab::{PASSWORD, Tls, USER};

const SCRIPT: &str = include_str!("ftp_client.py");

pub(super) fn command(order: &Order<'_>) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command
        // Not by a file: Python says nothing of one that is just being written anew.
        .args(["-c", SCRIPT])
        .args([
            order.server.ip().to_string(),
            order.server.port().to_string(),
        ])
        .args([USER, PASSWORD])
        .arg(match order.transfer.tls {
            Tls::Clear => "clear",
            Tls::Auth => "auth",
            Tls::Implicit => "implicit",
        })
        .arg(order.transfer.negotiation.verb())
        .arg(order.transfer.direction.to_string())
        .arg(order.transfer.patience_s.to_string())
        .arg(order.remote)
        .arg(order.local);
    command
}
