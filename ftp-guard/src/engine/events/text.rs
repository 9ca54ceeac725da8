//! Events for people: one line each.

use std::{
    fmt::{self, Display, Formatter},
    net::SocketAddr,
};

use super::{BanEvent, DetectionEvent, Event, EventKind, Packet, TransferEvent};

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time.strftime("%FT%T%.3fZ"), self.kind)
    }
}

impl Display for EventKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop(packet) => packet.fmt(f),
            Self::TableFull(full) => {
                write!(f, "the table of {} is full: {}", full.table, full.packet)
            }
            Self::BanAdded(ban) => ban.write(f, "banned"),
            Self::BanProlonged(ban) => ban.write(f, "ban prolonged"),
            Self::BanRemoved(ban) => ban.write(f, "ban removed"),
            Self::BanExpired(ban) => ban.write(f, "ban expired"),
            Self::AttackBegin(attack) => write!(
                f,
                "attack begins: {} connection requests and stray segments a second",
                attack.packets_per_second
            ),
            Self::AttackEnd(attack) => {
                write!(f, "attack is over after {:.0} s", attack.seconds)
            }
            Self::CookiesOn(cookies) => {
                write!(
                    f,
                    "SYN cookies are on (syn_cookies = \"{}\")",
                    cookies.setting
                )
            }
            Self::CookiesOff(cookies) => write!(f, "SYN cookies are off: {}", cookies.why),
            Self::SessionEnded(ended) => write!(
                f,
                "{} {} of {} with {} ended: {}, profile {}",
                ended.part, ended.id, ended.client, ended.server, ended.reason, ended.profile
            ),
            Self::Login(login) => {
                let what = if login.accepted {
                    "login"
                } else {
                    "login refused"
                };
                write!(f, "{what} ")?;
                match &login.user {
                    Some(user) => write!(f, "{user:?}")?,
                    None => write!(f, "without a name")?,
                }
                write!(
                    f,
                    " from {} at {}, session {}, code {}",
                    login.client, login.server, login.session, login.code
                )
            }
            Self::Transfer(transfer) => transfer.fmt(f),
            Self::Detection(detection) => detection.fmt(f),
            Self::Lost(lost) => write!(
                f,
                "{} events are not shown: they came faster than they were read",
                lost.count
            ),
            Self::ModeFellBack(fell) => write!(
                f,
                "mode is monitor again since {}: nobody confirmed enforce mode in time",
                fell.deadline.strftime("%FT%TZ")
            ),
            Self::NameChanged(changed) => {
                write!(f, "host:{}", changed.name)?;
                let signs = [('+', &changed.added), ('-', &changed.removed)];
                signs.into_iter().try_for_each(|(sign, addresses)| {
                    addresses
                        .iter()
                        .try_for_each(|address| write!(f, " {sign}{address}"))
                })
            }
        }
    }
}

impl BanEvent {
    fn write(&self, f: &mut Formatter<'_>, what: &str) -> fmt::Result {
        write!(f, "{what}: {} by {}", self.prefix, self.by)?;
        if let Some(until) = self.until {
            write!(f, " until {}", until.strftime("%FT%TZ"))?;
        }
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl Display for Packet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verdict, self.reason)?;
        if let (Some(source), Some(destination)) = (self.sender(), self.receiver()) {
            write!(f, " {source} > {destination}")?;
        }
        if let Some(flags) = &self.flags {
            write!(f, " {flags}")?;
        }
        write!(f, ", {}, {} bytes, {}", self.class, self.bytes, self.hook)?;
        match self.suppressed {
            0 => Ok(()),
            more => write!(f, " ({more} more before it)"),
        }
    }
}

impl Packet {
    fn sender(&self) -> Option<SocketAddr> {
        Some((self.source?, self.source_port?).into())
    }

    fn receiver(&self) -> Option<SocketAddr> {
        Some((self.destination?, self.destination_port?).into())
    }
}

impl Display for TransferEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let transfer = &self.transfer;
        write!(f, "{}", transfer.direction.as_str())?;
        if let Some(path) = &transfer.path {
            write!(f, " {path:?}")?;
        }
        if let Some(bytes) = transfer.bytes {
            write!(f, " {bytes} bytes")?;
        }
        write!(f, " in {:.1} s", transfer.seconds)?;
        if let Some(code) = transfer.code {
            write!(f, ", code {code}")?;
        }
        write!(f, ", {} at {}", self.client, self.server)?;
        if let Some(user) = &self.user {
            write!(f, ", user {user:?}")?;
        }
        write!(f, ", session {}", self.session)
    }
}

impl Display for DetectionEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.severity.as_str(),
            self.rule,
            self.message
        )?;
        if let Some(source) = self.source {
            write!(f, ", source {source}")?;
        }
        if self.session != 0 {
            write!(f, ", session {}", self.session)?;
        }
        if self.banned {
            write!(f, "; banned")?;
        }
        Ok(())
    }
}
