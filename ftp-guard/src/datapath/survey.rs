//! All programs on the hooks of the host's interfaces: the guard's and those of others.

use std::{collections::BTreeMap, io, path::Path};

use aya::programs::loaded_programs;
use aya_obj::generated::{bpf_attach_type, bpf_cmd};

use super::{
    attach::AttachMode,
    clsact,
    error::DatapathError,
    interfaces::{self, Interface},
    pins::Pins,
    sys,
    tables::Hook,
};

/// How many programs of a hook are asked for; the kernel takes 63 (`BPF_MPROG_MAX`).
const MOST: usize = 64;

/// Where a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// XDP, in this mode.
    Xdp(AttachMode),
    /// tcx, on this hook.
    Tcx(Hook),
    /// A filter of a clsact qdisc, on this hook.
    Clsact(Hook),
}

/// A program on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The interface.
    pub interface: String,
    /// Where it is.
    pub place: Place,
    /// Its kernel id; 0: it is no BPF program.
    pub id: u32,
    /// Its name, where that can be seen.
    pub name: Option<String>,
    /// Whether it belongs to the guard of these pins.
    pub ours: bool,
}

/// The programs on all interfaces, those of one hook in the order in which they run.
///
/// # Errors
///
/// The kernel refuses, as it does without privilege.
pub fn survey(pin_path: &Path) -> Result<Vec<Attached>, DatapathError> {
    let pins = Pins::at(pin_path);
    let ours = own_programs(&pins)?;
    let mut names = BTreeMap::new();
    // Looked up once, and only if there is somebody else's: it needs CAP_SYS_ADMIN.
    let mut name_of = |id: u32| -> Option<String> {
        if names.is_empty() {
            names = loaded_programs()
                .flatten()
                .filter_map(|program| Some((program.id(), program.name_as_str()?.to_owned())))
                .collect();
        }
        names.get(&id).filter(|name| !name.is_empty()).cloned()
    };
    let mut found = Vec::new();
    for interface in interfaces::list()? {
        let mut add = |place, id, name: Option<String>, ours| {
            found.push(Attached {
                interface: interface.name.clone(),
                place,
                id,
                name: name.or_else(|| if ours { None } else { name_of(id) }),
                ours,
            });
        };
        if let Some((mode, id)) = interface.xdp {
            add(Place::Xdp(mode), id, None, ours.contains(&id));
        }
        for hook in Hook::ALL {
            for id in tcx(&interface, hook)? {
                add(Place::Tcx(hook), id, None, ours.contains(&id));
            }
            for filter in clsact::all(&interface, hook)? {
                let name = Some(filter.name).filter(|name| !name.is_empty());
                add(Place::Clsact(hook), filter.program, name, filter.ours);
            }
        }
    }
    Ok(found)
}

/// The kernel ids of the programs behind the guard's pinned links.
fn own_programs(pins: &Pins) -> Result<Vec<u32>, DatapathError> {
    let mut ids = Vec::new();
    for interface in pins.interfaces()? {
        let links = [
            pins.link(&interface),
            pins.classifier(Hook::Egress, &interface),
            pins.classifier(Hook::Control, &interface),
        ];
        for link in links {
            let link = sys::pinned_link(&link).map_err(|error| {
                DatapathError::kernel(format!("examine {}", link.display()), error)
            })?;
            ids.extend(link.map(|link| link.program));
        }
    }
    Ok(ids)
}

/// The kernel ids of the tcx programs of a hook; none where the kernel has no tcx.
fn tcx(interface: &Interface, hook: Hook) -> Result<Vec<u32>, DatapathError> {
    let mut ids = [0_u32; MOST];
    let mut attributes = sys::attributes();
    attributes.query.__bindgen_anon_1.target_ifindex = interface.index;
    attributes.query.attach_type = match hook {
        Hook::Egress => bpf_attach_type::BPF_TCX_EGRESS,
        Hook::Control => bpf_attach_type::BPF_TCX_INGRESS,
    } as u32;
    attributes.query.prog_ids = ids.as_mut_ptr() as u64;
    attributes.query.__bindgen_anon_2.count = MOST as u32;
    // SAFETY: `ids` has room for as many as the attributes say, and lives until the call returns.
    match unsafe { sys::bpf(bpf_cmd::BPF_PROG_QUERY, &mut attributes) } {
        Ok(_) => {
            // SAFETY: a union of two integers of one size.
            let count = unsafe { attributes.query.__bindgen_anon_2.count } as usize;
            Ok(ids[..count.min(MOST)].to_vec())
        }
        // Nothing there, or a kernel that does not know the hook.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => {
            Ok(Vec::new())
        }
        Err(error) => Err(failed(interface, error)),
    }
}

fn failed(interface: &Interface, error: io::Error) -> DatapathError {
    DatapathError::kernel(format!("list the classifiers of {}", interface.name), error)
}
