//! What came out: ratios first, then what they are made of.

use std::time::Duration;

use anyhow::Result;
use ftp_guard_tests::lab::flood::Rate;
use serde_json::{Value, json};

use super::{Row, cell::Measured, cell::Scenario, contender::Contender};
use crate::{Options, load, machine};

/// The aims, as the ratios' headings have them.
const DROP_AIM: f64 = 0.7;
const GOODPUT_AIM: f64 = 0.95;
const CPU_AIM: f64 = 0.02;

/// What a rate is called.
pub fn name(rate: Rate) -> String {
    match rate {
        Rate::Full => "full speed".to_owned(),
        Rate::PerSecond(rate) => format!("{} Mpps", f64::from(rate) / 1e6),
    }
}

/// Prints all of it.
pub fn print(
    mut rows: Vec<Row>,
    long: Option<(Duration, Measured)>,
    rounds: usize,
    options: &Options,
) -> Result<()> {
    // Rounds have turned the contenders' order.
    rows.sort_by_key(|row| {
        let place = |found: Option<usize>| found.unwrap_or(usize::MAX);
        let scenario = Scenario::ALL
            .iter()
            .position(|scenario| *scenario == row.scenario);
        let rate = match row.rate {
            Rate::PerSecond(rate) => rate,
            Rate::Full => u32::MAX,
        };
        let contender = Contender::ALL.iter().position(|one| *one == row.contender);
        (place(scenario), rate, place(contender))
    });
    if options.json {
        let report = as_json(&rows, long.as_ref(), rounds);
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", as_markdown(&rows, long.as_ref(), rounds));
    }
    Ok(())
}

impl Row {
    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        quantile(self.rounds.iter().map(of).collect(), 0.5)
    }

    /// Median of the ratios of each round to the same round of another.
    fn ratio_to(&self, other: &Self, of: impl Fn(&Measured) -> f64) -> f64 {
        let ratios = self
            .rounds
            .iter()
            .zip(&other.rounds)
            .map(|(own, other)| of(own) / of(other));
        quantile(ratios.collect(), 0.5)
    }

    /// Time of logins over all rounds, in milliseconds; NaN when none succeeded.
    fn login_ms(&self, share: f64) -> f64 {
        let times = self.rounds.iter().flat_map(|round| round.login_ms.clone());
        quantile(times.collect(), share)
    }

    fn succeeded(&self) -> usize {
        self.rounds.iter().map(|round| round.login_ms.len()).sum()
    }

    fn tried(&self) -> usize {
        self.rounds.iter().map(|round| round.logins).sum()
    }

    fn worst_cpu(&self) -> Option<f64> {
        let daemons = self.rounds.iter().filter_map(|round| round.daemon);
        daemons.map(|daemon| daemon.cpu).reduce(f64::max)
    }

    /// By how much the daemon's memory grew at the most, in KiB.
    fn growth_kib(&self) -> Option<i64> {
        let daemons = self.rounds.iter().filter_map(|round| round.daemon);
        daemons
            .map(|daemon| daemon.rss_after.cast_signed() - daemon.rss_before.cast_signed())
            .max()
    }
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    let last = values.len().saturating_sub(1);
    values.get(index.min(last)).copied().unwrap_or(f64::NAN)
}

fn find<'a>(rows: &'a [Row], like: &Row, contender: Contender) -> Option<&'a Row> {
    rows.iter().find(|row| {
        (row.scenario, row.rate, row.contender) == (like.scenario, like.rate, contender)
    })
}

fn as_markdown(rows: &[Row], long: Option<&(Duration, Measured)>, rounds: usize) -> String {
    let (processor, kernel) = machine();
    let mut text = format!(
        "Floods: vsftpd, a partner on one interface, an attacker on another; medians of {rounds} interleaved \
         rounds.\n\n{processor}; Linux {kernel}; load {}. IPv4 SYNs of 80 bytes with options, or bare ACKs; \
         the flood is made, taken and judged on one CPU, all else runs on the others.\n\n",
        load()
    );
    text += &format!(
        "The guard, as ratio to each contender in the same round. Frames taken at full speed (aim: \
         {DROP_AIM} of XDP_DROP), in a second and in a second of processor time, which others on the machine \
         do not change; and goodput of the partner's download (aim: {GOODPUT_AIM} of XDP_DROP).\n\n\
         | flood | rate | ratio of |"
    );
    let others: Vec<_> = Contender::ALL
        .into_iter()
        .filter(|contender| *contender != Contender::Guard)
        .collect();
    for other in &others {
        text += &format!(" to {other} |");
    }
    text += "\n| --- | --- | --- |";
    text += &" ---: |".repeat(others.len());
    text += "\n";
    for row in rows.iter().filter(|row| row.contender == Contender::Guard) {
        let mut line = |what: &str, of: fn(&Measured) -> f64| {
            text += &format!("| {} | {} | {what} |", row.scenario, name(row.rate));
            for other in &others {
                let ratio = find(rows, row, *other).map(|other| row.ratio_to(other, of));
                text += &format!(" {} |", figure(ratio, 2));
            }
            text += "\n";
        };
        if row.rate == Rate::Full {
            line("frames taken", |measured| measured.taken);
            line("frames taken per CPU second", |measured| {
                measured.taken_per_cpu
            });
        }
        line("goodput", |measured| measured.goodput);
    }

    text += "\n| flood | offered | contender | taken Mpps | per CPU second | dropped in XDP | answered in XDP | logins | median ms | \
             95 % ms | goodput MiB/s | daemon CPU | its memory |\n\
             | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for row in rows {
        text += &format!(
            "| {} | {} ({:.2}) | {} | {:.2} | {:.2} | {:.2} | {:.2} | {} of {} | {} | {} | {:.0} | {} | {} |\n",
            row.scenario,
            name(row.rate),
            row.median(|measured| measured.offered) / 1e6,
            row.contender,
            row.median(|measured| measured.taken) / 1e6,
            row.median(|measured| measured.taken_per_cpu) / 1e6,
            row.median(|measured| measured.dropped) / 1e6,
            row.median(|measured| measured.answered) / 1e6,
            row.succeeded(),
            row.tried(),
            figure(Some(row.login_ms(0.5)), 1),
            figure(Some(row.login_ms(0.95)), 1),
            row.median(|measured| measured.goodput) / f64::from(1 << 20),
            row.worst_cpu()
                .map_or(String::new(), |cpu| format!("{:.1} %", cpu * 100.0)),
            row.growth_kib()
                .map_or(String::new(), |growth| format!("{growth:+} KiB")),
        );
    }
    if let Some((time, measured)) = long
        && let Some(daemon) = measured.daemon
    {
        text += &format!(
            "\nA flood of {} s from listed sources, {:.2} Mpps offered: the daemon took {:.2} % of a CPU (aim: \
             less than {:.0} %), its memory went from {} to {} KiB; {} of {} logins.\n",
            time.as_secs(),
            measured.offered / 1e6,
            daemon.cpu * 100.0,
            CPU_AIM * 100.0,
            daemon.rss_before,
            daemon.rss_after,
            measured.login_ms.len(),
            measured.logins
        );
    }
    text += "\n\"Offered\" has in brackets what the attacker managed to send: the CPU that sends takes and judges \
             the frames too, and who takes long over each is sent fewer. What is offered and not taken was lost in \
             the cable's queue. Segments have wire size with every contender: where \
             there is no guard, a program that passes all is on the partner's interface.\n";
    text
}

fn figure(value: Option<f64>, decimals: usize) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.decimals$}"),
        _ => "-".to_owned(),
    }
}

fn as_json(rows: &[Row], long: Option<&(Duration, Measured)>, rounds: usize) -> Value {
    let (processor, kernel) = machine();
    let all: Vec<_> = rows
        .iter()
        .map(|row| {
            let to_drop = find(rows, row, Contender::XdpDrop);
            json!({
                "flood": row.scenario.to_string(),
                "rate": name(row.rate),
                "contender": row.contender.to_string(),
                "taken_per_cpu_to_xdp_drop": to_drop.map(|other| row.ratio_to(other, |one| one.taken_per_cpu)),
                "taken_to_xdp_drop": to_drop.map(|other| row.ratio_to(other, |one| one.taken)),
                "goodput_to_xdp_drop": to_drop.map(|other| row.ratio_to(other, |one| one.goodput)),
                "logins": row.tried(),
                "succeeded": row.succeeded(),
                "login_median_ms": row.login_ms(0.5),
                "login_95_ms": row.login_ms(0.95),
                "rounds": row.rounds.iter().map(measured_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "processor": processor,
        "kernel": kernel,
        "load": load(),
        "rounds": rounds,
        "floods": all,
        "long": long.map(|(time, measured)| json!({
            "seconds": time.as_secs(),
            "measured": measured_json(measured),
        })),
    })
}

fn measured_json(measured: &Measured) -> Value {
    json!({
        "offered_pps": measured.offered,
        "taken_pps": measured.taken,
        "taken_per_cpu_second": measured.taken_per_cpu,
        "xdp_dropped_pps": measured.dropped,
        "xdp_answered_pps": measured.answered,
        "goodput_bytes_s": measured.goodput,
        "logins": measured.logins,
        "login_ms": measured.login_ms,
        "daemon": measured.daemon.map(|daemon| json!({
            "cpu": daemon.cpu,
            "rss_before_kib": daemon.rss_before,
            "rss_after_kib": daemon.rss_after,
        })),
    })
}
