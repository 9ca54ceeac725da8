//! `ftp-guard kill`

use serde::Serialize;

use super::{
    Global, Outcome,
    output::{counted, print, print_json},
    sessions::Listing,
    target::Target,
};
use crate::control::{
    protocol::{self, Request},
    session_view::KillView,
};

/// End sessions and their data connections, at once.
///
/// Their clients may come back while the allowlist lets them. Nothing to end is no error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ftp-guard kill 17\n  \
    ftp-guard kill 192.0.2.7 2001:db8:7::/48")]
pub(super) struct Args {
    /// Numbers of sessions, and addresses or prefixes of clients.
    #[arg(required = true, value_name = "CLIENT|PREFIX|ID")]
    targets: Vec<protocol::Target>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints: what was ended, as `sessions` told it just before, and the counts.
#[derive(Debug, Serialize)]
struct Killed {
    #[serde(flatten)]
    report: KillView,
    ended: Listing,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let request = Request::Kill {
            targets: self.targets,
        };
        let mut ended = Listing::default();
        let mut client = Target::of(global).connect()?;
        let report: KillView = client.call(&request, |member| ended.add(member))?;
        let killed = Killed { report, ended };
        if self.json {
            print_json(&killed)?;
        } else {
            print(&killed.text())?;
        }
        Ok(0)
    }
}

impl Killed {
    fn text(&self) -> String {
        let report = &self.report;
        let mut text = self.ended.text(false);
        for target in &report.absent {
            text.push_str(&format!("{target}: no session, nothing to end\n"));
        }
        if report.sessions + report.data_connections > 0 {
            text.push_str(&format!(
                "ended {} and {}\n",
                counted(report.sessions, "session", "sessions"),
                counted(
                    report.data_connections,
                    "data connection",
                    "data connections"
                )
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ended_is_told_and_what_was_not_there() {
        let text = |sessions, data_connections, absent: &[&str]| {
            let killed = Killed {
                report: KillView {
                    sessions,
                    data_connections,
                    sockets: 0,
                    absent: absent.iter().map(|text| (*text).to_owned()).collect(),
                },
                ended: Listing::default(),
            };
            killed.text()
        };
        assert_eq!(text(0, 0, &["17"]), "17: no session, nothing to end\n");
        assert_eq!(text(1, 2, &[]), "ended 1 session and 2 data connections\n");
    }
}
