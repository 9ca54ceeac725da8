//! The tables at the end of the demonstration.

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{guard::Guard, stack::Counters};

/// What the server's stack counts, and what that means.
const STACK: [(&str, &str); 5] = [
    ("Tcp.InSegs", "segments received"),
    ("Tcp.PassiveOpens", "connections accepted"),
    ("Tcp.AttemptFails", "handshakes failed"),
    ("Tcp.OutRsts", "refusals sent"),
    ("TcpExt.ListenDrops", "SYNs dropped by a listener"),
];

/// Prints the guard's counters, as the kernel has them.
pub(crate) fn kernel(guard: &Guard) -> Result<()> {
    println!("\nWhat the kernel counted at the guard's hook:");
    let row = |cells: [&str; 6]| {
        let [verdict, reason, class, family, packets, bytes] = cells;
        println!("  {verdict:<8} {reason:<16} {class:<13} {family:<7} {packets:>10} {bytes:>13}");
    };
    row(["verdict", "reason", "class", "family", "packets", "bytes"]);
    let status = guard.status()?;
    for counter in status["counters"].as_array().context("no counters")? {
        let text = |name: &str| counter[name].as_str().unwrap_or("?");
        let count = |name: &str| number(counter[name].as_u64().unwrap_or_default());
        row([
            text("verdict"),
            text("reason"),
            text("class"),
            text("family"),
            &count("packets"),
            &count("bytes"),
        ]);
    }
    Ok(())
}

/// Prints what the server's TCP saw between two looks, and makes sure that it is nothing.
pub(crate) fn server(before: &Counters, after: &Counters) -> Result<()> {
    println!("\nWhat the server's own TCP saw of the stranger's knocks and floods:");
    for (counter, meaning) in STACK {
        let seen = after.since(before, counter)?;
        println!("  {meaning:<28} {counter:<20} {seen:>6}");
        ensure!(seen == 0, "{counter} grew by {seen}");
    }
    Ok(())
}

/// A number with its thousands apart.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn thousands_stand_apart() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
