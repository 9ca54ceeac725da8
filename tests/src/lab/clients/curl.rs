//! curl.

use std::process::Command;

use super::{Direction, Negotiation, transfer::Order};
use crate::lab::{PASSWORD, Tls, USER};

pub(super) fn command(order: &Order<'_>) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--verbose"])
        .args(["--connect-timeout", &order.transfer.patience_s.to_string()])
        .args(["--user", &format!("{USER}:{PASSWORD}")]);
    match order.transfer.negotiation {
        Negotiation::Pasv => command.arg("--disable-epsv"),
        Negotiation::Epsv => &mut command,
        Negotiation::Port => command.args(["--ftp-port", "-", "--disable-eprt"]),
        Negotiation::Eprt => command.args(["--ftp-port", "-"]),
    };
    let scheme = match order.transfer.tls {
        Tls::Clear | Tls::Auth => "ftp",
        Tls::Implicit => "ftps",
    };
    if order.transfer.tls != Tls::Clear {
        // Nobody has signed the lab's certificate.
        command.args(["--ssl-reqd", "--insecure"]);
    }
    if order.resets_tickets() {
        command.args(["--tls-max", "1.2"]);
    }
    if let Some(rate) = order.transfer.rate {
        command.args(["--limit-rate", &rate.to_string()]);
    }
    match order.transfer.direction {
        Direction::Download => command.arg("--output").arg(order.local),
        Direction::Upload => command.arg("--upload-file").arg(order.local),
    };
    command.arg(format!("{scheme}://{}/{}", order.server, order.remote));
    command
}
