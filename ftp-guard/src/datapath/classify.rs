//! The two classifiers of an interface: by tcx links where the kernel has them (6.6), else as filters of a
//! clsact qdisc.

use std::io;

use aya::{
    Ebpf,
    programs::{
        LinkOrder, SchedClassifier,
        links::{FdLink, PinnedLink},
        tc::{SchedClassifierLink, TcAttachOptions},
    },
};
use nix::errno::Errno;

use super::{
    clsact,
    error::{DatapathError, errno},
    interfaces::Interface,
    load,
    pins::Pins,
    sys,
    tables::Hook,
};

/// How the classifiers of an interface are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcKind {
    /// By links, which are pinned (kernel 6.6).
    Tcx,
    /// As filters of a clsact qdisc.
    Clsact,
}

impl TcKind {
    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

/// What [`attach`] has done.
pub struct Attached {
    /// How the classifiers are attached.
    pub kind: TcKind,
    /// Those that were not there before.
    made: Vec<Hook>,
}

impl Attached {
    /// Takes off what was not there before.
    pub fn take_back(self, pins: &Pins, interface: &Interface) {
        let done = match self.made.len() {
            0 => Ok(()),
            len if len == Hook::ALL.len() => {
                detach(pins, Some(interface), &interface.name).map(drop)
            }
            _ => self
                .made
                .iter()
                .try_for_each(|hook| remove(pins, interface, *hook, self.kind)),
        };
        if let Err(error) = done {
            tracing::error!("{error}");
        }
    }
}

/// Puts both classifiers on an interface, in the place of predecessors; none when one cannot be put there.
/// Without a `kind`, tcx is tried first.
pub fn attach(
    ebpf: &mut Ebpf,
    pins: &Pins,
    interface: &Interface,
    kind: Option<TcKind>,
) -> Result<Attached, DatapathError> {
    match kind {
        Some(kind) => attach_as(ebpf, pins, interface, kind),
        None => match attach_as(ebpf, pins, interface, TcKind::Tcx) {
            Err(error) if lacks_tcx(&error) => attach_as(ebpf, pins, interface, TcKind::Clsact),
            result => result,
        },
    }
}

fn attach_as(
    ebpf: &mut Ebpf,
    pins: &Pins,
    interface: &Interface,
    kind: TcKind,
) -> Result<Attached, DatapathError> {
    let mut attached = Attached {
        kind,
        made: Vec::new(),
    };
    for hook in Hook::ALL {
        let result = load::classifier(ebpf, hook).and_then(|program| match kind {
            TcKind::Tcx => attach_tcx(program, pins, interface, hook),
            TcKind::Clsact => clsact::attach(program, pins, interface, hook),
        });
        match result {
            Ok(true) => attached.made.push(hook),
            Ok(false) => {}
            Err(error) => {
                attached.take_back(pins, interface);
                return Err(error);
            }
        }
    }
    // A kernel that has learned tcx finds its predecessor's filters, which would do everything twice.
    if kind == TcKind::Tcx {
        clsact::detach(pins, interface, &interface.name)?;
    }
    Ok(attached)
}

/// Whether the kernel knows no tcx links: the number of the hook is then beyond those that it knows.
fn lacks_tcx(error: &DatapathError) -> bool {
    matches!(error, DatapathError::NoTcx { .. })
}

/// Puts the program behind the pinned link, in place of the one that is there, or makes the link; whether
/// it made one.
fn attach_tcx(
    program: &mut SchedClassifier,
    pins: &Pins,
    interface: &Interface,
    hook: Hook,
) -> Result<bool, DatapathError> {
    let name = interface.name.as_str();
    let what = || format!("attach the {} classifier to {name}", hook.as_str());
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| DatapathError::kernel(what(), error);
    let pin = pins.classifier(hook, name);
    if is_on(pins, name, interface, hook)? {
        let link = PinnedLink::from_pin(&pin)
            .and_then(|link| SchedClassifierLink::try_from(FdLink::from(link)))
            .map_err(|error| failed(error.into()))?;
        let id = program
            .attach_to_link(link)
            .map_err(|error| failed(error.into()))?;
        // The pin holds the link; the program must not, or it would detach on drop.
        program
            .take_link(id)
            .map_err(|error| failed(error.into()))?;
        return Ok(false);
    }
    // Its device is gone or another, or somebody took it off by force.
    pins.remove(&pin)?;
    // First: a program before ours might end the way of a packet (any other answer than "go on" does),
    // and ours would not see what a server named. Ours says "go on" to all but what it drops.
    let order = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program
        .attach_with_options(name, hook.attach_type(), order)
        .map_err(|error| match errno(&error) {
            Some(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::E2BIG) => DatapathError::NoTcx {
                interface: name.to_owned(),
            },
            _ => failed(error.into()),
        })?;
    let link = program
        .take_link(id)
        .map_err(|error| failed(error.into()))?;
    FdLink::try_from(link)
        .map_err(|error| failed(error.into()))?
        .pin(pin)
        .map_err(|error| failed(error.into()))?;
    Ok(true)
}

/// Whether the tcx link under the pins of `pin_name` is on the interface.
fn is_on(
    pins: &Pins,
    pin_name: &str,
    interface: &Interface,
    hook: Hook,
) -> Result<bool, DatapathError> {
    let link = examine(pins, pin_name, hook)?;
    Ok(link.is_some_and(|link| link.ifindex == interface.index))
}

fn examine(
    pins: &Pins,
    pin_name: &str,
    hook: Hook,
) -> Result<Option<sys::PinnedLink>, DatapathError> {
    sys::pinned_link(&pins.classifier(hook, pin_name)).map_err(|error: io::Error| {
        let what = format!("examine the {} link on {pin_name}", hook.as_str());
        DatapathError::kernel(what, error)
    })
}

/// How both classifiers of an interface are attached; nothing when one is missing. `pin_name` is the
/// interface's name in its pins, which an interface that was renamed has no more.
pub fn attached(
    pins: &Pins,
    pin_name: &str,
    interface: &Interface,
) -> Result<Option<TcKind>, DatapathError> {
    let mut tcx = true;
    for hook in Hook::ALL {
        tcx &= is_on(pins, pin_name, interface, hook)?;
    }
    if tcx {
        return Ok(Some(TcKind::Tcx));
    }
    for hook in Hook::ALL {
        if clsact::filter(interface, hook)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(TcKind::Clsact))
}

/// Takes both classifiers off an interface, if it is still there; whether there were any. `pin_name` as
/// in [`attached`].
pub fn detach(
    pins: &Pins,
    interface: Option<&Interface>,
    pin_name: &str,
) -> Result<bool, DatapathError> {
    let mut removed = false;
    for hook in Hook::ALL {
        removed |= pins.remove(&pins.classifier(hook, pin_name))?;
    }
    match interface {
        Some(interface) => removed |= clsact::detach(pins, interface, pin_name)?,
        // With the device went its qdisc.
        None => removed |= pins.remove_clsact(pin_name)?,
    }
    Ok(removed)
}

fn remove(
    pins: &Pins,
    interface: &Interface,
    hook: Hook,
    kind: TcKind,
) -> Result<(), DatapathError> {
    match kind {
        TcKind::Tcx => pins.remove(&pins.classifier(hook, &interface.name)),
        TcKind::Clsact => clsact::remove(interface, hook),
    }
    .map(drop)
}
