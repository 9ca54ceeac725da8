//! A real Prometheus, and the checker that comes with it.

use std::{fs::File, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{
    Host, Identity, Process,
    metrics::{Scrape, fetch},
    packages::Package,
    process::Launch,
    wait_until,
};

/// Where it listens, on its own host.
const LISTEN: &str = "127.0.0.1:9090";

/// Time to come up, on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A Prometheus that scrapes one exporter every second.
pub struct Prometheus {
    host: Host,
    _process: Process,
}

impl Prometheus {
    /// Starts it on `host`, to scrape `exporter` there.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(host: &Host, exporter: &str) -> Result<Self> {
        Self::start_with_rules(host, exporter, "groups: []\n")
    }

    /// As [`Prometheus::start`], with a file of rules, which it evaluates every second.
    ///
    /// # Errors
    /// When it does not come up, which a mistake in the rules is a reason for.
    pub fn start_with_rules(host: &Host, exporter: &str, rules: &str) -> Result<Self> {
        let folder = host.folder();
        folder.write("rules.yml", rules)?;
        folder.write(
            "prometheus.yml",
            format!(
                "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n\
                 rule_files: [rules.yml]\n\
                 scrape_configs:\n\
                 \x20 - job_name: ftp-guard\n\
                 \x20   static_configs:\n\
                 \x20     - targets: [\"{exporter}\"]\n"
            ),
        )?;
        let mut command = Package::find("prometheus")?.command("usr/bin/prometheus")?;
        let argument =
            |name: &str, path: &str| format!("--{name}={}", folder.inside(path).display());
        command
            .arg(argument("config.file", "prometheus.yml"))
            .arg(argument("storage.tsdb.path", "prometheus"))
            .arg(format!("--web.listen-address={LISTEN}"));
        let mut process = host.spawn(command)?;
        wait_until("Prometheus is ready", START_LIMIT, || {
            if let Some(status) = process.ended()? {
                bail!("it ended, {status}: {}", process.stderr());
            }
            Ok(fetch(host, &format!("http://{LISTEN}/-/ready")).ok())
        })?;
        Ok(Self {
            host: host.clone(),
            _process: process,
        })
    }

    /// The alerts that it has read, as `/api/v1/rules` tells them: name, query, state, health.
    ///
    /// # Errors
    /// When Prometheus does not answer, or with something else.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let url = format!("http://{LISTEN}/api/v1/rules?type=alert");
        let answer: Value = serde_json::from_str(&fetch(&self.host, &url)?)?;
        let groups = answer["data"]["groups"].as_array();
        let groups = groups.with_context(|| answer.to_string())?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        Ok(rules.flatten().cloned().collect())
    }

    /// Evaluates an expression now; the values of all series that it gives.
    ///
    /// # Errors
    /// When Prometheus refuses it.
    pub fn query(&self, expression: &str) -> Result<Vec<f64>> {
        let url = format!("http://{LISTEN}/api/v1/query?query={}", escaped(expression));
        let answer: Value = serde_json::from_str(&fetch(&self.host, &url)?)?;
        let series = answer["data"]["result"].as_array();
        series
            .with_context(|| answer.to_string())?
            .iter()
            .map(|series| {
                let value = series["value"][1]
                    .as_str()
                    .context("a series without value")?;
                value.parse().context("a value that is no number")
            })
            .collect()
    }
}

/// Has `promtool` judge a scrape.
///
/// # Errors
/// With its complaints.
pub fn check_metrics(host: &Host, scrape: &Scrape) -> Result<()> {
    host.folder().write("scrape.txt", scrape.text())?;
    let mut command = Package::find("prometheus")?.command("usr/bin/promtool")?;
    command.args(["check", "metrics"]);
    let input = File::open(host.folder().outside("scrape.txt"))?;
    let launch = Launch {
        stdin: Stdio::from(input),
        ..Launch::new(Identity::Root)
    };
    let output = Process::spawn(host, command, launch)?.output(START_LIMIT)?;
    let said = format!("{}{}", output.stdout, output.stderr);
    // It warns of bad style with exit code 3, or with words alone.
    ensure!(
        output.success() && said.trim().is_empty(),
        "promtool complains: {said}"
    );
    Ok(())
}

/// Percent-encoding of all but letters and digits (RFC 3986, 2.1).
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
