//! Classifiers as filters of a `clsact` qdisc, for kernels without tcx (before 6.6).
//!
//! Such a filter belongs to its device: it cannot be pinned, stays when the daemon ends and goes when the
//! device goes. Ours are told from others by place (priority and handle) and name.

use std::io;

use aya::programs::{
    Link, SchedClassifier,
    tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact},
};
use netlink_packet_core::NlasIterator;
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcHandle as Handle, TcHeader, TcMessage, TcMessageBuffer},
};
use nix::errno::Errno;

use super::{error::DatapathError, interfaces::Interface, pins::Pins, tables::Hook};
use crate::netlink::route;

/// Ours come first: a filter before them may end the way of a packet, and they would not see it.
const PRIORITY: u16 = 1;
/// A number that nobody gets by chance, as the kernel counts up from 1: "ftpg".
const HANDLE: u32 = 0x6674_7067;

// linux/rtnetlink.h, linux/pkt_cls.h.
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;

/// Puts a classifier on one hook of an interface, in the place of a predecessor's; whether there was none.
pub fn attach(
    program: &mut SchedClassifier,
    pins: &Pins,
    interface: &Interface,
    hook: Hook,
) -> Result<bool, DatapathError> {
    let name = interface.name.as_str();
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        let what = format!("attach the {} classifier to {name}", hook.as_str());
        DatapathError::kernel(what, error)
    };
    let there = filter(interface, hook)?.is_some();
    let id = if there {
        let link = ours(name, hook).map_err(|error| failed(error.into()))?;
        program.attach_to_link(link)
    } else {
        add_qdisc(pins, name)?;
        let options = TcAttachOptions::Netlink(NlOptions {
            priority: PRIORITY,
            handle: TcHandle::from(HANDLE),
            classid: None,
        });
        program.attach_with_options(name, hook.attach_type(), options)
    };
    let link = id
        .and_then(|id| program.take_link(id))
        .map_err(|error| failed(error.into()))?;
    // It holds nothing but the place of the filter, and would remove that on drop.
    std::mem::forget(link);
    Ok(!there)
}

/// Takes both classifiers off an interface, and the qdisc if we made it and nobody else uses it; whether
/// there were any. `pin_name` is the interface's name in its pins.
pub fn detach(pins: &Pins, interface: &Interface, pin_name: &str) -> Result<bool, DatapathError> {
    let mut removed = false;
    for hook in Hook::ALL {
        removed |= remove(interface, hook)?;
    }
    if pins.remove_clsact(pin_name)? {
        remove_empty_qdisc(interface)?;
    }
    Ok(removed)
}

/// Takes one classifier off; whether it was on.
pub fn remove(interface: &Interface, hook: Hook) -> Result<bool, DatapathError> {
    if filter(interface, hook)?.is_none() {
        return Ok(false);
    }
    let name = &interface.name;
    let what = || format!("take the {} classifier off {name}", hook.as_str());
    let link = ours(name, hook).map_err(|error| DatapathError::kernel(what(), error))?;
    link.detach()
        .map(|()| true)
        .map_err(|error| DatapathError::kernel(what(), error))
}

/// The kernel id of our program on a hook.
pub fn filter(interface: &Interface, hook: Hook) -> Result<Option<u32>, DatapathError> {
    let mut filters = filters(interface, hook)?.into_iter();
    let found = filters.find(|filter| filter.is_ours(hook));
    Ok(found.map(|filter| filter.program))
}

/// A filter of a hook, whoever made it.
pub struct Other {
    /// Name of its program; empty for one that is not BPF.
    pub name: String,
    /// Kernel id of its program; 0 for one that is not BPF.
    pub program: u32,
    /// Whether it is ours.
    pub ours: bool,
}

/// All filters of a hook, in the order in which they run.
pub fn all(interface: &Interface, hook: Hook) -> Result<Vec<Other>, DatapathError> {
    let mut filters = filters(interface, hook)?;
    // The kernel lists a priority by itself first, with the handle 0.
    filters.retain(|filter| filter.handle != 0);
    filters.sort_by_key(|filter| filter.priority);
    let other = |filter: Filter| Other {
        ours: filter.is_ours(hook),
        name: String::from_utf8_lossy(&filter.name).into_owned(),
        program: filter.program,
    };
    Ok(filters.into_iter().map(other).collect())
}

/// A filter of the kernel's list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    priority: u16,
    handle: u32,
    /// Of a BPF filter.
    name: Vec<u8>,
    /// Of a BPF filter: the kernel id of its program.
    program: u32,
}

impl Filter {
    fn is_ours(&self, hook: Hook) -> bool {
        (self.priority, self.handle) == (PRIORITY, HANDLE) && self.name == hook.program().as_bytes()
    }

    /// Reads what a BPF filter has; filters of every kind are in the list.
    fn read(payload: &[u8]) -> io::Result<Self> {
        let message = TcMessageBuffer::new_checked(&payload).map_err(io::Error::other)?;
        let mut filter = Self {
            priority: (message.info() >> 16) as u16,
            handle: message.handle(),
            ..Self::default()
        };
        for attribute in message.attributes().flatten() {
            if attribute.kind() != TCA_OPTIONS {
                continue;
            }
            for option in NlasIterator::new(attribute.value()).flatten() {
                match (option.kind(), option.value()) {
                    (TCA_BPF_NAME, name) => {
                        filter.name = name.strip_suffix(&[0]).unwrap_or(name).to_owned();
                    }
                    (TCA_BPF_ID, &[a, b, c, d]) => {
                        filter.program = u32::from_ne_bytes([a, b, c, d]);
                    }
                    _ => {}
                }
            }
        }
        Ok(filter)
    }
}

fn filters(interface: &Interface, hook: Hook) -> Result<Vec<Filter>, DatapathError> {
    let request = TcMessage::from_parts(
        TcHeader {
            index: interface.index as i32,
            parent: Handle {
                major: Handle::CLSACT.major,
                minor: match hook {
                    Hook::Egress => Handle::MIN_EGRESS,
                    Hook::Control => Handle::MIN_INGRESS,
                },
            },
            ..TcHeader::default()
        },
        Vec::new(),
    );
    let mut filters = Vec::new();
    route::dump(RouteNetlinkMessage::GetTrafficFilter(request), |payload| {
        filters.push(Filter::read(payload)?);
        Ok(())
    })
    .map_err(|error| {
        let what = format!("list the {} filters of {}", hook.as_str(), interface.name);
        DatapathError::kernel(what, error)
    })?;
    Ok(filters)
}

fn ours(name: &str, hook: Hook) -> io::Result<SchedClassifierLink> {
    let handle = TcHandle::from(HANDLE);
    SchedClassifierLink::attached(name, hook.attach_type(), PRIORITY, handle, None)
}

/// Makes the qdisc, unless there is one, and notes that it is ours.
fn add_qdisc(pins: &Pins, name: &str) -> Result<(), DatapathError> {
    match qdisc_add_clsact(name) {
        Ok(()) => pins.note_clsact(name),
        Err(error) if errno_of(&error) == Some(Errno::EEXIST as i32) => Ok(()),
        Err(error) => {
            let what = format!("add a clsact qdisc to {name}");
            Err(DatapathError::kernel(what, error))
        }
    }
}

fn errno_of(error: &TcError) -> Option<i32> {
    match error {
        TcError::NetlinkError(error) => error.raw_os_error(),
        TcError::IoError(error) => error.raw_os_error(),
        _ => None,
    }
}

/// Removes the qdisc, should no filter be left on it.
fn remove_empty_qdisc(interface: &Interface) -> Result<(), DatapathError> {
    for hook in Hook::ALL {
        if !filters(interface, hook)?.is_empty() {
            return Ok(());
        }
    }
    let request = TcMessage::from_parts(
        TcHeader {
            index: interface.index as i32,
            handle: Handle {
                major: Handle::CLSACT.major,
                minor: 0,
            },
            parent: Handle::CLSACT,
            ..TcHeader::default()
        },
        Vec::new(),
    );
    match route::change(RouteNetlinkMessage::DelQueueDiscipline(request)) {
        Ok(()) => Ok(()),
        // Somebody else has removed it, or the device.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => Ok(()),
        Err(error) => {
            let what = format!("remove the clsact qdisc from {}", interface.name);
            Err(DatapathError::kernel(what, error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((value.len() + 4) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// A `tcmsg` (linux/rtnetlink.h) and its attributes.
    fn message(handle: u32, priority: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        for word in [handle, 0, u32::from(priority) << 16] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(attributes.concat());
        bytes
    }

    #[test]
    fn a_bpf_filter_is_read() {
        let options = [
            attribute(TCA_BPF_NAME, b"ftpg_egress\0"),
            attribute(TCA_BPF_ID, &77_u32.to_ne_bytes()),
        ];
        let payload = message(
            HANDLE,
            PRIORITY,
            &[
                attribute(1, b"bpf\0"),
                attribute(TCA_OPTIONS, &options.concat()),
            ],
        );
        let filter = Filter::read(&payload).unwrap();
        assert_eq!(filter.name, Hook::Egress.program().as_bytes());
        assert_eq!(
            (filter.handle, filter.priority, filter.program),
            (HANDLE, PRIORITY, 77)
        );
    }

    #[test]
    fn what_is_cut_short_is_no_filter_of_ours_and_no_panic() {
        let whole = message(
            HANDLE,
            PRIORITY,
            &[attribute(
                TCA_OPTIONS,
                &attribute(TCA_BPF_NAME, b"ftpg_control\0"),
            )],
        );
        for length in 0..whole.len() - 3 {
            let named = Filter::read(&whole[..length]).is_ok_and(|filter| !filter.name.is_empty());
            assert!(!named, "{length} bytes of {}", whole.len());
        }
    }
}
