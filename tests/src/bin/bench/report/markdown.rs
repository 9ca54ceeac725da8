//! The page.

use super::{Better, Ratio, Run, Section, Table};
use crate::{load, machine};

pub fn page(run: &Run, sections: &[Section]) -> String {
    let (processor, kernel) = machine();
    let quick = if run.quick {
        "\n**A quick run: fewer rounds and lists. Not for quoting.**\n"
    } else {
        ""
    };
    let mut text = format!(
        "# Benchmarks\n\n\
         This page is written by `cargo xtask bench`. [How to read it and how to run it]\
         (../benchmarking.md).\n{quick}\n\
         {processor}; Linux {kernel}; load at the end {}. The run took {} s. All values are in \
         [results.json](results.json).\n\n\
         ## Ratios\n\n{}",
        load(),
        run.seconds,
        ratios(sections.iter().flat_map(|section| &section.ratios))
    );
    for found in sections {
        text += "\n";
        text += &body(found);
    }
    text
}

/// A section by itself, with the machine.
pub fn section(section: &Section) -> String {
    let (processor, kernel) = machine();
    format!(
        "{processor}; Linux {kernel}; load {}.\n\n{}\n{}",
        load(),
        ratios(section.ratios.iter()),
        body(section)
    )
}

/// The table of ratios: medians of the rounds.
pub fn ratios<'a>(all: impl Iterator<Item = &'a Ratio>) -> String {
    let mut table = Table::new(
        "",
        &["ratio", "median", "lowest", "highest", "rounds", "aim"],
        "",
    );
    for ratio in all {
        let (low, high) = ratio.range();
        let aim = ratio.aim.map_or_else(String::new, |aim| {
            let (sign, met) = match ratio.better {
                Better::Higher => ("at least", ratio.median() >= aim),
                Better::Lower => ("at most", ratio.median() <= aim),
            };
            format!("{sign} {aim}{}", if met { "" } else { ": missed" })
        });
        table.rows.push(vec![
            ratio.name.clone(),
            format!("{:.3}", ratio.median()),
            format!("{low:.3}"),
            format!("{high:.3}"),
            ratio.values.len().to_string(),
            aim,
        ]);
    }
    rows(&table)
}

fn body(section: &Section) -> String {
    let mut text = format!("## {}\n\n{}\n", section.title, section.about);
    for plot in &section.plots {
        text += &format!("\n![{}]({}.svg)\n", plot.title, plot.file);
    }
    for table in &section.tables {
        if !table.title.is_empty() {
            text += &format!("\n### {}\n", table.title);
        }
        text += "\n";
        text += &rows(table);
        if !table.meaning.is_empty() {
            text += &format!("\n{}\n", table.meaning);
        }
    }
    text
}

/// A table; the first column is text, the others are numbers.
fn rows(table: &Table) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&table.columns);
    let rules: Vec<String> = (0..table.columns.len())
        .map(|column| if column == 0 { "---" } else { "---:" }.to_owned())
        .collect();
    text += &line(&rules);
    for row in &table.rows {
        text += &line(row);
    }
    text
}
