//! lftp.

use std::process::Command;

use super::{Direction, Negotiation, transfer::Order};
use crate::lab::{PASSWORD, Tls, USER};

pub(super) fn command(order: &Order<'_>) -> Command {
    let passive = !order.transfer.negotiation.is_active();
    let (remote, local) = (order.remote, order.local.display());
    let job = match order.transfer.direction {
        Direction::Download => format!("get {remote} -o {local}"),
        Direction::Upload => format!("put {local} -o {remote}"),
    };
    let encrypted = order.transfer.tls != Tls::Clear;
    let priority = if order.resets_tickets() {
        "NORMAL:-VERS-TLS1.3"
    } else {
        "NORMAL"
    };
    let scheme = match order.transfer.tls {
        Tls::Clear | Tls::Auth => "ftp",
        Tls::Implicit => "ftps",
    };
    let script = [
        "debug 9".to_owned(),
        "set cmd:fail-exit yes".to_owned(),
        format!("set net:timeout {}", order.transfer.patience_s),
        "set net:max-retries 1".to_owned(),
        // By itself lftp encrypts where it can, and data connections as well.
        format!("set ftp:ssl-allow {encrypted}"),
        format!("set ftp:ssl-force {encrypted}"),
        format!("set ftp:ssl-protect-data {encrypted}"),
        format!("set ssl:priority {priority}"),
        // Nobody has signed the lab's certificate.
        "set ssl:verify-certificate no".to_owned(),
        format!("set ftp:passive-mode {passive}"),
        format!(
            "set ftp:prefer-epsv {}",
            order.transfer.negotiation == Negotiation::Epsv
        ),
        format!("set net:limit-rate {}", order.transfer.rate.unwrap_or(0)),
        format!("open -u {USER},{PASSWORD} {scheme}://{}", order.server),
        job,
    ];
    let mut command = Command::new("lftp");
    command.args(["--norc", "-c", &script.join("; ")]);
    command
}
