//! A server for every kind of encryption.

use std::ops::RangeInclusive;

use anyhow::Result;

use super::{FtpServer, Make, Settings};
use crate::lab::{Host, Tls};

/// One server on port 21 and, where its make offers that, one with implicit TLS on port 990. Both
/// have the same files.
pub struct Pair {
    plain: FtpServer,
    implicit: Option<FtpServer>,
}

impl Pair {
    /// The passive ports of both.
    pub const PASSIVE: RangeInclusive<u16> = 50000..=50199;

    /// Starts them on `host`.
    ///
    /// # Errors
    /// As [`FtpServer::start`].
    pub fn start(make: Make, host: &Host) -> Result<Self> {
        let start = |tls: Tls, passive| {
            let settings = Settings {
                port: tls.port(),
                passive,
                implicit_tls: tls == Tls::Implicit,
                ..Settings::default()
            };
            FtpServer::start(make, host, &settings)
        };
        let implicit = make
            .offers(Tls::Implicit)
            .then(|| start(Tls::Implicit, 50100..=50199));
        Ok(Self {
            plain: start(Tls::Auth, 50000..=50099)?,
            implicit: implicit.transpose()?,
        })
    }

    /// The one for sessions that are encrypted so.
    #[must_use]
    pub fn of(&self, tls: Tls) -> &FtpServer {
        match &self.implicit {
            Some(implicit) if tls == Tls::Implicit => implicit,
            _ => &self.plain,
        }
    }

    /// The passive ports of both as guards write them.
    #[must_use]
    pub fn passive_range() -> String {
        format!("{}-{}", Self::PASSIVE.start(), Self::PASSIVE.end())
    }
}
