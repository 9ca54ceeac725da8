//! The report as text.

use std::fmt::Write as _;

use super::page::{Page, Table};

/// The whole page.
pub(super) fn render(page: &Page) -> String {
    let mut text = format!("{}\n", page.title);
    for section in &page.sections {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", section.title.to_uppercase());
        let width = section
            .facts
            .iter()
            .map(|(name, _)| name.chars().count())
            .max();
        let width = width.unwrap_or(0);
        for (name, value) in &section.facts {
            let value = printable(value);
            let _ = writeln!(text, "  {name:<width$}  {value}");
        }
        for table in &section.tables {
            let _ = writeln!(text, "\n  {}", printable(&table.title));
            columns(&mut text, table);
        }
    }
    text
}

fn columns(text: &mut String, table: &Table) {
    let header = table.header.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header)
        .chain(
            table
                .rows
                .iter()
                .map(|row| row.iter().map(|cell| printable(cell)).collect()),
        )
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.header.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "    {}", cells.join("  ").trim_end());
    }
}

/// Without anything that a terminal would obey: much of it came over the network.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => shown.extend(letter.escape_default()),
            false => shown.push(letter),
        }
    }
    shown
}
