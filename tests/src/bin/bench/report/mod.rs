//! What suites found, and the page that is made of it.

mod json;
mod markdown;
mod plot;

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

pub use self::plot::{Plot, PlotKind};

/// What a suite found.
pub struct Section {
    /// What the suite is called on the command line.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What was measured, and how.
    pub about: String,
    /// The ratios, which are compared from run to run.
    pub ratios: Vec<Ratio>,
    /// What they are made of.
    pub tables: Vec<Table>,
    /// Pictures.
    pub plots: Vec<Plot>,
    /// All values.
    pub data: Value,
}

/// A table, and what it means.
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub meaning: String,
}

impl Table {
    pub fn new(title: &str, columns: &[&str], meaning: &str) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
            meaning: meaning.to_owned(),
        }
    }
}

/// Which values of a ratio are the good ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

/// A ratio, of values of one round, in each round.
pub struct Ratio {
    /// Stable from run to run: `suite/what`.
    pub name: String,
    pub better: Better,
    /// Of each round.
    pub values: Vec<f64>,
    /// What it should be at the least, or at the most.
    pub aim: Option<f64>,
    /// Whether quick runs have it too.
    pub quick: bool,
}

impl Ratio {
    /// The ratio of each round of `of` to the same round of `to`.
    pub fn of(name: String, better: Better, of: &[f64], to: &[f64]) -> Self {
        Self {
            name,
            better,
            values: of.iter().zip(to).map(|(of, to)| of / to).collect(),
            aim: None,
            quick: true,
        }
    }

    /// Of whole runs alone.
    pub fn in_quick_runs(mut self, quick: bool) -> Self {
        self.quick = quick;
        self
    }

    pub fn aiming(mut self, aim: f64) -> Self {
        self.aim = Some(aim);
        self
    }

    pub fn median(&self) -> f64 {
        median_of(&self.values)
    }

    /// Lowest and highest round.
    pub fn range(&self) -> (f64, f64) {
        let fold = |start, pick: fn(f64, f64) -> f64| self.values.iter().copied().fold(start, pick);
        (fold(f64::INFINITY, f64::min), fold(0.0, f64::max))
    }
}

/// The median of values in any order; NaN of none.
pub fn median_of(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The run that sections are of.
pub struct Run {
    pub quick: bool,
    /// How long it took.
    pub seconds: u64,
}

/// Writes the page, the values and the pictures into a folder, and says what it wrote.
pub fn write(folder: &Path, run: &Run, sections: &[Section]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let write = |name: &str, text: String| -> Result<()> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
        Ok(())
    };
    for plot in sections.iter().flat_map(|section| &section.plots) {
        write(&format!("{}.svg", plot.file), plot.svg()?)?;
    }
    let results = json::run(run, sections);
    write(
        "results.json",
        serde_json::to_string_pretty(&results)? + "\n",
    )?;
    write("README.md", markdown::page(run, sections))
}

/// Prints one section.
pub fn print(section: &Section, as_json: bool) -> Result<()> {
    if as_json {
        let value = json::section(section);
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        print!("{}", markdown::section(section));
    }
    Ok(())
}

/// The table of all ratios, for the terminal.
pub fn ratios(sections: &[Section]) -> String {
    markdown::ratios(sections.iter().flat_map(|section| &section.ratios))
}
