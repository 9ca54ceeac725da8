//! The text of the configuration: the example file with every key, other values where they are known,
//! and what is known of them as comments. What the example does not have cannot be set.

use std::fmt;

use toml_edit::{DocumentMut, Item, Value};

/// The example, as it is installed. A test of the configuration holds it against the schema.
const EXAMPLE: &str = include_str!("../../../dist/ftp-guard.toml");

/// A configuration that is being written.
#[derive(Debug)]
pub(super) struct Template(DocumentMut);

/// Why there is no plan: a path that no configuration can name, or a fault of the example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub(super) String);

impl Template {
    /// The example under another head: lines of comment.
    pub(super) fn new(head: &[String]) -> Result<Self, PlanError> {
        // Its own head ends at the first blank line.
        let (_, body) = EXAMPLE
            .split_once("\n\n")
            .ok_or_else(|| PlanError("the example configuration has no head".to_owned()))?;
        let mut text = comments(head);
        text.push('\n');
        text.push_str(body);
        let document = text.parse().map_err(|error| {
            PlanError(format!("the example configuration cannot be read: {error}"))
        })?;
        Ok(Self(document))
    }

    /// Sets a key of a table, the top level being the empty name, and writes `remarks` above it.
    pub(super) fn set(
        &mut self,
        table: &str,
        key: &str,
        value: impl Into<Value>,
        remarks: &[String],
    ) -> Result<(), PlanError> {
        let missing = || PlanError(format!("the example configuration has no {table}.{key}"));
        let table = match table {
            "" => Some(self.0.as_table_mut() as &mut dyn toml_edit::TableLike),
            name => self.0.get_mut(name).and_then(Item::as_table_like_mut),
        };
        let table = table.ok_or_else(missing)?;
        let item = table.get_mut(key).filter(|item| item.is_value());
        *item.ok_or_else(missing)? = Item::Value(value.into());
        let mut key = table.key_mut(key).ok_or_else(missing)?;
        let decor = key.leaf_decor_mut();
        let above = decor.prefix().and_then(|prefix| prefix.as_str());
        let above = format!("{}{}", above.unwrap_or_default(), comments(remarks));
        decor.set_prefix(above);
        Ok(())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Lines of comment. What TOML forbids in them, and what a terminal would obey, is escaped.
pub(super) fn comments(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push('#');
        if !line.is_empty() {
            text.push(' ');
        }
        for c in line.chars() {
            match c.is_control() {
                true => text.extend(c.escape_default()),
                false => text.push(c),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_stands_in_place_of_the_example_and_nothing_else_changes() {
        let mut template = Template::new(&["head".to_owned()]).unwrap();
        template
            .set("ftp", "fxp", true, &["odd\nname\u{1b}".to_owned()])
            .unwrap();
        let text = template.to_string();
        let changed: Vec<_> = text
            .lines()
            .filter(|line| !EXAMPLE.lines().any(|other| other == *line))
            .collect();
        assert_eq!(changed, ["# head", "# odd\\nname\\u{1b}", "fxp = true"]);
        let lines: Vec<_> = text.lines().collect();
        let at = lines.iter().position(|line| *line == "fxp = true").unwrap();
        assert!(lines[at - 1].starts_with("# odd"), "{}", lines[at - 1]);
    }

    #[test]
    fn what_the_example_does_not_have_cannot_be_set() {
        let mut template = Template::new(&[]).unwrap();
        for (table, key) in [("", "modes"), ("ftp", "fxq"), ("nowhere", "x"), ("", "ftp")] {
            assert!(template.set(table, key, 1, &[]).is_err(), "{table}.{key}");
        }
    }
}
