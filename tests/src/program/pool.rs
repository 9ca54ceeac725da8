//! Programs and maps that one test has loaded serve the next: the verifier takes seconds for them, and most of a
//! minute where the processor is emulated.

use std::{
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::bail;
use aya::{
    Ebpf,
    maps::{Map, MapData, RingBuf},
};

use crate::sys::{self, Shape};

/// Loaded, and used by nobody.
static IDLE: Mutex<Vec<Ebpf>> = Mutex::new(Vec::new());

/// Loaded programs and their maps, which are for the next one when this one is dropped.
pub(super) struct Lease {
    ebpf: ManuallyDrop<Ebpf>,
    /// Not after an attachment: the links are among the programs.
    returns: bool,
}

impl Lease {
    /// Takes programs that are loaded already, with maps as empty as new ones; or loads.
    pub(super) fn take(load: impl FnOnce() -> anyhow::Result<Ebpf>) -> anyhow::Result<Self> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let ebpf = match idle {
            Some(mut ebpf) => blank(&mut ebpf).map(|()| ebpf)?,
            None => load()?,
        };
        Ok(Self {
            ebpf: ManuallyDrop::new(ebpf),
            returns: true,
        })
    }

    /// Programs that are for nobody else, before or afterwards.
    pub(super) fn only(ebpf: Ebpf) -> Self {
        Self {
            ebpf: ManuallyDrop::new(ebpf),
            returns: false,
        }
    }

    /// Lets nobody have them next.
    pub(super) fn keep(&mut self) {
        self.returns = false;
    }
}

impl Deref for Lease {
    type Target = Ebpf;

    fn deref(&self) -> &Ebpf {
        &self.ebpf
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // SAFETY: nothing uses the field behind this.
        let ebpf = unsafe { ManuallyDrop::take(&mut self.ebpf) };
        if self.returns && !thread::panicking() {
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(ebpf);
        }
    }
}

/// What a map is made of, for what concerns maps of all kinds.
enum Kind {
    Array(Shape),
    Keyed(Shape),
    Ring,
    /// Constants of the programs, which the kernel lets nobody write.
    Constants,
}

fn kind(name: &str, map: &Map) -> anyhow::Result<Kind> {
    let shape = |data: &MapData, values: u32| -> anyhow::Result<Shape> {
        let info = data.info()?;
        Ok(Shape {
            entries: info.max_entries(),
            key: info.key_size() as usize,
            value: (info.value_size() * values) as usize,
        })
    };
    Ok(match map {
        Map::Array(_) if name.starts_with(".rodata") => Kind::Constants,
        Map::Array(data) => Kind::Array(shape(data, 1)?),
        Map::PerCpuArray(data) => {
            let mut shape = shape(data, 1)?;
            let cpus = aya::util::nr_cpus().map_err(|(_, error)| error)?;
            shape.value = shape.value.next_multiple_of(8) * cpus;
            Kind::Array(shape)
        }
        Map::HashMap(data) | Map::LpmTrie(data) => Kind::Keyed(shape(data, 1)?),
        Map::RingBuf(_) => Kind::Ring,
        other => bail!("nobody has said how {name} becomes empty: {other:?}"),
    })
}

fn data(map: &Map) -> anyhow::Result<&MapData> {
    match map {
        Map::Array(data)
        | Map::PerCpuArray(data)
        | Map::HashMap(data)
        | Map::LpmTrie(data)
        | Map::RingBuf(data) => Ok(data),
        other => bail!("a map of another kind: {other:?}"),
    }
}

/// Makes all maps what they were when they were made.
pub(super) fn blank(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    for (name, map) in ebpf.maps_mut() {
        match kind(name, map)? {
            Kind::Array(shape) => sys::fill_array(data(map)?.fd().as_fd(), shape, 0)?,
            Kind::Keyed(shape) => sys::clear_keys(data(map)?.fd().as_fd(), shape)?,
            Kind::Ring => drop(drain(map)?),
            Kind::Constants => {}
        }
    }
    Ok(())
}

/// The maps that hold anything; what is in ring buffers is taken out.
pub(super) fn used(ebpf: &mut Ebpf) -> anyhow::Result<Vec<String>> {
    let mut used = Vec::new();
    for (name, map) in ebpf.maps_mut() {
        let holds = match kind(name, map)? {
            Kind::Array(shape) => sys::array_holds(data(map)?.fd().as_fd(), shape)?,
            Kind::Keyed(shape) => sys::first_key(data(map)?.fd().as_fd(), shape)?.is_some(),
            Kind::Ring => drain(map)? > 0,
            Kind::Constants => false,
        };
        if holds {
            used.push(name.to_owned());
        }
    }
    used.sort();
    Ok(used)
}

/// Puts something into every map but the ring buffers, and returns how many maps those are.
pub(super) fn soil(ebpf: &mut Ebpf) -> anyhow::Result<usize> {
    let mut maps = 0;
    for (name, map) in ebpf.maps_mut() {
        match kind(name, map)? {
            Kind::Array(shape) => sys::fill_array(data(map)?.fd().as_fd(), shape, 0xa5)?,
            Kind::Keyed(shape) => sys::add_key(data(map)?.fd().as_fd(), shape)?,
            Kind::Ring | Kind::Constants => continue,
        }
        maps += 1;
    }
    Ok(maps)
}

fn drain(map: &mut Map) -> anyhow::Result<usize> {
    let mut ring: RingBuf<&mut MapData> = map.try_into()?;
    let mut records = 0;
    while ring.next().is_some() {
        records += 1;
    }
    Ok(records)
}
