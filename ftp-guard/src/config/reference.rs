//! The reference for people, from the schema.

use std::fmt::Write as _;

use super::schema::{Default, TABLES, keys_of};

/// `docs/configuration.md`: every table and key with its type, default and meaning.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "<!-- Made from the code by `cargo xtask codegen`. Do not edit. -->\n\
         \n\
         # Configuration\n\
         \n\
         ftp-guard reads one TOML file, `/etc/ftp-guard/ftp-guard.toml` unless `--config` names \
         another. Unknown keys are mistakes. `ftp-guard check` reports all mistakes at once, each \
         with file, line and column, and a daemon that is told to reload a file with mistakes \
         goes on with what it has. `dist/ftp-guard.toml` is an example with every key.\n",
    );
    for table in &TABLES {
        match table.name {
            "" => page.push_str("\n## Top level\n"),
            name => push(&mut page, format_args!("\n## `[{name}]`\n")),
        }
        push(&mut page, format_args!("\n{}\n", table.doc));
        for key in keys_of(table.name) {
            push(&mut page, format_args!("\n### `{}`\n\n", key.path()));
            push(&mut page, format_args!("{}\n\n", key.doc));
            push(&mut page, format_args!("- Value: {}\n", key.kind));
            match key.default {
                Default::Value(toml) => push(&mut page, format_args!("- Default: `{toml}`\n")),
                Default::Derived(how) => push(&mut page, format_args!("- Default: {how}\n")),
                Default::Required { example, .. } => push(
                    &mut page,
                    format_args!("- Required. Example: `{} = {example}`\n", key.name),
                ),
            }
        }
    }
    page
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(text);
}
