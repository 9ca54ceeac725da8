//! `passive_ports = "auto"`: the passive ports of FTP servers, from their own configurations.

use crate::{
    config::{Config, PassivePorts, PortRange},
    diagnostic::{Diagnostic, Diagnostics},
};

/// The passive ports that a configuration means.
///
/// # Errors
///
/// What keeps `auto` from finding them.
pub fn passive_ports(config: &Config) -> Result<Vec<PortRange>, Diagnostics> {
    match &config.ftp.passive {
        PassivePorts::Ranges(ranges) => Ok(ranges.clone()),
        PassivePorts::Auto => Err(Diagnostics::from(Diagnostic::whole_file(
            &config.path,
            "ftp.passive_ports = \"auto\" finds no configuration of a server",
        ))),
    }
}
