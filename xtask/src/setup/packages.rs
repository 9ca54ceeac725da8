//! The lists of packages in `xtask/packages`.

/// What building takes.
pub(crate) const BUILD: &str = include_str!("../../packages/build.txt");
/// What the suites, the demo and the bench take.
pub(crate) const LAB: &str = include_str!("../../packages/lab.txt");
/// What is unpacked for them, not installed.
pub(crate) const LAB_UNPACKED: &str = include_str!("../../packages/lab-unpacked.txt");
/// What making the Debian package takes.
pub(crate) const PACKAGE: &str = include_str!("../../packages/package.txt");
/// What booting another kernel takes.
pub(crate) const KERNELS: &str = include_str!("../../packages/kernels.txt");
/// What is unpacked for that, not installed.
pub(crate) const KERNELS_UNPACKED: &str = include_str!("../../packages/kernels-unpacked.txt");

/// The packages of a list that has one a line.
pub(crate) fn installed(list: &'static str) -> Vec<&'static str> {
    lines(list).collect()
}

/// The folders and packages of a list with lines `NAME: PACKAGE...`.
pub(crate) fn unpacked(
    list: &'static str,
) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    lines(list).filter_map(|line| {
        let (name, packages) = line.split_once(':')?;
        Some((name, packages.split_whitespace().collect()))
    })
}

fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_hold_package_names_only() {
        let listed = [BUILD, LAB, PACKAGE, KERNELS]
            .into_iter()
            .flat_map(installed);
        let unpacked = [LAB_UNPACKED, KERNELS_UNPACKED]
            .into_iter()
            .flat_map(unpacked);
        let unpacked = unpacked.flat_map(|(_, packages)| packages);
        for package in listed.chain(unpacked) {
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
            assert!(package.chars().all(is_name), "{package:?}");
        }
    }

    #[test]
    fn what_is_unpacked_is_not_installed() {
        for (list, installed_too) in [(LAB_UNPACKED, LAB), (KERNELS_UNPACKED, KERNELS)] {
            let installed = installed(installed_too);
            for (name, packages) in unpacked(list) {
                assert!(!packages.is_empty(), "{name} has no packages");
                for package in packages {
                    assert!(!installed.contains(&package), "{package} is in both lists");
                }
            }
            assert_eq!(unpacked(list).count(), lines(list).count());
        }
    }
}
