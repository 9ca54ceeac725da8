//! Attacks and SYN cookies in the daemon: looks five times a second what the programs remember, asks
//! [`engine::cookies`](crate::engine::cookies) what to do, and does it.

use std::time::Duration;

use ftp_guard_common::{
    config::{Cookies, Role},
    limits::Sysctls,
};

use super::{guard::Guard, kernel::Kernel};
use crate::{
    config::Config,
    control::protocol::Failure,
    datapath::{AttachMode, Attachment},
    engine::{
        cookies::{AttackWatch, Change, Command, Keeper, Phase, Scene, TcpSysctls, rate, restored},
        events::{AttackBegin, AttackEnd, CookiesOff, CookiesOn, EventKind},
    },
};

/// Time between two looks: one system call each.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whether cookies are possible is looked at again after so many seconds.
const ABILITY_TICKS: u32 = 10;

/// What is remembered of attacks and cookies.
#[derive(Debug, Default)]
pub(super) struct Defence {
    keeper: Keeper,
    watch: AttackWatch,
    /// Why there are no cookies here, if there are none.
    pub(super) unable: Option<String>,
    /// Seconds that the daemon has run.
    ticks: u32,
    /// Packets absorbed, and when that was looked at.
    absorbed: Option<(u64, u64)>,
    /// Packets absorbed a second, in the last second.
    pub(super) absorbed_rate: u64,
}

impl Defence {
    /// Since when an attack is under way (CLOCK_MONOTONIC, nanoseconds).
    pub(super) fn attack_since_ns(&self) -> Option<u64> {
        self.watch.since_ns()
    }

    /// Where things stand with the sysctls.
    pub(super) fn phase(&self) -> Phase {
        self.keeper.phase()
    }
}

/// How long it must be quiet until an attack is over.
fn hold_ns(config: &Config) -> u64 {
    u64::try_from(config.limits.attack_hold.as_nanos()).unwrap_or(u64::MAX)
}

impl<K: Kernel> Guard<K> {
    /// Goes on where a predecessor stopped. What `always` asks for is done at once.
    pub(super) fn resume_defence(&mut self) -> Result<(), Failure> {
        let now_ns = self.kernel.now_ns();
        let saved = self.kernel.saved_sysctls()?;
        let since_ns = self.kernel.cookies_since()?;
        self.defence.keeper = Keeper::resume(&saved, since_ns, now_ns);
        self.judge_ability();
        self.look();
        Ok(())
    }

    /// Looks whether there is an attack, and acts.
    pub fn look(&mut self) {
        let result = self.try_look();
        self.note("attacks", result);
    }

    fn try_look(&mut self) -> Result<(), Failure> {
        let attack = self.kernel.attack()?;
        let now_ns = self.kernel.now_ns();
        let change = self
            .defence
            .watch
            .look(&attack, hold_ns(&self.config), now_ns);
        match change {
            Some(Change::Begins { rate }) => {
                tracing::warn!("under attack: {rate} connection requests and strays a second");
                self.events.publish(EventKind::AttackBegin(AttackBegin {
                    attacks: attack.attacks,
                    packets_per_second: rate,
                }));
            }
            Some(Change::Ends { lasted_ns }) => {
                let seconds = (lasted_ns / 1_000_000) as f64 / 1e3;
                tracing::warn!("the attack is over after {seconds:.0} s");
                self.events
                    .publish(EventKind::AttackEnd(AttackEnd { seconds }));
            }
            None => {}
        }
        let scene = Scene {
            now_ns,
            setting: self.config.limits.syn_cookies,
            attack: self.defence.attack_since_ns().is_some(),
            able: self.defence.unable.is_none(),
        };
        let was = self.defence.phase();
        let commands = self.defence.keeper.step(&scene);
        self.obey(commands)?;
        self.tell(was, &scene);
        Ok(())
    }

    /// Carries commands out; behind one that fails the others are left.
    fn obey(&mut self, commands: Vec<Command>) -> Result<(), Failure> {
        for command in commands {
            if let Err(failure) = self.obey_one(&command) {
                let now_ns = self.kernel.now_ns();
                for undo in self.defence.keeper.failed(Some(&command), now_ns) {
                    self.obey_one(&undo)?;
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    fn obey_one(&mut self, command: &Command) -> Result<(), Failure> {
        let io = |error: std::io::Error| Failure::failed(error.to_string());
        match command {
            Command::Set => {
                if self.kernel.saved_sysctls()?.changed == 0 {
                    let saved = self.kernel.sysctls().map_err(io)?.saved();
                    self.kernel.save_sysctls(&saved)?;
                }
                self.kernel
                    .set_sysctls(crate::engine::cookies::NEEDED)
                    .map_err(io)
            }
            Command::Announce(since_ns) => Ok(self.kernel.set_cookies_since(*since_ns)?),
            Command::Withdraw => Ok(self.kernel.set_cookies_since(0)?),
            Command::Restore => {
                let saved = self.kernel.saved_sysctls()?;
                if saved.changed != 0 {
                    let now = self.kernel.sysctls().map_err(io)?;
                    let values = restored(TcpSysctls::from(saved), now);
                    self.kernel.set_sysctls(values).map_err(io)?;
                    self.kernel.save_sysctls(&Sysctls::default())?;
                    tracing::info!("net.ipv4.tcp_syncookies and tcp_timestamps are as before");
                }
                Ok(())
            }
        }
    }

    /// Publishes what has become of cookies.
    fn tell(&self, was: Phase, scene: &Scene) {
        let engaged = |phase| matches!(phase, Phase::Engaged { .. });
        match (engaged(was), engaged(self.defence.phase())) {
            (false, true) => {
                let setting = scene.setting.as_str().to_owned();
                self.say(EventKind::CookiesOn(CookiesOn { setting }));
            }
            (true, false) => {
                let why = match (&self.defence.unable, scene.setting) {
                    (Some(why), _) => why.clone(),
                    (None, Cookies::Off) => "setting".to_owned(),
                    (None, Cookies::Auto | Cookies::Always) => "calm".to_owned(),
                };
                self.say(EventKind::CookiesOff(CookiesOff { why }));
            }
            _ => {}
        }
    }

    fn say(&self, kind: EventKind) {
        tracing::info!("{kind}");
        self.events.publish(kind);
    }

    /// What is due for attacks and cookies once a second.
    pub(super) fn follow_defence(&mut self) {
        let result = self.measure();
        self.note("counters", result);
        let result = self.check_sysctls();
        self.note("SYN cookies", result);
        if self.defence.ticks.is_multiple_of(ABILITY_TICKS) {
            self.judge_ability();
        }
        self.defence.ticks = self.defence.ticks.wrapping_add(1);
    }

    /// How much is absorbed a second.
    fn measure(&mut self) -> Result<(), Failure> {
        let packets = self.kernel.absorbed()?;
        let now_ns = self.kernel.now_ns();
        if let Some((before, then_ns)) = self.defence.absorbed
            && now_ns > then_ns
        {
            let absorbed = u128::from(packets.saturating_sub(before));
            let rate = absorbed * 1_000_000_000 / u128::from(now_ns - then_ns);
            self.defence.absorbed_rate = u64::try_from(rate).unwrap_or(u64::MAX);
        }
        self.defence.absorbed = Some((packets, now_ns));
        Ok(())
    }

    /// Sends no cookies that the stack would refuse, should somebody have changed the sysctls.
    fn check_sysctls(&mut self) -> Result<(), Failure> {
        if !matches!(self.defence.phase(), Phase::Engaged { .. }) {
            return Ok(());
        }
        let now = self.kernel.sysctls();
        let now = now.map_err(|error| Failure::failed(error.to_string()))?;
        let Some(differences) = now.differences() else {
            return Ok(());
        };
        let commands = self.defence.keeper.failed(None, self.kernel.now_ns());
        self.obey(commands)?;
        self.say(EventKind::CookiesOff(CookiesOff {
            why: differences.clone(),
        }));
        Err(Failure::failed(format!(
            "{differences}: somebody has changed it; none are sent for a while"
        )))
    }

    /// Whether cookies can be sent and taken here.
    pub(super) fn judge_ability(&mut self) {
        self.defence.unable = self.inability();
    }

    fn inability(&self) -> Option<String> {
        if self.wanted.sessions.role == Role::Router {
            return Some("a router cannot have another host's stack take them".to_owned());
        }
        if let Err(error) = self.kernel.sysctls_writable() {
            return Some(error.to_string());
        }
        // In generic mode the stack sends what a program answers, whatever the driver.
        let native = |attachment: &Attachment| attachment.mode == AttachMode::Native;
        let attachments = self.kernel.attachments().unwrap_or_default();
        attachments
            .iter()
            .filter(|attachment| native(attachment))
            .find_map(|attachment| self.kernel.cannot_answer(&attachment.interface))
    }

    /// Packets a second of those that attacks are made of, and how many attacks there were.
    pub(super) fn attack_figures(&self) -> Result<(u64, u64), Failure> {
        let attack = self.kernel.attack()?;
        Ok((rate(&attack, self.kernel.now_ns()), attack.attacks))
    }
}
