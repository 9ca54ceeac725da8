//! `ftp-guard mode`

use jiff::Timestamp;

use super::{
    Global, Outcome,
    output::{countdown, print, print_json},
    target::Target,
    time::parse_seconds,
};
use crate::control::{
    mode_view::{DeadlineView, ModeReport, check_confirm_within},
    protocol::{Failure, ModeName, Request},
};
use ftp_guard_common::config::Mode;

/// Tell or change the mode: `enforce` drops, `monitor` only counts what it would drop.
///
/// A change is written to the configuration file before the kernel is told.
///
/// `enforce --confirm-within 10m` enforces at once, and monitor mode is back ten minutes later unless `confirm` comes
/// before. The kernel keeps to that by itself, whatever becomes of the daemon; the file says `monitor` until then.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The mode to change to, or `confirm` to stay in enforce mode.
    mode: Option<Order>,
    /// With `enforce`: only for this long unless it is confirmed; 10s to 24h, such as 90s, 10m or 2h, or a number of
    /// seconds.
    #[arg(long, value_name = "DURATION", value_parser = parse_within)]
    confirm_within: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// Count what would be dropped, and let it pass.
    Monitor,
    /// Drop what the rules say to drop.
    Enforce,
    /// Stay in enforce mode, which has a deadline.
    Confirm,
}

fn parse_within(text: &str) -> Result<u64, String> {
    let seconds = parse_seconds(text)?;
    check_confirm_within(seconds)?;
    Ok(seconds)
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let request = self.request()?;
        let report: ModeReport = Target::of(global).connect()?.ask(&request)?;
        if self.json {
            print_json(&report)?;
            return Ok(0);
        }
        print(&text(self.mode, &report))?;
        Ok(0)
    }

    fn request(&self) -> Result<Request, Failure> {
        Ok(match (self.mode, self.confirm_within) {
            (Some(Order::Enforce), Some(seconds)) => Request::ModeTrial { seconds },
            (_, Some(_)) => {
                return Err(Failure::usage(
                    "--confirm-within goes with `ftp-guard mode enforce`",
                ));
            }
            (None, None) => Request::Mode { set: None },
            (Some(Order::Monitor), None) => Request::Mode {
                set: Some(ModeName::Monitor),
            },
            (Some(Order::Enforce), None) => Request::Mode {
                set: Some(ModeName::Enforce),
            },
            (Some(Order::Confirm), None) => Request::ModeConfirm,
        })
    }
}

fn text(order: Option<Order>, report: &ModeReport) -> String {
    let name = Mode::from(report.mode).as_str();
    let first = match (order, report.changed) {
        (None, _) => format!("{name}\n"),
        (Some(Order::Confirm), true) => format!("mode is {name} for good\n"),
        (Some(Order::Confirm), false) => {
            format!("mode is {name} already, without a deadline: nothing to confirm\n")
        }
        (Some(_), true) => format!("mode is now {name}\n"),
        (Some(_), false) => format!("mode is {name} already\n"),
    };
    let more = match (&report.deadline, report.fell_back) {
        (Some(deadline), _) => format!("{}; `ftp-guard mode confirm` keeps it\n", until(deadline)),
        (None, Some(at)) => format!("{}\n", since(at)),
        (None, None) => String::new(),
    };
    first + &more
}

/// When enforce mode ends.
pub(super) fn until(deadline: &DeadlineView) -> String {
    format!(
        "until {} ({} left), then monitor",
        deadline.at.strftime("%FT%TZ"),
        countdown(deadline.seconds_left)
    )
}

/// Since when monitor mode is back.
pub(super) fn since(at: Timestamp) -> String {
    format!(
        "since {}: nobody confirmed enforce mode in time",
        at.strftime("%FT%TZ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(mode: Option<Order>, confirm_within: Option<u64>) -> Args {
        Args {
            mode,
            confirm_within,
            json: false,
        }
    }

    #[test]
    fn what_is_asked_for() {
        let request = |mode, within| args(mode, within).request();
        assert_eq!(request(None, None), Ok(Request::Mode { set: None }));
        assert_eq!(
            request(Some(Order::Enforce), None),
            Ok(Request::Mode {
                set: Some(ModeName::Enforce)
            })
        );
        assert_eq!(
            request(Some(Order::Enforce), Some(600)),
            Ok(Request::ModeTrial { seconds: 600 })
        );
        assert_eq!(
            request(Some(Order::Confirm), None),
            Ok(Request::ModeConfirm)
        );
        for mode in [None, Some(Order::Monitor), Some(Order::Confirm)] {
            let failure = request(mode, Some(600)).unwrap_err();
            assert_eq!(failure.exit_code, 2, "{mode:?}");
        }
    }

    #[test]
    fn the_time_to_confirm() {
        for (text, seconds) in [("10s", 10), ("90", 90), ("10m", 600), ("24h", 86_400)] {
            assert_eq!(parse_within(text), Ok(seconds), "{text}");
        }
        for (text, word) in [
            ("9s", "at least 10s"),
            ("0", "at least 10s"),
            ("25h", "at most 24h"),
            ("-10m", "negative"),
            ("soon", "expected a duration such as"),
            ("", "expected a duration such as"),
            ("99999999999999999999", "too long"),
        ] {
            let error = parse_within(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_told() {
        let lasting = ModeReport {
            mode: ModeName::Enforce,
            changed: true,
            deadline: None,
            fell_back: None,
        };
        let pending = ModeReport {
            deadline: Some(DeadlineView {
                at: "2026-11-23T01:10:00Z".parse().unwrap(),
                seconds_left: 590,
            }),
            ..lasting.clone()
        };
        let over = ModeReport {
            mode: ModeName::Monitor,
            fell_back: Some("2026-11-23T01:10:00Z".parse().unwrap()),
            ..lasting.clone()
        };
        let again = ModeReport {
            changed: false,
            ..lasting.clone()
        };
        for (order, report, told) in [
            (None, &lasting, "enforce\n"),
            (
                None,
                &pending,
                "enforce\nuntil 2026-11-23T01:10:00Z (9 min 50 s left), then monitor; \
                 `ftp-guard mode confirm` keeps it\n",
            ),
            (
                None,
                &over,
                "monitor\nsince 2026-11-23T01:10:00Z: nobody confirmed enforce mode in time\n",
            ),
            (
                Some(Order::Enforce),
                &pending,
                "mode is now enforce\nuntil 2026-11-23T01:10:00Z (9 min 50 s left), then monitor; \
                 `ftp-guard mode confirm` keeps it\n",
            ),
            (Some(Order::Enforce), &again, "mode is enforce already\n"),
            (Some(Order::Confirm), &lasting, "mode is enforce for good\n"),
            (
                Some(Order::Confirm),
                &again,
                "mode is enforce already, without a deadline: nothing to confirm\n",
            ),
        ] {
            assert_eq!(text(order, report), told);
        }
    }
}
