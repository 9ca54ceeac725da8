//! Whole texts: what is read from them, which mistakes are named where.

mod detect;
mod history;
mod inspect;
mod limits;
mod mistakes;
mod names;
mod reading;

use std::path::Path;

use super::Config;
use crate::diagnostic::Diagnostics;

const MINIMAL: &str = "interfaces = [\"eth0\"]\n[ftp]\npassive_ports = [\"50000-50100\"]\n";

fn parse(text: &str) -> Result<Config, Diagnostics> {
    Config::parse(Path::new("guard.toml"), text)
}

/// [`MINIMAL`] with more keys in `[ftp]`.
fn with_ftp(lines: &str) -> String {
    format!("interfaces = [\"eth0\"]\n[ftp]\n{lines}\n")
}
