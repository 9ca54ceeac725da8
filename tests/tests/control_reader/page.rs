//! `docs/replies.md` says what the readers do.

use std::{fs, path::Path};

use ftp_guard_tests::replies::variants::{COMMANDS, EPSV_REPLIES, PASV_REPLIES, Variant};

#[test]
fn the_page_says_what_the_readers_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/replies.md");
    let page = fs::read_to_string(path).unwrap();
    for (heading, variants) in [
        ("### Answers to PASV", PASV_REPLIES),
        ("### Answers to EPSV", EPSV_REPLIES),
        ("### Forms of commands", COMMANDS),
    ] {
        compare(&rows(&page, heading), variants);
    }
}

fn compare(rows: &[[String; 4]], variants: &[Variant]) {
    for (row, variant) in rows.iter().zip(variants) {
        let [id, form, outcome, why] = row;
        let outcome = outcome.trim_matches('-');
        assert_eq!(
            [id, form.trim_matches('`'), outcome],
            [variant.id, variant.form, variant.outcome],
            "docs/replies.md"
        );
        assert!(!why.is_empty(), "docs/replies.md gives no reason for {id}");
    }
    assert_eq!(rows.len(), variants.len(), "rows of docs/replies.md");
}

/// The cells of the table below a heading.
fn rows(page: &str, heading: &str) -> Vec<[String; 4]> {
    /// Stands for a bar inside a cell.
    const BAR: &str = "\u{1}";
    let (_, below) = page
        .split_once(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("docs/replies.md has no heading {heading}"));
    below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let line = line.replace("\\|", BAR);
            let cells: Vec<_> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().replace(BAR, "|"))
                .collect();
            <[String; 4]>::try_from(cells).expect("four cells")
        })
        .collect()
}
