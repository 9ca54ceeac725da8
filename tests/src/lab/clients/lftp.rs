//! lftp.

use std::process::Command;

use super::{Direction, Negotiation, Order};
use crate::lab::{PASSWORD, USER};

pub(super) fn command(order: &Order<'_>) -> Command {
    let passive = !order.transfer.negotiation.is_active();
    let (remote, local) = (order.remote, order.local.display());
    let job = match order.transfer.direction {
        Direction::Download => format!("get {remote} -o {local}"),
        Direction::Upload => format!("put {local} -o {remote}"),
    };
    // `ftp:ssl-allow no`: lftp would start TLS by itself and then refuse the lab's certificate.
    let script = [
        "debug 9".to_owned(),
        "set cmd:fail-exit yes".to_owned(),
        "set net:timeout 5".to_owned(),
        "set net:max-retries 1".to_owned(),
        "set ftp:ssl-allow no".to_owned(),
        format!("set ftp:passive-mode {passive}"),
        format!(
            "set ftp:prefer-epsv {}",
            order.transfer.negotiation == Negotiation::Epsv
        ),
        format!("set net:limit-rate {}", order.transfer.rate.unwrap_or(0)),
        format!("open -u {USER},{PASSWORD} ftp://{}", order.server),
        job,
    ];
    let mut command = Command::new("lftp");
    command.args(["--norc", "-c", &script.join("; ")]);
    command
}
