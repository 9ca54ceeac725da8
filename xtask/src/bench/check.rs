//! Comparing the ratios of a run with those that are committed.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The shape of `results.json` that is read here.
const VERSION: u64 = 1;

/// How much worse a ratio may be than the committed one, as a factor, by the first words of its name; the first
/// that fit count. docs/benchmarking.md says how they were found.
const TOLERANCES: [(&str, f64); 5] = [
    ("packets/", 1.3),
    ("drops/", 1.35),
    ("lists/", 1.45),
    ("loading/", 1.75),
    ("transfer/", 1.7),
];

/// A committed or measured ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio {
    median: f64,
    higher_is_better: bool,
    /// Whether quick runs measure it.
    quick: bool,
}

/// Reads a `results.json`.
pub(super) fn read(path: &Path) -> Result<Value> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| {
        format!("cannot read {name}; `cargo xtask bench` writes the one that is committed")
    })?;
    let value: Value = serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?;
    ensure!(
        value["version"] == VERSION,
        "{name} is of another version than {VERSION}: run `cargo xtask bench`"
    );
    Ok(value)
}

/// What makes the two hard to compare.
pub(super) fn differences(committed: &Value, measured: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    for what in ["processor", "kernel"] {
        if committed[what] != measured[what] {
            notes.push(format!(
                "another {what} than the committed values have: {} instead of {}",
                measured[what], committed[what]
            ));
        }
    }
    notes
}

/// What a comparison found.
pub(super) struct Report {
    /// Ratios, with committed and measured value, that are worse than they may be.
    worse: Vec<(String, f64, f64, f64)>,
    /// Committed ratios that quick runs measure, and that this one did not.
    missing: Vec<String>,
    compared: usize,
}

/// Compares what both have. What a quick run never measures is not missed.
///
/// # Errors
///
/// When one of them has ratios that are none, or the two have none in common.
pub(super) fn compare(committed: &Value, measured: &Value) -> Result<Report> {
    let before = ratios(committed).context("the committed values")?;
    let now = ratios(measured).context("the measured values")?;
    let mut report = Report {
        worse: Vec::new(),
        missing: Vec::new(),
        compared: 0,
    };
    for (name, old) in &before {
        let Some(new) = now.get(name) else {
            if old.quick {
                report.missing.push(name.clone());
            }
            continue;
        };
        report.compared += 1;
        let (tolerance, factor) = (tolerance(name), worsening(*old, *new));
        if factor > tolerance {
            report
                .worse
                .push((name.clone(), old.median, new.median, tolerance));
        }
    }
    ensure!(
        report.compared > 0,
        "nothing to compare: the two have no ratio in common"
    );
    Ok(report)
}

/// By what factor the new value is worse; below 1 when it is better.
fn worsening(old: Ratio, new: Ratio) -> f64 {
    if old.higher_is_better {
        old.median / new.median
    } else {
        new.median / old.median
    }
}

fn tolerance(name: &str) -> f64 {
    let found = TOLERANCES.iter().find(|(start, _)| name.starts_with(start));
    // A suite that nobody has measured the spread of.
    found.map_or(1.5, |(_, tolerance)| *tolerance)
}

fn ratios(results: &Value) -> Result<BTreeMap<String, Ratio>> {
    let all = results["ratios"].as_object().context("no ratios")?;
    let mut ratios = BTreeMap::new();
    for (name, value) in all {
        let median = value["median"].as_f64().filter(|median| *median > 0.0);
        let median = median.with_context(|| format!("{name} has no median above 0"))?;
        let higher_is_better = match value["better"].as_str() {
            Some("higher") => true,
            Some("lower") => false,
            _ => bail!("{name} does not say which values are better"),
        };
        let ratio = Ratio {
            median,
            higher_is_better,
            quick: value["quick"] != false,
        };
        ratios.insert(name.clone(), ratio);
    }
    Ok(ratios)
}

impl Report {
    /// # Errors
    ///
    /// When a ratio is worse than it may be, or was not measured.
    pub(super) fn verdict(&self) -> Result<()> {
        ensure!(
            self.worse.is_empty() && self.missing.is_empty(),
            "{} of {} ratios are worse than their tolerance allows, {} were not measured. A busy machine may be \
             the reason: run it once more before looking for another",
            self.worse.len(),
            self.compared,
            self.missing.len()
        );
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, old, new, tolerance) in &self.worse {
            writeln!(
                f,
                "worse: {name}: {new:.3} instead of {old:.3} (tolerated: a factor of {tolerance})"
            )?;
        }
        for name in &self.missing {
            writeln!(f, "not measured: {name}")?;
        }
        writeln!(f, "{} ratios compared", self.compared)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results(ratios: &[(&str, f64, &str)]) -> Value {
        let ratios: serde_json::Map<String, Value> = ratios
            .iter()
            .map(|(name, median, better)| {
                let value = json!({ "median": median, "better": better });
                ((*name).to_owned(), value)
            })
            .collect();
        json!({ "version": VERSION, "ratios": ratios, "kernel": "k", "processor": "p" })
    }

    #[test]
    fn what_is_as_good_or_better_passes() {
        let old = results(&[("drops/a", 0.9, "higher"), ("loading/b", 0.1, "lower")]);
        let new = results(&[("drops/a", 2.0, "higher"), ("loading/b", 0.01, "lower")]);
        for measured in [&old, &new] {
            let report = compare(&old, measured).unwrap();
            assert_eq!(report.compared, 2);
            report.verdict().unwrap();
        }
    }

    #[test]
    fn what_is_worse_than_the_tolerance_fails_in_either_direction() {
        let old = results(&[("drops/a", 0.9, "higher"), ("loading/b", 0.1, "lower")]);
        let within = results(&[
            ("drops/a", 0.9 / (tolerance("drops/a") - 0.01), "higher"),
            ("loading/b", 0.1 * (tolerance("loading/b") - 0.01), "lower"),
        ]);
        compare(&old, &within).unwrap().verdict().unwrap();
        let beyond = results(&[
            ("drops/a", 0.9 / (tolerance("drops/a") + 0.01), "higher"),
            ("loading/b", 0.1 * (tolerance("loading/b") + 0.01), "lower"),
        ]);
        let report = compare(&old, &beyond).unwrap();
        assert!(report.verdict().is_err());
        let text = report.to_string();
        assert!(text.contains("worse: drops/a"), "{text}");
        assert!(text.contains("worse: loading/b"), "{text}");
    }

    #[test]
    fn a_ratio_that_is_gone_fails_but_for_those_of_long_runs() {
        let mut old = results(&[
            ("drops/a", 0.9, "higher"),
            ("lists/long", 0.9, "higher"),
            ("drops/gone", 0.9, "higher"),
        ]);
        old["ratios"]["lists/long"]["quick"] = json!(false);
        let new = results(&[("drops/a", 0.9, "higher"), ("drops/new", 0.1, "higher")]);
        let report = compare(&old, &new).unwrap();
        assert_eq!(report.missing, ["drops/gone"]);
        assert!(report.verdict().is_err());
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let good = results(&[("drops/a", 0.9, "higher")]);
        let other = results(&[("drops/b", 0.9, "higher")]);
        assert!(compare(&good, &other).is_err());
        for broken in [
            results(&[("drops/a", 0.0, "higher")]),
            results(&[("drops/a", 0.9, "sideways")]),
            json!({ "ratios": 3 }),
            json!({ "ratios": { "drops/a": { "median": null, "better": "higher" } } }),
        ] {
            assert!(compare(&good, &broken).is_err(), "{broken}");
            assert!(compare(&broken, &good).is_err(), "{broken}");
        }
    }

    #[test]
    fn another_machine_is_named() {
        let old = results(&[("drops/a", 0.9, "higher")]);
        let mut new = old.clone();
        assert!(differences(&old, &new).is_empty());
        new["kernel"] = json!("another");
        assert_eq!(differences(&old, &new).len(), 1);
    }

    #[test]
    fn a_file_of_another_shape_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        assert!(read(&path).is_err());
        fs::write(&path, "[").unwrap();
        assert!(read(&path).is_err());
        fs::write(&path, r#"{ "version": 0 }"#).unwrap();
        assert!(read(&path).is_err());
        fs::write(&path, results(&[]).to_string()).unwrap();
        assert!(read(&path).is_ok());
    }
}
