//! The kernels that `test --kernel` boots: Debian's, unpacked.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::{setup::apt, shell, workspace::Workspace};

/// Unpacks the newest kernel of a series (`6.1`) if none is there.
pub(crate) fn ensure(workspace: &Workspace, series: &str) -> Result<()> {
    ensure!(
        !series.is_empty() && series.chars().all(|c| c.is_ascii_digit() || c == '.'),
        "{series:?} is no series of kernels: 6.1 is one"
    );
    let folder = workspace.kernels().join(series);
    if apt::stamp(&folder).exists() {
        return Ok(());
    }
    // A second search, when a package is gone: the lists are fresh then.
    let package = match newest(series).and_then(|package| unpack(&package, series, workspace)) {
        Ok(package) => package,
        Err(_) => unpack(&newest(series)?, series, workspace)?,
    };
    fs::write(apt::stamp(&folder), package)
        .with_context(|| format!("cannot write to {}", folder.display()))
}

fn unpack(package: &str, series: &str, workspace: &Workspace) -> Result<String> {
    let folder = workspace.kernels().join(series);
    shell::say(format!(
        "kernels: unpacking {package} into {}",
        folder.display()
    ));
    apt::unpack(&[package], &folder)?;
    Ok(package.to_owned())
}

fn newest(series: &str) -> Result<String> {
    let pattern = format!(
        r"^linux-image-{}\.[0-9].*-cloud-amd64$",
        series.replace('.', r"\.")
    );
    let found = apt::search(&pattern)?;
    let Some(newest) = found.into_iter().max_by_key(|package| numbers(package)) else {
        bail!(
            "apt knows no kernel {series} for clouds: on Debian 12, 6.1 is in the main archive and \
             6.12 in the security archive; are both in the machine's package sources?"
        );
    };
    Ok(newest)
}

/// The numbers in a package name, which order kernels of one series by age.
fn numbers(package: &str) -> Vec<u32> {
    package
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_kernels_have_greater_numbers() {
        let older = numbers("linux-image-6.1.0-9-cloud-amd64");
        assert!(older < numbers("linux-image-6.1.0-47-cloud-amd64"));
        let older = numbers("linux-image-6.12.99+deb12-cloud-amd64");
        assert!(older < numbers("linux-image-6.12.100+deb12-cloud-amd64"));
    }
}
