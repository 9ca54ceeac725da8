//! Metrics as Prometheus reads them.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use super::Host;

/// Fetches a URL on `host` and returns the body.
///
/// # Errors
/// When there is no answer with status 200.
pub fn fetch(host: &Host, url: &str) -> Result<String> {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "10",
        "--globoff",
        url,
    ]);
    let output = host.run(command, Duration::from_secs(20))?;
    ensure!(output.success(), "{url}: {}", output.stderr);
    Ok(output.stdout)
}

/// A scrape in the text format.
pub struct Scrape(String);

impl Scrape {
    /// Scrapes an exporter on `host`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn of(host: &Host, address: &str) -> Result<Self> {
        fetch(host, &format!("http://{address}/metrics")).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The sum of all samples of this name whose labels are these, among others.
    ///
    /// # Errors
    /// When a sample has no number, or there is no sample of this name.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
        let mut found = false;
        let mut sum = 0.0;
        for line in self.0.lines() {
            let Some(rest) = line.strip_prefix(name) else {
                continue;
            };
            if !rest.starts_with(['{', ' ']) {
                continue;
            }
            found = true;
            let (set, value) = rest.rsplit_once(' ').context("a sample without value")?;
            let has = |(label, value): &(&str, &str)| set.contains(&format!("{label}=\"{value}\""));
            if labels.iter().all(has) {
                sum += value.parse::<f64>().with_context(|| line.to_owned())?;
            }
        }
        ensure!(found, "no sample of {name}");
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_name_and_labels() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\nab 100\nb 5\n";
        let scrape = Scrape(text.to_owned());
        assert_eq!(scrape.sum("a", &[]).unwrap(), 7.0);
        assert_eq!(scrape.sum("a", &[("y", "2")]).unwrap(), 3.0);
        assert_eq!(scrape.sum("b", &[]).unwrap(), 5.0);
        assert!(scrape.sum("c", &[]).is_err());
    }
}
