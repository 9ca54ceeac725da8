//! The table of known vulnerabilities of FTP servers.

use std::{fmt, path::Path};

use super::version::{Affected, Version};
use crate::{
    diagnostic::{Diagnostic, Diagnostics},
    engine::events::Severity,
};

/// The table that the program brings along.
const BUILT_IN: &str = include_str!("../../../data/ftp-vulnerabilities.csv");

/// Largest table that is read, in bytes.
pub const MOST_BYTES: u64 = 4 << 20;

const COLUMNS: [&str; 8] = [
    "cve",
    "product",
    "affected",
    "cvss",
    "cvss_version",
    "severity",
    "title",
    "source",
];

/// Known vulnerabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Vulnerabilities(Vec<Vulnerability>);

/// A vulnerability of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct Vulnerability {
    /// Its number: `CVE-2011-2523`.
    pub cve: String,
    /// The product, in small letters.
    pub product: String,
    /// The versions that have it.
    pub affected: Affected,
    /// How bad it is, 0 to 10, in hundredths; `None`: its record has no score.
    pub cvss: Option<u16>,
    /// Version of the scale: `2.0`, `3.1`.
    pub cvss_version: Option<String>,
    /// How bad it is, in a word; `None`: its record has none.
    pub severity: Option<Severity>,
    /// What it is.
    pub title: String,
    /// Where that is from.
    pub source: String,
}

impl Vulnerability {
    /// How much it matters. One that nobody has rated counts as a weakness.
    #[must_use]
    pub fn weight(&self) -> Severity {
        self.severity.unwrap_or(Severity::Medium)
    }
}

impl Vulnerability {
    /// Score and version of the scale, for people; empty: there is none.
    #[must_use]
    pub fn score(&self) -> String {
        match (self.cvss, &self.cvss_version) {
            (Some(cvss), Some(version)) => format!("{} (v{version})", points(cvss)),
            (Some(cvss), None) => points(cvss),
            (None, _) => String::new(),
        }
    }
}

fn points(cvss: u16) -> String {
    format!("{}.{}", cvss / 100, cvss % 100 / 10)
}

impl fmt::Display for Vulnerability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.map_or("not rated", Severity::as_str);
        write!(f, "{} ({severity}", self.cve)?;
        if let Some(cvss) = self.cvss {
            write!(f, " {}", points(cvss))?;
        }
        write!(f, ")")
    }
}

impl Default for Vulnerabilities {
    /// The table that the program brings along.
    fn default() -> Self {
        // A test reads it without mistakes; without it nothing else would stop working.
        Self::parse(Path::new("data/ftp-vulnerabilities.csv"), BUILT_IN).unwrap_or(Self(Vec::new()))
    }
}

impl Vulnerabilities {
    /// Reads a table: CSV with a header that names the columns in their order; lines that begin with `#` are
    /// comments. `path` is what mistakes are reported for.
    ///
    /// # Errors
    ///
    /// All mistakes, by line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Diagnostics> {
        let mut rows = Vec::new();
        let mut mistakes = Vec::new();
        let mut note = |line: u64, message: String| {
            mistakes.push(Diagnostic {
                file: path.to_owned(),
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: 1,
                message,
            });
        };
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        match reader.headers() {
            Ok(header) if header.iter().eq(COLUMNS) => {}
            Ok(_) => note(1, format!("the first line must be {}", COLUMNS.join(","))),
            Err(error) => note(1, error.to_string()),
        }
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let line = record.position().map_or(1, csv::Position::line);
                    match row(&record) {
                        Ok(row) => rows.push(row),
                        Err(message) => note(line, message),
                    }
                }
                Err(error) => {
                    let line = error.position().map_or(1, csv::Position::line);
                    note(line, format!("cannot be read: {error}"));
                }
            }
        }
        match mistakes.is_empty() {
            true => Ok(Self(rows)),
            false => Err(Diagnostics(mistakes)),
        }
    }

    /// All rows, in the order of the table.
    pub fn rows(&self) -> impl Iterator<Item = &Vulnerability> {
        self.0.iter()
    }

    /// What is known of a version of a product, the worst first. The product's name is compared by its
    /// letters and digits, and without `server` at its end.
    #[must_use]
    pub fn of(&self, product: &str, version: &Version) -> Vec<&Vulnerability> {
        let name = fold(product);
        let mut found: Vec<&Vulnerability> = self
            .0
            .iter()
            .filter(|row| fold(&row.product) == name && row.affected.contains(version))
            .collect();
        found.sort_by_key(|row| std::cmp::Reverse((row.weight(), row.cvss)));
        found
    }
}

fn fold(product: &str) -> String {
    let letters: String = product
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    match letters.strip_suffix("server") {
        Some(name) => name.to_owned(),
        None => letters,
    }
}

fn row(record: &csv::StringRecord) -> Result<Vulnerability, String> {
    let field = |at: usize| record.get(at).unwrap_or_default();
    let some = |at: usize| match field(at) {
        "" => Err(format!("{} is empty", COLUMNS[at])),
        text if text.chars().any(char::is_control) => {
            Err(format!("{} contains a control character", COLUMNS[at]))
        }
        text => Ok(text.to_owned()),
    };
    let optional = |at: usize| Some(field(at)).filter(|text| !text.is_empty());
    let cve = some(0)?;
    if !is_cve(&cve) {
        return Err(format!("{cve:?} is no CVE number, such as CVE-2011-2523"));
    }
    let affected = some(2)?.parse::<Affected>();
    let severity = match field(5).to_lowercase().as_str() {
        "unrated" => None,
        name => Some(named(name).ok_or_else(|| {
            format!("severity must be low, medium, high, critical or unrated, not {name:?}")
        })?),
    };
    Ok(Vulnerability {
        cve,
        product: some(1)?.to_lowercase(),
        affected: affected.map_err(|error| error.to_string())?,
        cvss: optional(3).map(score).transpose()?,
        cvss_version: optional(4).map(str::to_owned),
        severity,
        title: some(6)?,
        source: some(7)?,
    })
}

fn named(name: &str) -> Option<Severity> {
    Severity::ALL
        .into_iter()
        .find(|severity| severity.as_str() == name)
}

fn is_cve(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix("CVE-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(year, number)| {
            year.len() == 4 && digits(year) && (4..=7).contains(&number.len()) && digits(number)
        })
}

fn score(text: &str) -> Result<u16, String> {
    let score = text.parse::<f64>().ok();
    match score.filter(|score| (0.0..=10.0).contains(score)) {
        Some(score) => Ok((score * 100.0).round() as u16),
        None => Err(format!("cvss must be a number from 0 to 10, not {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Vulnerabilities {
        Vulnerabilities::parse(Path::new("built-in.csv"), BUILT_IN)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn has(table: &Vulnerabilities, cve: &str, product: &str, version: &str) -> bool {
        let version = Version::read(version).unwrap();
        table.of(product, &version).iter().any(|row| row.cve == cve)
    }

    /// Each row, a version that has it, and one next to it that has not.
    const EXAMPLES: [(&str, &str, &str); 53] = [
        ("CVE-2011-2523", "2.3.4", "2.3.5"),
        ("CVE-2015-1419", "3.0.2", "3.0.3"),
        ("CVE-2011-0762", "2.3.2", "2.3.3"),
        ("CVE-2021-30047", "3.0.3", "3.0.4"),
        ("CVE-2015-3306", "1.3.5", "1.3.5a"),
        ("CVE-2019-12815", "1.3.5b", "1.3.5c"),
        ("CVE-2019-12815", "1.3.6", "1.3.6a"),
        ("CVE-2010-4221", "1.3.2rc3", "1.3.2rc2"),
        ("CVE-2010-4221", "1.3.3b", "1.3.3c"),
        ("CVE-2010-20103", "1.3.3c", "1.3.3d"),
        ("CVE-2019-18217", "1.3.6a", "1.3.6b"),
        ("CVE-2019-18217", "1.3.7rc1", "1.3.7rc2"),
        ("CVE-2023-51713", "1.3.8", "1.3.8a"),
        ("CVE-2024-48651", "1.3.8b", "1.3.8c"),
        ("CVE-2021-46854", "1.3.7b", "1.3.7c"),
        ("CVE-2020-9273", "1.3.7", "1.3.7a"),
        ("CVE-2019-19270", "1.3.6b", "1.3.6c"),
        ("CVE-2019-19272", "1.3.5e", "1.3.6"),
        ("CVE-2020-9274", "1.0.49", "1.0.50"),
        ("CVE-2020-9365", "1.0.49", "1.0.50"),
        ("CVE-2021-40524", "1.0.23", "1.0.22"),
        ("CVE-2024-48208", "1.0.51", "1.0.52"),
        ("CVE-2000-0573", "2.6.0", "2.6.1"),
        ("CVE-2001-0550", "2.6.1", "2.6.2"),
        ("CVE-2004-0148", "2.6.2", "2.6.3"),
        ("CVE-2015-10003", "0.9.50", "0.9.51"),
        ("CVE-2009-0884", "0.9.30", "0.9.31"),
        ("CVE-2006-6565", "0.9.21", "0.9.22"),
        ("CVE-2004-0330", "5.0.0.3", "5.0.0.4"),
        ("CVE-2008-4501", "7.3", "7.3.0.1"),
        ("CVE-2021-35211", "15.2.3", "15.2.3 HF2"),
        ("CVE-2019-12181", "15.1.6", "15.1.7"),
        ("CVE-2002-2393", "3.1", "3.2"),
        ("CVE-2002-2393", "4.0.0.4", "4.0.0.5"),
        ("CVE-2010-3972", "7.5", "8.0"),
        ("CVE-2009-3023", "6.0", "7.0"),
        ("CVE-2012-2532", "7.0", "6.0"),
        ("CVE-2024-4040", "10.7.0", "10.7.1"),
        ("CVE-2025-31161", "11.3.0", "11.3.1"),
        ("CVE-2025-54309", "11.3.4_22", "11.3.4_23"),
        ("CVE-2025-47812", "7.4.3", "7.4.4"),
        ("CVE-2020-8635", "6.2.3", "6.2.4"),
        ("CVE-2017-16892", "4.6", "4.7"),
        ("CVE-2020-6835", "5.3", "5.4"),
        ("CVE-2005-0483", "2.00", "2.01"),
        ("CVE-2001-0965", "1.23", "1.24"),
        ("CVE-2008-0702", "6.03", "6.04"),
        ("CVE-2014-1841", "10.40 build 1828", "10.40 build 1829"),
        ("CVE-2005-3683", "1.0.8", "1.0.9"),
        ("CVE-2012-6067", "1.0.11", "1.0.12"),
        ("CVE-2023-40044", "8.7.3", "8.7.4"),
        ("CVE-2023-40044", "8.8.1", "8.8.2"),
        ("CVE-2006-5000", "5.05", "5.06"),
    ];

    #[test]
    fn every_row_of_the_built_in_table_says_what_it_should() {
        let table = built_in();
        assert_eq!(table.rows().count(), 48);
        for row in table.rows() {
            let examples: Vec<_> = EXAMPLES
                .iter()
                .filter(|(cve, ..)| *cve == row.cve)
                .collect();
            assert!(!examples.is_empty(), "{} has no example", row.cve);
            for (cve, has_it, has_it_not) in examples {
                assert!(has(&table, cve, &row.product, has_it), "{cve} {has_it}");
                assert!(
                    !has(&table, cve, &row.product, has_it_not),
                    "{cve} {has_it_not}"
                );
            }
            assert_eq!(
                row.cvss.is_some(),
                row.cvss_version.is_some(),
                "{}",
                row.cve
            );
        }
        assert_eq!(Vulnerabilities::default(), table);
    }

    #[test]
    fn the_worst_comes_first_and_names_are_taken_as_they_are_meant() {
        let table = built_in();
        let version = Version::read("2.3.4").unwrap();
        let found: Vec<String> = table
            .of("vsftpd", &version)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            ["CVE-2011-2523 (critical 9.8)", "CVE-2015-1419 (medium 5.0)"]
        );
        for name in ["FileZilla Server", "filezilla", "filezilla-server"] {
            assert!(has(&table, "CVE-2015-10003", name, "0.9.50"), "{name}");
        }
        assert!(!has(&table, "CVE-2011-2523", "proftpd", "2.3.4"));
        assert!(table.of("", &version).is_empty());
    }

    const HEADER: &str = "cve,product,affected,cvss,cvss_version,severity,title,source\n";

    #[test]
    fn all_mistakes_of_a_table_are_named_by_line() {
        let text = format!(
            "{HEADER}# a comment\n\
             CVE-2030-0001,x,< 2,5.0,3.1,medium,t,s\n\
             CVE-30-1,x,< 2,5.0,3.1,medium,t,s\n\
             CVE-2030-0002,x,all,5.0,3.1,medium,t,s\n\
             CVE-2030-0003,x,< 2,11,3.1,medium,t,s\n\
             CVE-2030-0004,x,< 2,,,bad,t,s\n\
             CVE-2030-0005,x,< 2,,,unrated,t,\n\
             CVE-2030-0006,x\n"
        );
        let mistakes = Vulnerabilities::parse(Path::new("t.csv"), &text).unwrap_err();
        let places: Vec<String> = mistakes.0.iter().map(ToString::to_string).collect();
        let expected = [
            ("t.csv:4:1: ", "no CVE number"),
            ("t.csv:5:1: ", "no range of versions"),
            ("t.csv:6:1: ", "cvss must be a number"),
            ("t.csv:7:1: ", "severity must be"),
            ("t.csv:8:1: ", "source is empty"),
            ("t.csv:9:1: ", "cannot be read"),
        ];
        assert_eq!(places.len(), expected.len(), "{places:?}");
        for (mistake, (place, part)) in places.iter().zip(expected) {
            assert!(
                mistake.starts_with(place) && mistake.contains(part),
                "{mistake}"
            );
        }
        let wrong = Vulnerabilities::parse(Path::new("t.csv"), "a,b\n").unwrap_err();
        assert!(
            wrong
                .to_string()
                .starts_with("t.csv:1:1: the first line must be cve,"),
            "{wrong}"
        );
        let own = format!("{HEADER}CVE-2030-0001,X Ftpd,< 2,5.0,3.1,Medium,t,s\n");
        let table = Vulnerabilities::parse(Path::new("t.csv"), &own).unwrap();
        assert!(has(&table, "CVE-2030-0001", "x-ftpd", "1.9"));
    }
}
