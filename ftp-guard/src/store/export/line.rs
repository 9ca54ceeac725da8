//! What is exported, and as what.

use serde_json::{Value, json};

use super::{ExportFormat, ecs, zeek};
use crate::engine::{events::Event, monitor::record::SessionRecord};

/// Something to export.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most of them are events, which a box would cost an allocation each"
)]
pub enum Subject {
    /// What happened.
    Event(Event),
    /// A session that has ended.
    Session(Box<SessionRecord>),
}

/// The line of it, without the newline; none if the format has no place for it.
#[must_use]
pub fn line(subject: &Subject, format: ExportFormat) -> Option<String> {
    match format {
        ExportFormat::Ecs => Some(ecs::of(subject).to_string()),
        ExportFormat::Zeek => zeek::entry(subject).map(|entry| zeek::json(&entry).to_string()),
        ExportFormat::ZeekTsv => zeek::entry(subject).map(|entry| zeek::tsv(&entry)),
        ExportFormat::Native => native(subject).map(|value| value.to_string()),
    }
}

/// As `events --json` prints it; a session as an event of the name `session`.
fn native(subject: &Subject) -> Option<Value> {
    match subject {
        Subject::Event(event) => serde_json::to_value(event).ok(),
        Subject::Session(record) => {
            let mut value = json!({ "time": record.ended, "event": "session" });
            let Ok(Value::Object(fields)) = serde_json::to_value(record) else {
                return None;
            };
            value.as_object_mut()?.extend(fields);
            Some(value)
        }
    }
}
