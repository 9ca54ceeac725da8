//! The FTP servers and tools that are unpacked below the target folder.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    setup::{apt, packages},
    shell,
    workspace::Workspace,
};

/// Unpacks what is not there.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    for (name, packages) in packages::unpacked(packages::LAB_UNPACKED) {
        let folder = workspace.lab().join(name);
        let wanted = packages.join("\n");
        if fs::read_to_string(apt::stamp(&folder)).is_ok_and(|found| found == wanted) {
            continue;
        }
        shell::say(format!(
            "lab: unpacking {} into {} (not installed: no conflict, no service)",
            packages.join(" "),
            folder.display()
        ));
        apt::unpack(&packages, &folder)?;
        fs::write(apt::stamp(&folder), wanted)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
    }
    Ok(())
}
