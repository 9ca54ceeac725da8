//! `setup`: installs what building and testing take and what is not there yet.

mod apt;
mod kernels;
mod packager;
mod packages;
mod root;
mod rust;
mod unpacked;

use anyhow::Result;
use clap::ValueEnum;

pub(crate) use packager::ensure as packager;

use crate::workspace::Workspace;

/// Install what is missing: packages, compiler and linker for the kernel programs, FTP servers.
///
/// Starts no service and changes nothing when all is there.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this group; may be repeated [default: build and lab]
    #[arg(long, value_name = "GROUP")]
    only: Vec<Group>,
}

/// What is installed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Compiler, linker and checkers
    Build,
    /// Servers, clients and tools of the suites, the demo and the bench
    Lab,
    /// What makes the Debian package
    Package,
    /// The clean Debian that a suite installs the package in
    Debian,
    /// QEMU and the kernels that `test --kernel` boots
    Kernels,
}

/// The kernels that the project promises to run on, beside the running one.
pub(crate) const KERNELS: [&str; 2] = ["6.1", "6.12"];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let groups = match options.only.as_slice() {
        [] => &[Group::Build, Group::Lab][..],
        only => only,
    };
    ensure(workspace, groups, &KERNELS.map(String::from))
}

/// Installs what these groups lack; `kernels` says which ones the group of that name is about.
pub(crate) fn ensure(workspace: &Workspace, groups: &[Group], kernels: &[String]) -> Result<()> {
    for group in groups {
        match group {
            Group::Build => {
                apt::install("build", &packages::installed(packages::BUILD))?;
                rust::ensure(workspace)?;
            }
            Group::Lab => {
                apt::install("lab", &packages::installed(packages::LAB))?;
                unpacked::ensure("lab", packages::LAB_UNPACKED, &workspace.lab())?;
            }
            Group::Package => {
                apt::install("package", &packages::installed(packages::PACKAGE))?;
                packager::ensure(workspace)?;
            }
            Group::Debian => {
                apt::install("debian", &["debootstrap"])?;
                root::ensure(&workspace.lab().join("root"))?;
            }
            Group::Kernels => {
                apt::install("kernels", &packages::installed(packages::KERNELS))?;
                let folder = workspace.kernels();
                unpacked::ensure("kernels", packages::KERNELS_UNPACKED, &folder)?;
                for series in kernels {
                    kernels::ensure(workspace, series)?;
                }
            }
        }
    }
    Ok(())
}
