//! A second instance of the program, with the live tables and counters of its own, to ask what the
//! guard would do with a packet.

use aya::{
    Ebpf, TestRun, TestRunOptions,
    maps::{MapData, PerCpuArray},
    programs::Xdp,
};
use ftp_guard_common::{
    class::{Family, PortClass},
    names::{PINNED_MAPS, STATS_MAP, XDP_PROGRAM},
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};

use super::{error::DatapathError, load, pins::Pins, tables::read_counters};

/// What the program decided about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it did.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Class of the destination port.
    pub class: PortClass,
    /// IP version.
    pub family: Family,
}

/// The second instance.
pub struct Explainer {
    ebpf: Ebpf,
}

impl Explainer {
    /// Loads the program over the pinned tables.
    pub fn open(pins: &Pins) -> Result<Self, DatapathError> {
        let shared = PINNED_MAPS.into_iter().filter(|name| *name != STATS_MAP);
        let mut ebpf = load::object(pins, shared, false, &[], None)?;
        load::program(&mut ebpf)?;
        Ok(Self { ebpf })
    }

    /// Runs the program over one frame of at least 14 bytes, which no interface sees
    /// (`BPF_PROG_TEST_RUN`, kernel 4.12).
    pub fn judge(&mut self, frame: &[u8]) -> Result<Judgement, DatapathError> {
        let failed = |error| DatapathError::kernel("run the program over a test packet", error);
        let before = self.counters()?;
        let program: &Xdp = self
            .ebpf
            .program(XDP_PROGRAM)
            .ok_or_else(|| load::missing(XDP_PROGRAM))?
            .try_into()
            .map_err(failed)?;
        program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                ..TestRunOptions::default()
            })
            .map_err(failed)?;
        let moved = self
            .counters()?
            .into_iter()
            .find(|counter| !before.contains(counter));
        let Some((
            StatsKey {
                verdict,
                reason,
                class,
                family,
            },
            _,
        )) = moved
        else {
            let silent = std::io::Error::other("it counted nothing");
            return Err(DatapathError::kernel("read the program's answer", silent));
        };
        Ok(Judgement {
            verdict,
            reason,
            class,
            family,
        })
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
        let map = self
            .ebpf
            .map(STATS_MAP)
            .ok_or_else(|| load::missing(STATS_MAP))?;
        let stats: PerCpuArray<&MapData, Counter> =
            map.try_into().map_err(|error: aya::maps::MapError| {
                DatapathError::kernel("open the counters", error)
            })?;
        read_counters(&stats)
    }
}
