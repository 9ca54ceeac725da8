//! The files of dashboard and alerts: what they ask for, and what can be said of them without a guard.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use ftp_guard::telemetry::catalogue::METRICS;
use ftp_guard_tests::lab::packages::Package;
use serde_json::Value;

/// A file below `dist`.
pub fn read(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../dist")
        .join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Each expression of the dashboard: title of its panel, and what Grafana would ask.
pub fn panels() -> Result<Vec<(String, String)>> {
    let dashboard: Value = serde_json::from_str(&read("grafana/ftp-guard.json")?)?;
    let mut all = Vec::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        let title = panel["title"].as_str().context("a panel without title")?;
        let targets = panel["targets"].as_array();
        ensure!(
            targets.is_some() || panel["type"] == "row",
            "{title} asks for nothing"
        );
        for target in targets.into_iter().flatten() {
            let expression = target["expr"].as_str().context(title.to_owned())?;
            let expression = expression
                .replace("$__rate_interval", "5m")
                .replace("$job", ".*")
                .replace("$instance", ".*");
            ensure!(!expression.contains('$'), "{title}: {expression}");
            all.push((title.to_owned(), expression));
        }
    }
    Ok(all)
}

/// The selectors of an expression, as Prometheus prints it: names of metrics with what is in braces.
pub fn selectors(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_name) {
        // A string is none of names.
        if let Some(quote) = rest[..start].find('"') {
            let behind = &rest[quote + 1..];
            rest = behind.split_once('"').map_or("", |(_, behind)| behind);
            continue;
        }
        rest = &rest[start..];
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        rest = behind;
        if !(name == "up" || name.starts_with("ftp_guard_") || name.starts_with("process_")) {
            continue;
        }
        let mut quoted = false;
        let closes = |c: char| {
            quoted ^= c == '"';
            c == '}' && !quoted
        };
        let braces = match rest.starts_with('{') {
            true => rest.find(closes).map_or(rest.len(), |end| end + 1),
            false => 0,
        };
        found.insert(format!("{name}{}", &rest[..braces]));
        rest = &rest[braces..];
    }
    found
}

#[test]
fn selectors_are_found() {
    let expression = "sum by (job, reason) (increase(ftp_guard_a_total{reason=~\"up|b}\",x=\"1\"}[10m])) > 2 \
                      unless on (job) ftp_guard_b offset 5m or absent(up{job=\"ftp-guard\"})";
    let expected = [
        "ftp_guard_a_total{reason=~\"up|b}\",x=\"1\"}",
        "ftp_guard_b",
        "up{job=\"ftp-guard\"}",
    ];
    assert_eq!(
        selectors(expression),
        expected.map(str::to_owned).into_iter().collect()
    );
}

/// What the files ask for exists: a name with a typing mistake would be an alert that never comes.
#[test]
fn every_metric_is_one_of_the_guard() -> Result<()> {
    let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    for file in ["prometheus/ftp-guard.rules.yml", "grafana/ftp-guard.json"] {
        let text = read(file)?;
        let mut named = 0;
        for (start, _) in text.match_indices("ftp_guard_") {
            let rest = &text[start..];
            let name = &rest[..rest.find(|c: char| !is_name(c)).unwrap_or(rest.len())];
            let of_histogram = name.strip_suffix("_bucket").unwrap_or(name);
            ensure!(known.contains(of_histogram), "{file}: there is no {name}");
            named += 1;
        }
        ensure!(named > 0, "{file} names no metric");
    }
    Ok(())
}

/// Each alert points to its section of the page, and has its cases.
#[test]
fn every_alert_is_explained_and_has_cases() -> Result<()> {
    let rules = read("prometheus/ftp-guard.rules.yml")?;
    let cases = read("prometheus/ftp-guard.rules.test.yml")?;
    let page = read("../docs/alerts.md")?;
    let names = rules.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("- ")?;
        line.strip_prefix("alert: ")
    });
    let mut found = 0;
    for name in names {
        found += 1;
        ensure!(
            page.contains(&format!("\n## {name}\n")),
            "{name}: no section"
        );
        let link = format!("runbook: alerts.md#{}\n", name.to_lowercase());
        ensure!(rules.contains(&link), "{name}: {link} is missing");
        for case in ["comes", "stays away"] {
            let case = format!("{name} {case}");
            ensure!(cases.contains(&case), "there is no case \"{case}\"");
        }
    }
    ensure!(found > 0, "no alerts");
    ensure!(
        page.matches("\n## ").count() == found,
        "a section of no alert"
    );
    Ok(())
}

/// The cases beside the rules: each alert comes when it should, and only then.
#[test]
fn the_cases_of_the_alerts_hold() -> Result<()> {
    let promtool = Package::find("prometheus")?.path("usr/bin/promtool");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/prometheus");
    for (verb, file) in [
        ("check", "ftp-guard.rules.yml"),
        ("test", "ftp-guard.rules.test.yml"),
    ] {
        let output = Command::new(&promtool)
            .args([verb, "rules", file])
            .current_dir(&folder)
            .output()?;
        ensure!(
            output.status.success(),
            "promtool {verb} rules: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
