//! A comma-separated table of all that there is to say.

use std::io::{self, Write};

use super::{List, Lost};
use crate::engine::allowlist::written;

pub(super) fn write(list: &List<'_>, out: &mut dyn Write) -> io::Result<Lost> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["prefix", "kind", "profile", "expires", "label"])?;
    for (prefix, number) in list.entries {
        let settings = list.settings.get(*number);
        let expires = settings.expires.map(|end| end.to_string());
        writer.write_record([
            written(prefix).as_str(),
            if settings.exclude { "exclude" } else { "allow" },
            &settings.profile,
            expires.as_deref().unwrap_or_default(),
            settings.label.as_deref().unwrap_or_default(),
        ])?;
    }
    writer.flush()?;
    Ok(Lost::default())
}
