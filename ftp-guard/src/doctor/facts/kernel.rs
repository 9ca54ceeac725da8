//! The kernel, and what it offers.

use std::{fs, io};

use nix::sys::utsname::uname;

use super::{Known, Unseen};
use crate::datapath::{self, Feature, Outcome};

const TYPES: &str = "/sys/kernel/btf/vmlinux";
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";
/// The type of the tracepoint's handlers, by which it is found.
const TRACEPOINT: &[u8] = b"\0btf_trace_inet_sock_set_state\0";

/// Whether the kernel describes its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// It does, and has the tracepoint.
    Present,
    /// It does, and has no such tracepoint.
    NoTracepoint,
    /// It does not.
    Missing,
}

/// The kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its release, as uname(2) has it.
    pub release: Known<String>,
    /// Its description of its types.
    pub types: Known<Types>,
    /// `net.core.bpf_jit_enable`; nothing where it cannot be turned off.
    pub jit: Known<Option<u32>>,
}

impl Kernel {
    pub(super) fn gather() -> Self {
        let release = uname().map(|it| it.release().to_string_lossy().into_owned());
        Self {
            release: release.map_err(|error| Unseen::io("the kernel's release", &error.into())),
            types: types(fs::read(TYPES)),
            jit: jit(fs::read_to_string(JIT)),
        }
    }

    /// The first two numbers of the release.
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self
            .release
            .as_ref()
            .ok()?
            .split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

fn types(bytes: io::Result<Vec<u8>>) -> Known<Types> {
    match bytes {
        Ok(bytes) => {
            let mut names = bytes.windows(TRACEPOINT.len());
            Ok(match names.any(|name| name == TRACEPOINT) {
                true => Types::Present,
                false => Types::NoTracepoint,
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Types::Missing),
        Err(error) => Err(Unseen::io(TYPES, &error)),
    }
}

fn jit(text: io::Result<String>) -> Known<Option<u32>> {
    match text {
        Ok(text) => Ok(text.trim().parse().ok()),
        // Another network namespace than the first has none; then the first one's holds, unseen.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unseen::io(JIT, &error)),
    }
}

/// What came of trying.
#[derive(Clone, Debug)]
pub struct Probes {
    /// Each feature.
    pub features: Vec<(Feature, Outcome)>,
    /// What was said to a request that only the kernel can refuse; nothing: it got there.
    pub stopped: Option<String>,
}

impl Probes {
    pub(super) fn gather() -> Self {
        Self {
            features: Feature::ALL.map(|it| (it, it.probe())).to_vec(),
            stopped: datapath::reaches_kernel().err().map(|it| it.to_string()),
        }
    }

    /// What was said to those that were refused.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.features.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Refused { because } => Some(because.as_str()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Kernel {
        pub(in crate::doctor) fn sound() -> Self {
            Self {
                release: Ok("6.12.1".to_owned()),
                types: Ok(Types::Present),
                jit: Ok(Some(1)),
            }
        }
    }

    impl Probes {
        pub(in crate::doctor) fn sound() -> Self {
            Self::all(&Outcome::Present)
        }

        pub(in crate::doctor) fn all(outcome: &Outcome) -> Self {
            Self {
                features: Feature::ALL.map(|it| (it, outcome.clone())).to_vec(),
                stopped: None,
            }
        }
    }

    #[test]
    fn releases_have_versions() {
        for (release, version) in [
            ("6.1.0-28-cloud-amd64", Some((6, 1))),
            ("5.14.0-427.el9.x86_64", Some((5, 14))),
            ("7.2", Some((7, 2))),
            ("strange", None),
        ] {
            let kernel = Kernel {
                release: Ok(release.to_owned()),
                ..Kernel::sound()
            };
            assert_eq!(kernel.version(), version, "{release}");
        }
    }

    #[test]
    fn the_tracepoint_is_found_among_the_names_of_types() {
        let with = b"\0int\0btf_trace_inet_sock_set_state\0long\0".to_vec();
        assert_eq!(types(Ok(with)), Ok(Types::Present));
        let longer = b"\0btf_trace_inet_sock_set_state_x\0".to_vec();
        assert_eq!(types(Ok(longer)), Ok(Types::NoTracepoint));
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(types(Err(missing)), Ok(Types::Missing));
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(types(Err(denied)).unwrap_err().denied);
    }
}
