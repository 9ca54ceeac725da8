//! The check for unknown keys and tables, and for the names of profiles.

use ftp_guard_common::limits::PROFILES;
use toml_edit::{Item, Table, TableLike};

use super::model::Config;
use super::problems::{Problems, type_name};
use super::schema::{KEYS, PROFILE_KEYS, PROFILE_TABLE, TABLES, keys_of};
use super::suggest::nearest;

/// Notes every key and table of the document that the schema does not know, and every table that is
/// none.
pub(super) fn check(root: &Table, problems: &mut Problems<'_>) {
    for (name, item) in root.iter() {
        if keys_of("").any(|key| key.name == name) {
            continue;
        }
        let known_table = name == PROFILE_TABLE || named_tables().any(|table| table == name);
        if !known_table {
            unknown_at_top(root, name, item, problems);
        } else if let Some(table) = item.as_table_like() {
            match name {
                PROFILE_TABLE => check_profiles(table, problems),
                _ => check_members(name, table, problems),
            }
        } else {
            let span = span_of(root, name, item);
            problems.wrong_type(name, span, "a table", type_name(item));
        }
    }
}

fn named_tables() -> impl Iterator<Item = &'static str> + Clone {
    TABLES
        .iter()
        .map(|table| table.name)
        .filter(|name| !name.is_empty() && *name != PROFILE_KEYS)
}

fn unknown_at_top(root: &Table, name: &str, item: &Item, problems: &mut Problems<'_>) {
    let message = if item.is_table_like() || item.is_array_of_tables() {
        let known = named_tables().chain([PROFILE_TABLE]);
        match nearest(name, known.clone()) {
            Some(near) => format!(
                "unknown table [{}]; did you mean [{near}]?",
                name.escape_debug()
            ),
            None => {
                let known: Vec<_> = known.map(|table| format!("[{table}]")).collect();
                format!(
                    "unknown table [{}]; known are {}",
                    name.escape_debug(),
                    known.join(", ")
                )
            }
        }
    } else {
        unknown_key("", "at the top level", name)
    };
    problems.note(span_of(root, name, item), message);
}

fn check_members(table_name: &str, table: &dyn TableLike, problems: &mut Problems<'_>) {
    for (name, item) in table.iter() {
        if !keys_of(table_name).any(|key| key.name == name) {
            let place = format!("in [{table_name}]");
            problems.note(
                span_of(table, name, item),
                unknown_key(table_name, &place, name),
            );
        }
    }
}

fn check_profiles(profiles: &dyn TableLike, problems: &mut Problems<'_>) {
    let mut named = 0;
    for (name, item) in profiles.iter() {
        let span = span_of(profiles, name, item);
        if name != Config::DEFAULT_PROFILE {
            named += 1;
            if named == PROFILES {
                problems.note(
                    span.clone(),
                    format!(
                        "too many profiles: there can be {} beside default",
                        PROFILES - 1
                    ),
                );
            }
        }
        if !is_profile_name(name) {
            problems.note(
                span.clone(),
                format!("bad profile name {name:?}: use letters, digits, - and _, at most 63"),
            );
        }
        let Some(profile) = item.as_table_like() else {
            problems.wrong_type(
                &format!("profile.{}", name.escape_debug()),
                span,
                "a table",
                type_name(item),
            );
            continue;
        };
        for (key, item) in profile.iter() {
            if !keys_of(PROFILE_KEYS).any(|known| known.name == key) {
                let place = format!("in [profile.{}]", name.escape_debug());
                problems.note(
                    span_of(profile, key, item),
                    unknown_key(PROFILE_KEYS, &place, key),
                );
            }
        }
    }
}

/// Whether allowlist entries can refer to a profile of this name, `profile=NAME`.
fn is_profile_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn unknown_key(table: &str, place: &str, name: &str) -> String {
    let unknown = format!("unknown key {name:?} {place}");
    if let Some(near) = nearest(name, keys_of(table).map(|key| key.name)) {
        return format!("{unknown}; did you mean {near:?}?");
    }
    match KEYS.iter().find(|key| key.name == name) {
        Some(elsewhere) if elsewhere.table.is_empty() => {
            format!("{unknown}; it belongs above the first [table]")
        }
        Some(elsewhere) => format!("{unknown}; it belongs in [{}]", elsewhere.table),
        None => {
            let known: Vec<_> = keys_of(table).map(|key| key.name).collect();
            format!("{unknown}; known are {}", known.join(", "))
        }
    }
}

/// Where a key is written. Tables that exist only through dotted keys have no span of their own.
fn span_of(table: &dyn TableLike, name: &str, item: &Item) -> Option<std::ops::Range<usize>> {
    let key = table.key(name).and_then(toml_edit::Key::span);
    key.or_else(|| item.span())
}
