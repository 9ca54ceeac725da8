//! Whether the datapath answers.

use std::io;

use aya::{
    Ebpf, TestRun, TestRunOptions,
    maps::{Map, MapData, PerCpuArray},
    programs::Xdp,
};
use ftp_guard_common::{
    class::{Family, PortClass},
    names::{STATS_MAP, XDP_PROGRAM},
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};

use super::{error::DatapathError, load, pins::Pins};

/// Two addresses and the type of frames for experiments (IEEE 802, 0x88b5): of no protocol that the program
/// looks into.
const FRAME: [u8; 60] = {
    let mut frame = [0; 60];
    frame[12] = 0x88;
    frame[13] = 0xb5;
    frame
};
const XDP_PASS: u32 = 2;
const COUNTED_AS: StatsKey = StatsKey {
    verdict: Verdict::Pass,
    reason: Reason::NotIp,
    class: PortClass::Other,
    family: Family::Other,
};

/// Runs the program that is attached over a frame (`BPF_PROG_TEST_RUN`), and looks for its count behind the
/// pin, which a successor would open as well.
pub(super) fn probe(ebpf: &Ebpf, pins: &Pins) -> Result<(), DatapathError> {
    let before = counted(pins)?;
    let failed = |error| DatapathError::kernel("run the program over a test packet", error);
    let program: &Xdp = ebpf
        .program(XDP_PROGRAM)
        .ok_or_else(|| load::missing(XDP_PROGRAM))?
        .try_into()
        .map_err(failed)?;
    let run = program
        .test_run(TestRunOptions {
            data_in: Some(&FRAME),
            ..TestRunOptions::default()
        })
        .map_err(failed)?;
    if run.return_value != XDP_PASS {
        return Err(wrong(format!("it returned {}", run.return_value)));
    }
    match counted(pins)? > before {
        true => Ok(()),
        false => Err(wrong("it did not count it where the pins lead".to_owned())),
    }
}

fn counted(pins: &Pins) -> Result<u64, DatapathError> {
    let opened = MapData::from_pin(pins.map(STATS_MAP))
        .and_then(|data| PerCpuArray::<_, Counter>::try_from(Map::PerCpuArray(data)));
    let failed = |error| DatapathError::kernel(format!("read the pinned map {STATS_MAP}"), error);
    let values = opened
        .and_then(|stats| stats.get(&COUNTED_AS.index(), 0))
        .map_err(failed)?;
    Ok(values.iter().map(|value| value.packets).sum())
}

fn wrong(what: String) -> DatapathError {
    DatapathError::kernel("have a test packet judged", io::Error::other(what))
}
