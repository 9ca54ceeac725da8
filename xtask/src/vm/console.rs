//! What the machine's console tells.

use std::time::Duration;

use crate::test::{Counts, Row};

/// Begins the lines of the init script.
pub(crate) const MARK: &str = "ftp-guard-vm: ";

/// The console so far.
#[derive(Default)]
pub(crate) struct Log {
    kernel: Option<String>,
    running: Option<Started>,
    ended: Vec<Ended>,
}

struct Started {
    suite: String,
    counts: Counts,
    at: Duration,
}

struct Ended {
    suite: String,
    counts: Counts,
    time: Duration,
    status: String,
}

impl Log {
    /// Reads one line, which came `now` after the machine was started.
    pub(crate) fn add(&mut self, line: &str, now: Duration) {
        let Some(said) = line.trim().strip_prefix(MARK) else {
            if let Some(running) = &mut self.running {
                running.counts.add_line(line);
            }
            return;
        };
        let mut words = said.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("kernel"), Some(release), None) => self.kernel = Some(release.to_owned()),
            (Some("begin"), Some(suite), None) => {
                self.running = Some(Started {
                    suite: suite.to_owned(),
                    counts: Counts::default(),
                    at: now,
                });
            }
            (Some("end"), Some(suite), Some(status)) => {
                if let Some(running) = self.running.take_if(|running| running.suite == suite) {
                    self.ended.push(Ended {
                        suite: running.suite,
                        counts: running.counts,
                        time: now.saturating_sub(running.at),
                        status: status.to_owned(),
                    });
                }
            }
            _ => {}
        }
    }

    /// A row for each suite that should have run, whatever became of it.
    pub(crate) fn rows<'a>(
        &self,
        series: &str,
        suites: impl Iterator<Item = &'a str>,
        total: Duration,
    ) -> Vec<Row> {
        let is_kernel = self
            .kernel
            .as_ref()
            .is_some_and(|release| is_of(release, series));
        suites
            .map(|suite| {
                let ended = self.ended.iter().find(|ended| ended.suite == suite);
                let running = self
                    .running
                    .as_ref()
                    .filter(|running| running.suite == suite);
                let (counts, time) = match (ended, running) {
                    (Some(ended), _) => (ended.counts, ended.time),
                    (None, Some(running)) => (running.counts, total.saturating_sub(running.at)),
                    (None, None) => (Counts::default(), Duration::ZERO),
                };
                let trouble = match ended {
                    _ if !is_kernel => Some(match &self.kernel {
                        None => "the machine did not boot".to_owned(),
                        Some(release) => format!("the machine runs {release}"),
                    }),
                    None if running.is_some() => Some("broke off with the machine".to_owned()),
                    None => Some("was not reached".to_owned()),
                    Some(ended) if ended.status != "0" && counts.failed == 0 => {
                        Some(format!("broke off: exit status {}", ended.status))
                    }
                    Some(_) if counts.executed() == 0 => Some("ran no test".to_owned()),
                    Some(_) => None,
                };
                Row {
                    suite: format!("{suite} on {series}"),
                    counts,
                    time,
                    trouble,
                }
            })
            .collect()
    }
}

/// Whether a release (`6.1.0-47-cloud-amd64`) belongs to a series (`6.1`).
fn is_of(release: &str, series: &str) -> bool {
    release
        .strip_prefix(series)
        .is_some_and(|rest| rest.starts_with(['.', '-', '+']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str =
        "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

    fn rows(lines: &[&str]) -> Vec<(Counts, Option<String>)> {
        let mut log = Log::default();
        for (second, line) in lines.iter().enumerate() {
            log.add(line, Duration::from_secs(second as u64));
        }
        let rows = log.rows(
            "6.1",
            ["object", "datapath"].into_iter(),
            Duration::from_secs(99),
        );
        rows.into_iter()
            .map(|row| (row.counts, row.trouble))
            .collect()
    }

    #[test]
    fn suites_that_ended_well_are_counted() {
        let rows = rows(&[
            "[    0.1] something of the kernel's",
            "ftp-guard-vm: kernel 6.1.0-47-cloud-amd64\r",
            "ftp-guard-vm: begin object\r",
            RESULT,
            "ftp-guard-vm: end object 0\r",
            "ftp-guard-vm: begin datapath",
            RESULT,
            RESULT,
            "ftp-guard-vm: end datapath 0",
            "ftp-guard-vm: done",
        ]);
        assert_eq!(rows[0].0.passed, 7);
        assert_eq!(rows[1].0.passed, 14);
        assert!(rows.iter().all(|(_, trouble)| trouble.is_none()));
    }

    #[test]
    fn a_machine_that_breaks_off_is_trouble() {
        let rows = rows(&[
            "ftp-guard-vm: kernel 6.1.0-47-cloud-amd64",
            "ftp-guard-vm: begin object",
            RESULT,
            "Kernel panic - not syncing",
        ]);
        assert_eq!(rows[0].1.as_deref(), Some("broke off with the machine"));
        assert_eq!(rows[1].1.as_deref(), Some("was not reached"));
    }

    #[test]
    fn silence_another_kernel_and_a_bad_exit_are_trouble() {
        assert!(rows(&[]).iter().all(|(_, trouble)| trouble.is_some()));
        let good = [
            "ftp-guard-vm: begin object",
            RESULT,
            "ftp-guard-vm: end object 0",
        ];
        let other = [&["ftp-guard-vm: kernel 6.18.1"][..], &good].concat();
        assert!(rows(&other)[0].1.is_some());
        let crash = [
            "ftp-guard-vm: kernel 6.1.0-1",
            "ftp-guard-vm: begin object",
            "ftp-guard-vm: end object 139",
        ];
        assert_eq!(
            rows(&crash)[0].1.as_deref(),
            Some("broke off: exit status 139")
        );
    }
}
