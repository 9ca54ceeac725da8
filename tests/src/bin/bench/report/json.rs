//! The values, for programs. `cargo xtask bench --check` reads `ratios`.

use serde_json::{Map, Value, json};

use super::{Better, Ratio, Run, Section};
use crate::{load, machine};

/// Number of the shape of `results.json`.
const VERSION: u32 = 1;

pub fn run(run: &Run, sections: &[Section]) -> Value {
    let (processor, kernel) = machine();
    let ratios: Map<String, Value> = sections
        .iter()
        .flat_map(|section| &section.ratios)
        .map(|found| (found.name.clone(), ratio(found)))
        .collect();
    let suites: Map<String, Value> = sections
        .iter()
        .map(|section| (section.name.to_owned(), section.data.clone()))
        .collect();
    json!({
        "version": VERSION,
        "processor": processor,
        "kernel": kernel,
        "load": load(),
        "quick": run.quick,
        "seconds": run.seconds,
        "ratios": ratios,
        "suites": suites,
    })
}

pub fn section(section: &Section) -> Value {
    let (processor, kernel) = machine();
    let ratios: Map<String, Value> = section
        .ratios
        .iter()
        .map(|found| (found.name.clone(), ratio(found)))
        .collect();
    json!({
        "processor": processor,
        "kernel": kernel,
        "load": load(),
        "ratios": ratios,
        section.name: section.data,
    })
}

fn ratio(ratio: &Ratio) -> Value {
    let (low, high) = ratio.range();
    json!({
        "median": ratio.median(),
        "min": low,
        "max": high,
        "rounds": ratio.values.len(),
        "better": match ratio.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
        },
        "aim": ratio.aim,
        "quick": ratio.quick,
    })
}
