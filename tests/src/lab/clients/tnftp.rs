//! tnftp, which knows no TLS.

use std::process::Command;

use anyhow::Result;

use super::{Direction, Negotiation, transfer::Order};
use crate::lab::{Family, PASSWORD, USER};

pub(super) fn command(order: &Order<'_>) -> Result<Command> {
    let Order {
        transfer, server, ..
    } = order;
    let (remote, local) = (order.remote, order.local.display());
    let passive = !transfer.negotiation.is_active();
    let extended = matches!(transfer.negotiation, Negotiation::Epsv | Negotiation::Eprt);
    let switch = |on: bool| if on { "on" } else { "off" };
    let mut lines = vec![
        format!("open {} {}", server.ip(), server.port()),
        format!("user {USER} {PASSWORD}"),
        "binary".to_owned(),
        format!("passive {}", switch(passive)),
    ];
    if transfer.family == Family::V4 {
        lines.push(format!("epsv4 {}", switch(extended)));
    }
    if let Some(rate) = transfer.rate {
        lines.push(format!("rate all {rate}"));
    }
    lines.push(match transfer.direction {
        Direction::Download => format!("get {remote} {local}"),
        Direction::Upload => format!("put {local} {remote}"),
    });
    lines.push("bye".to_owned());
    let script = format!("tnftp/{remote}");
    order.folder.write(&script, lines.join("\n") + "\n")?;
    // It reads commands from standard input alone. No login by itself, no questions, all replies, all
    // commands.
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec tnftp -n -i -v -d <\"$0\""])
        .arg(order.folder.inside(&script));
    Ok(command)
}
