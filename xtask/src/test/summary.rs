//! What came out: a row for each suite and a line that counts all tests.

use std::time::Duration;

use anyhow::{Result, bail};

/// Tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

impl Counts {
    /// Adds what a closing line of Rust's test runner counts; other lines count nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(counts) = parse(line) else { return };
        self.add(counts);
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// All tests that were executed.
    pub(crate) fn executed(self) -> u32 {
        self.passed + self.failed
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; ...`
fn parse(line: &str) -> Option<Counts> {
    let (_, counts) = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    let count = |name: &str| -> Option<u32> {
        let mut parts = counts.split("; ");
        parts.find_map(|part| part.strip_suffix(name)?.trim_end().parse().ok())
    };
    Some(Counts {
        passed: count("passed")?,
        failed: count("failed")?,
        ignored: count("ignored")?,
    })
}

/// A suite that ran.
pub(crate) struct Row {
    pub(crate) suite: String,
    pub(crate) counts: Counts,
    pub(crate) time: Duration,
    /// What went wrong beside tests that failed.
    pub(crate) trouble: Option<String>,
}

impl Row {
    fn is_good(&self) -> bool {
        self.counts.failed == 0 && self.trouble.is_none()
    }
}

/// The suites that ran, in order.
#[derive(Default)]
pub(crate) struct Summary(Vec<Row>);

impl Summary {
    pub(crate) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    /// Prints the table.
    ///
    /// # Errors
    ///
    /// When a test failed, a suite broke off, or there was none.
    pub(crate) fn finish(&self) -> Result<()> {
        print!("{}", self.table());
        if self.0.is_empty() {
            bail!("no suite ran");
        }
        let bad: Vec<&str> = self
            .0
            .iter()
            .filter(|row| !row.is_good())
            .map(|row| row.suite.as_str())
            .collect();
        if !bad.is_empty() {
            bail!("not good: {}", bad.join(", "));
        }
        Ok(())
    }

    fn table(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|row| row.suite.len())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut table = format!(
            "\n{:width$} {:>7} {:>7} {:>7} {:>8}\n",
            "suite", "passed", "failed", "ignored", "seconds"
        );
        let mut total = Counts::default();
        for row in &self.0 {
            let Counts {
                passed,
                failed,
                ignored,
            } = row.counts;
            total.add(row.counts);
            table.push_str(&format!(
                "{:width$} {passed:>7} {failed:>7} {ignored:>7} {:>8.1}",
                row.suite,
                row.time.as_secs_f64()
            ));
            if let Some(trouble) = &row.trouble {
                table.push_str("  ");
                table.push_str(trouble);
            }
            table.push('\n');
        }
        // A suite that broke off has lost tests that no count shows.
        let broken = self
            .0
            .iter()
            .filter(|row| row.trouble.is_some() && row.counts.failed == 0);
        total.failed += broken.count() as u32;
        let Counts {
            passed,
            failed,
            ignored,
        } = total;
        table.push_str(&format!(
            "total: {passed} passed, {failed} failed, {ignored} skipped\n"
        ));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(suite: &str, passed: u32, failed: u32, trouble: Option<&str>) -> Row {
        Row {
            suite: suite.into(),
            counts: Counts {
                passed,
                failed,
                ignored: 0,
            },
            time: Duration::from_millis(1250),
            trouble: trouble.map(String::from),
        }
    }

    #[test]
    fn closing_lines_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\r",
            "test the_result: ok. 5 passed",
        ] {
            counts.add_line(line);
        }
        assert_eq!(
            counts,
            Counts {
                passed: 13,
                failed: 2,
                ignored: 1
            }
        );
    }

    #[test]
    fn a_failed_test_and_a_broken_suite_fail_the_run() {
        for bad in [
            row("b", 1, 1, None),
            row("b", 1, 0, Some("exit status: 101")),
        ] {
            let summary = Summary(vec![row("a", 2, 0, None), bad]);
            assert!(summary.finish().is_err());
            assert!(
                summary
                    .table()
                    .ends_with("total: 3 passed, 1 failed, 0 skipped\n")
            );
        }
        assert!(Summary(vec![row("a", 2, 0, None)]).finish().is_ok());
        assert!(Summary::default().finish().is_err());
    }
}
