use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};

/// A row of one of Zeek's logs, by the names of its columns. What is unset is not there.
pub type Entry = BTreeMap<String, String>;

/// A filter of one of Suricata's tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// How many events it must match.
    pub count: usize,
    /// What an event must have.
    pub fields: BTreeMap<String, String>,
}

/// What others have read in a capture, field by field.
#[derive(Debug, Default)]
pub struct Readings {
    /// Zeek's `ftp.log`, each of them.
    pub ftp: Vec<Vec<Entry>>,
    /// Zeek's `ssl.log`.
    pub ssl: Vec<Entry>,
    /// The codes of final replies in Zeek's `ftp_reply` events.
    pub replies: Vec<u16>,
    /// Suricata's filters, those of tests that let everything pass.
    pub filters: Vec<Filter>,
    /// Counts and names in the manifest: `USER`, `530`, `users`.
    pub manifest: BTreeMap<String, String>,
}

impl Readings {
    /// Reads what is beside a capture; `None` when its folder has no manifest that names it.
    ///
    /// # Errors
    ///
    /// A file that the manifest names cannot be read, or is not what it seems.
    pub fn beside(capture: &Path) -> Result<Option<Self>> {
        let folder = capture.parent().unwrap_or(Path::new("."));
        let manifest = folder.join("manifest.csv");
        if !manifest.exists() {
            return Ok(None);
        }
        let name = capture.file_name().context("no file")?.to_string_lossy();
        let manifest = read(&manifest)?;
        let start = format!("{name},");
        let Some(row) = manifest.lines().find(|line| line.starts_with(&start)) else {
            return Ok(None);
        };
        let mut readings = Self {
            manifest: words(row),
            ..Self::default()
        };
        let files = row.rsplit(',').next().unwrap_or_default();
        for file in files.split(';').filter(|file| file.ends_with(".txt")) {
            let text = read(&folder.join(file))?;
            if file.ends_with("ftp.log.txt") {
                readings
                    .ftp
                    .push(zeek(&text).with_context(|| file.to_owned())?);
            } else if file.ends_with("ssl.log.txt") {
                readings
                    .ssl
                    .extend(zeek(&text).with_context(|| file.to_owned())?);
            } else if file.ends_with("out.txt") {
                readings.replies.extend(replies(&text));
            } else if file.ends_with("test.yaml.txt") {
                readings.filters.extend(filters(&text));
            }
        }
        Ok(Some(readings))
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// `PASV=2` and its like, and `users=a|b`.
fn words(row: &str) -> BTreeMap<String, String> {
    let contents = row.split([',', '"']).find(|cell| cell.starts_with("ctl="));
    let mut words = BTreeMap::new();
    for word in contents.unwrap_or_default().split([' ', ';']) {
        if let Some((name, value)) = word.split_once('=') {
            words
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    words
}

/// The rows of a log: columns between tabs, named by the line `#fields`.
fn zeek(log: &str) -> Result<Vec<Entry>> {
    let names = log.lines().find_map(|line| line.strip_prefix("#fields\t"));
    let names: Vec<_> = names
        .context("a log without #fields")?
        .split('\t')
        .collect();
    let mut entries = Vec::new();
    for line in log.lines().filter(|line| !line.starts_with('#')) {
        let values: Vec<_> = line.split('\t').collect();
        ensure!(values.len() == names.len(), "another number of columns");
        let cells = names.iter().zip(values).filter(|(_, value)| *value != "-");
        entries.push(
            cells
                .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                .collect(),
        );
    }
    Ok(entries)
}

/// `ftp_reply, CONTINUES, CODE, TEXT`.
fn replies(text: &str) -> Vec<u16> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("ftp_reply, F, "));
    lines
        .filter_map(|line| line.split(',').next()?.parse().ok())
        .collect()
}

/// The filters of a test, unless its rules let only part of the capture pass.
fn filters(test: &str) -> Vec<Filter> {
    let mut filters = Vec::new();
    for part in test.split("filter:").skip(1) {
        let mut filter = Filter::default();
        for line in part.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            match name {
                "count" => filter.count = value.parse().unwrap_or(0),
                "requires" | "match" | "min-version" => {}
                _ => drop(filter.fields.insert(name.to_owned(), value)),
            }
        }
        filters.push(filter);
    }
    let kind = |filter: &Filter| filter.fields.get("event_type").cloned().unwrap_or_default();
    let drops = |filter: &Filter| {
        let blocks = filter
            .fields
            .get("alert.action")
            .is_some_and(|action| action == "blocked");
        blocks || kind(filter) == "drop" && filter.count > 0
    };
    let stops_early = test.contains("didn't finish");
    if stops_early || filters.iter().any(drops) {
        return Vec::new();
    }
    filters
}
