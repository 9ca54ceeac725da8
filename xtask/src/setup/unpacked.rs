//! Packages that are unpacked below the target folder, where they are in nobody's way.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    setup::{apt, packages},
    shell,
};

/// Unpacks the packages of a list (`NAME: PACKAGE...`) that are not there, each into its folder.
///
/// # Errors
///
/// When apt does not bring one, or on a full or read-only disk.
pub(crate) fn ensure(purpose: &str, list: &'static str, parent: &Path) -> Result<()> {
    for (name, packages) in packages::unpacked(list) {
        let folder = parent.join(name);
        let wanted = packages.join("\n");
        if fs::read_to_string(apt::stamp(&folder)).is_ok_and(|found| found == wanted) {
            continue;
        }
        shell::say(format!(
            "{purpose}: unpacking {} into {}, not installing (conflicts, services)",
            packages.join(" "),
            folder.display()
        ));
        apt::unpack(&packages, &folder)?;
        fs::write(apt::stamp(&folder), wanted)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
    }
    Ok(())
}
