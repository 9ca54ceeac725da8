//! The lists of packages in `xtask/packages`.

/// What building takes.
pub(crate) const BUILD: &str = include_str!("../../packages/build.txt");
/// What the suites, the demo and the bench take.
pub(crate) const LAB: &str = include_str!("../../packages/lab.txt");
/// What is unpacked for them, not installed.
pub(crate) const LAB_UNPACKED: &str = include_str!("../../packages/lab-unpacked.txt");
/// What booting another kernel takes.
pub(crate) const KERNELS: &str = include_str!("../../packages/kernels.txt");

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
        let listed = [BUILD, LAB, KERNELS].into_iter().flat_map(installed);
        let unpacked = unpacked(LAB_UNPACKED).flat_map(|(_, packages)| packages);
        for package in listed.chain(unpacked) {
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
            assert!(package.chars().all(is_name), "{package:?}");
        }
    }

    #[test]
    fn servers_that_conflict_are_not_installed() {
        let installed = installed(LAB);
        for (name, packages) in unpacked(LAB_UNPACKED) {
            assert!(!packages.is_empty(), "{name} has no packages");
            for package in packages {
                assert!(!installed.contains(&package), "{package} is in both lists");
            }
        }
        assert_eq!(unpacked(LAB_UNPACKED).count(), lines(LAB_UNPACKED).count());
    }
}
