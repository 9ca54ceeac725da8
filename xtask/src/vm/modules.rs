//! The kernel's modules that the suites need, in the order in which they go in.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{shell, vm::Kernel};

/// Interfaces, sockets that see raw frames, classifiers without tcx, and the list of TCP sockets; all are
/// modules in Debian's kernels.
const NEEDED: &[&str] = &["veth", "af_packet", "sch_ingress", "cls_bpf", "tcp_diag"];

/// Copies the modules into a folder, unpacked, and returns their names in order.
///
/// # Errors
///
/// When the kernel has no such module.
pub(crate) fn copy(kernel: &Kernel, folder: &Path) -> Result<Vec<String>> {
    let mut depmod = Command::new("depmod");
    depmod.arg("--basedir").arg(&kernel.folder);
    shell::run(depmod.arg(&kernel.release))?;
    let mut names = Vec::new();
    for module in NEEDED {
        let mut modprobe = Command::new("modprobe");
        modprobe.arg("--dirname").arg(&kernel.folder);
        modprobe.args(["--set-version", &kernel.release, "--show-depends", module]);
        for path in insertions(&shell::output(&mut modprobe)?) {
            let name = copy_one(&path, folder)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// The files in `insmod FILE` lines; other lines name what is built in.
fn insertions(text: &str) -> Vec<PathBuf> {
    let files = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("insmod "));
    files.map(|file| PathBuf::from(file.trim())).collect()
}

fn copy_one(path: &Path, folder: &Path) -> Result<String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let Some(plain) = name.strip_suffix(".xz") else {
        fs::copy(path, folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
        return Ok(name.to_owned());
    };
    let file = File::create(folder.join(plain)).with_context(|| format!("cannot make {plain}"))?;
    let mut xz = Command::new("xz");
    shell::run(xz.args(["--decompress", "--stdout"]).arg(path).stdout(file))?;
    Ok(plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_inserted() {
        let text = "builtin ipv6\ninsmod /k/lib/modules/6.1/kernel/drivers/net/veth.ko \n";
        let expected = vec![PathBuf::from(
            "/k/lib/modules/6.1/kernel/drivers/net/veth.ko",
        )];
        assert_eq!(insertions(text), expected);
    }
}
