//! The configuration file: its model, its checks, its reference.
//!
//! `schema` is the one description of all keys: the check for unknown keys, the defaults and the
//! reference in `docs/configuration.md` come from it. `parse` reads a text into a
//! [`Config`], which is valid by construction: whoever holds one need not check anything again.

mod commands;
mod detect;
mod history;
mod inspect;
mod keys;
mod limits;
mod mode_line;
mod model;
mod names;
mod parse;
mod ports;
mod problems;
mod reference;
mod schema;
mod suggest;
mod values;

#[cfg(test)]
mod tests;

pub use commands::DeniedCommand;
pub use detect::DetectSettings;
pub use history::{ExportFormat, ExportSettings, HistorySettings};
pub use inspect::InspectSettings;
pub use limits::{BanSettings, EventSettings, Limits, ProfileSettings};
pub use mode_line::with_mode;
pub use model::{
    AllowConfig, BpfConfig, Config, ControlConfig, FtpConfig, MetricsConfig, PassivePorts,
    PortRange, SessionsConfig, XdpChoice,
};
pub use names::NameSettings;
pub use reference::reference_markdown;
