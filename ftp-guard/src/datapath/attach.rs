//! The guard on an interface: two classifiers, and the XDP program, whose link is attached once, pinned,
//! and from then on updated in place.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    programs::{
        Xdp, XdpMode,
        links::{FdLink, PinnedLink},
        loaded_programs,
        xdp::XdpLink,
    },
};
use nix::errno::Errno;

use super::{
    classify::{self, TcKind},
    error::{DatapathError, errno},
    interfaces::{self, Interface},
    load,
    pins::Pins,
    sys,
};
pub use crate::config::XdpChoice;

/// Where in the receive path a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver, before the kernel has made an skb.
    Native,
    /// Behind it: on any device, at a fraction of the speed.
    Generic,
}

impl AttachMode {
    /// The name in metrics, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// The guard on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Name of the interface.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// Where the program runs.
    pub mode: AttachMode,
    /// Kernel id of the XDP program.
    pub program_id: u32,
    /// How the classifiers are attached.
    pub tc: TcKind,
}

/// Attaches the programs to an interface: all, or none of those that were not there before. The
/// classifiers come first: without what they learn the XDP program would refuse data connections.
///
/// A pinned link of ours is updated in place, so that no packet sees neither program; a pin whose interface
/// is gone, or came back as another device, is replaced.
pub fn attach(
    ebpf: &mut Ebpf,
    pins: &Pins,
    name: &str,
    choice: XdpChoice,
    tc: Option<TcKind>,
) -> Result<Attachment, DatapathError> {
    let interface = find(name)?;
    if !interface.ethernet {
        return Err(DatapathError::NotEthernet {
            interface: name.to_owned(),
        });
    }
    follow_rename(pins, &interface)?;
    let classifiers = classify::attach(ebpf, pins, &interface, tc)?;
    let tc = classifiers.kind;
    let attached = load::program(ebpf)
        .and_then(|program| attach_xdp(program, pins, &interface, choice))
        .and_then(|()| attachment(name, tc));
    if attached.is_err() && !still_guarded(pins, name) {
        classifiers.take_back(pins, &interface);
    }
    attached
}

/// Whether an XDP program of ours is on the interface, in spite of all.
fn still_guarded(pins: &Pins, name: &str) -> bool {
    find(name)
        .and_then(|interface| guarded(pins, &interface))
        .is_ok_and(|mode| mode.is_some())
}

/// Attaches the XDP program. A change of mode takes it off for a moment; where the new mode is refused,
/// the old one comes back.
fn attach_xdp(
    program: &mut Xdp,
    pins: &Pins,
    interface: &Interface,
    choice: XdpChoice,
) -> Result<(), DatapathError> {
    let name = interface.name.as_str();
    let guarded = guarded(pins, interface)?;
    if guarded.is_some_and(|mode| fits(choice, mode)) {
        return replace(program, pins, name);
    }
    // The kernel does not take programs of both modes at a time.
    if pins.remove(&pins.link(name))? && guarded.is_some() {
        await_detached(interface)?;
    }
    if let Some((_, id)) = find(name)?.xdp {
        return Err(foreign(name, id));
    }
    let attached = create_by_choice(program, interface, choice);
    let Err(error) = attached.and_then(|link| pin(link, pins, name)) else {
        return Ok(());
    };
    if let Some(mode) = guarded {
        // The old mode guards better than none.
        let restored = create(program, interface, mode).and_then(|link| pin(link, pins, name));
        match restored {
            Ok(()) => tracing::warn!("{name} stays in {} mode", mode.as_str()),
            Err(error) => tracing::error!("{name} is not guarded any more: {error}"),
        }
    }
    Err(error)
}

fn pin(link: FdLink, pins: &Pins, name: &str) -> Result<(), DatapathError> {
    link.pin(pins.link(name))
        .map(drop)
        .map_err(|error| DatapathError::kernel(format!("pin the link on {name}"), error))
}

/// Takes the guard off an interface; whether it was on. The XDP program goes first, which refuses what
/// the classifiers have not seen. `pin_name` is the interface's name in its pins: one that was renamed
/// has another.
pub fn detach(pins: &Pins, pin_name: &str) -> Result<bool, DatapathError> {
    let mut found = behind(pins)?.into_iter().filter(|(pin, _)| pin == pin_name);
    let interface = match found.next() {
        Some((_, interface)) => Some(interface),
        None => interfaces::list()?
            .into_iter()
            .find(|it| it.name == pin_name),
    };
    let mut removed = pins.remove(&pins.link(pin_name))?;
    if removed && let Some(interface) = &interface {
        await_detached(interface)?;
    }
    removed |= classify::detach(pins, interface.as_ref(), pin_name)?;
    Ok(removed)
}

/// The attachments that stand behind the pins, where all programs are in place. A link whose interface is
/// gone guards nothing and is left out.
pub fn list(pins: &Pins) -> Result<Vec<Attachment>, DatapathError> {
    let mut attachments = Vec::new();
    for (pin, interface) in behind(pins)? {
        let tc = classify::attached(pins, &pin, &interface)?;
        if let (Some((mode, program_id)), Some(tc)) = (interface.xdp, tc) {
            attachments.push(Attachment {
                interface: interface.name,
                ifindex: interface.index,
                mode,
                program_id,
                tc,
            });
        }
    }
    attachments.sort_by(|a, b| a.interface.cmp(&b.interface));
    Ok(attachments)
}

/// Replaces the programs in place on all interfaces where a link is.
pub fn reattach(ebpf: &mut Ebpf, pins: &Pins) -> Result<(), DatapathError> {
    for (pin, interface) in behind(pins)? {
        let tc = classify::attached(pins, &pin, &interface)?;
        attach(ebpf, pins, &interface.name, XdpChoice::Auto, tc)?;
    }
    Ok(())
}

/// The name of each XDP link's pin, and the interface that the link is on, which may have been renamed
/// since it was pinned.
fn behind(pins: &Pins) -> Result<Vec<(String, Interface)>, DatapathError> {
    let names = pins.interfaces()?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let interfaces = interfaces::list()?;
    let mut found = Vec::new();
    for name in names {
        let Some(link) = examine(pins, &name)? else {
            continue;
        };
        let carries = |it: &&Interface| {
            it.index == link.ifindex && it.xdp.is_some_and(|(_, id)| id == link.program)
        };
        if let Some(interface) = interfaces.iter().find(carries) {
            found.push((name, interface.clone()));
        }
    }
    Ok(found)
}

fn examine(pins: &Pins, name: &str) -> Result<Option<sys::PinnedLink>, DatapathError> {
    sys::pinned_link(&pins.link(name))
        .map_err(|error| DatapathError::kernel(format!("examine the link on {name}"), error))
}

/// Gives the pins of a renamed interface its new name.
fn follow_rename(pins: &Pins, interface: &Interface) -> Result<(), DatapathError> {
    if interface.xdp.is_none() || pins.link(&interface.name).exists() {
        return Ok(());
    }
    for (pin, it) in behind(pins)? {
        if it.index == interface.index {
            pins.rename_interface(&pin, &interface.name)?;
        }
    }
    Ok(())
}

fn find(name: &str) -> Result<Interface, DatapathError> {
    let interfaces = interfaces::list()?;
    let existing = interfaces
        .iter()
        .map(|interface| interface.name.clone())
        .collect();
    interfaces
        .into_iter()
        .find(|interface| interface.name == name)
        .ok_or_else(|| DatapathError::NoInterface {
            name: name.to_owned(),
            existing,
        })
}

fn attachment(name: &str, tc: TcKind) -> Result<Attachment, DatapathError> {
    let interface = find(name)?;
    let (mode, program_id) = interface.xdp.ok_or_else(|| {
        let gone = io::Error::other("the program is not there");
        DatapathError::kernel(format!("attach to {name}"), gone)
    })?;
    Ok(Attachment {
        interface: interface.name,
        ifindex: interface.index,
        mode,
        program_id,
        tc,
    })
}

fn open_link(pins: &Pins, name: &str) -> Result<FdLink, DatapathError> {
    PinnedLink::from_pin(pins.link(name))
        .map(FdLink::from)
        .map_err(|error| DatapathError::kernel(format!("open the pinned link on {name}"), error))
}

/// The mode in which a pinned link of ours guards the interface; nothing when there is no pin, or its
/// link belongs to a device that is gone.
fn guarded(pins: &Pins, interface: &Interface) -> Result<Option<AttachMode>, DatapathError> {
    let Some((mode, id)) = interface.xdp else {
        return Ok(None);
    };
    let link = examine(pins, &interface.name)?;
    Ok(link.is_some_and(|link| link.program == id).then_some(mode))
}

fn fits(choice: XdpChoice, mode: AttachMode) -> bool {
    matches!(
        (choice, mode),
        (XdpChoice::Auto, _)
            | (XdpChoice::Native, AttachMode::Native)
            | (XdpChoice::Generic, AttachMode::Generic)
    )
}

/// Puts the program behind the pinned link, in place of the one that is there.
fn replace(program: &mut Xdp, pins: &Pins, name: &str) -> Result<(), DatapathError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        DatapathError::kernel(format!("replace the program on {name}"), error)
    };
    let link = XdpLink::try_from(open_link(pins, name)?).map_err(|error| failed(error.into()))?;
    let id = program
        .attach_to_link(link)
        .map_err(|error| failed(error.into()))?;
    // The pin holds the link; the program must not, or it would detach on drop.
    program
        .take_link(id)
        .map(drop)
        .map_err(|error| failed(error.into()))
}

fn create_by_choice(
    program: &mut Xdp,
    interface: &Interface,
    choice: XdpChoice,
) -> Result<FdLink, DatapathError> {
    match choice {
        XdpChoice::Native => create(program, interface, AttachMode::Native),
        XdpChoice::Generic => create(program, interface, AttachMode::Generic),
        XdpChoice::Auto => match create(program, interface, AttachMode::Native) {
            Err(DatapathError::NoNativeXdp { source, .. }) => {
                tracing::warn!(
                    interface = interface.name,
                    "no native XDP ({source}): attaching in generic mode, which is much slower"
                );
                create(program, interface, AttachMode::Generic)
            }
            result => result,
        },
    }
}

fn create(
    program: &mut Xdp,
    interface: &Interface,
    mode: AttachMode,
) -> Result<FdLink, DatapathError> {
    let name = &interface.name;
    let flags = match mode {
        AttachMode::Native => XdpMode::Driver,
        AttachMode::Generic => XdpMode::Skb,
    };
    let link_id =
        program
            .attach_to_if_index(interface.index, flags)
            .map_err(|error| match errno(&error) {
                Some(Errno::EBUSY | Errno::EEXIST) => match find(name) {
                    Ok(Interface {
                        xdp: Some((_, id)), ..
                    }) => foreign(name, id),
                    _ => DatapathError::kernel(format!("attach to {name}"), error),
                },
                Some(errno) if mode == AttachMode::Native && errno != Errno::EPERM => {
                    DatapathError::NoNativeXdp {
                        interface: name.clone(),
                        source: errno.into(),
                    }
                }
                _ => DatapathError::kernel(format!("attach to {name}"), error),
            })?;
    let link = program
        .take_link(link_id)
        .map_err(|error| DatapathError::kernel(format!("attach to {name}"), error))?;
    // Without BPF links (kernel 5.9) aya attaches by netlink; such a program cannot be pinned.
    FdLink::try_from(link)
        .map_err(|error| DatapathError::kernel(format!("make a BPF link on {name}"), error))
}

/// The kernel frees an unpinned link from a work queue.
fn await_detached(interface: &Interface) -> Result<(), DatapathError> {
    let Some((_, id)) = interface.xdp else {
        return Ok(());
    };
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        let now = interfaces::list()?;
        let same = |i: &&Interface| i.index == interface.index;
        if now
            .iter()
            .find(same)
            .and_then(|i| i.xdp)
            .is_none_or(|(_, now)| now != id)
        {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn foreign(interface: &str, id: u32) -> DatapathError {
    let name = loaded_programs()
        .flatten()
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    DatapathError::ForeignProgram {
        interface: interface.to_owned(),
        id,
        name,
    }
}
