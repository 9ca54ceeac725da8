//! `ftp-guard explain`

use std::net::IpAddr;

use super::{
    Global, Outcome,
    allow::{entry_line, profile_line},
    output::{print, print_json},
    target::Target,
};
use crate::{
    control::{
        protocol::{ModeName, Question, Request},
        view::Explanation,
    },
    frame::TcpFlags,
};

/// Tell what happens to a packet, and why.
///
/// The packet is built and run through the kernel program and the live tables, without touching
/// counters or sending anything. About a passive port the answer is that of this moment: it depends
/// on the sessions of the source; on a router name the server with `--destination`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ftp-guard explain 198.51.100.9\n  \
    ftp-guard explain 198.51.100.9 --port 50000 --flags ack --iface eth0 --vlan 7")]
pub(super) struct Args {
    /// Source address of the packet.
    source: IpAddr,
    /// TCP destination port.
    #[arg(long, default_value_t = 21)]
    port: u16,
    /// TCP flags, separated by commas (fin, syn, rst, psh, ack, urg, ece, cwr), or `none`.
    #[arg(long, default_value = "syn")]
    flags: TcpFlags,
    /// VLAN of the packet; several times for several tags, the outermost first.
    #[arg(long = "vlan", value_name = "N", value_parser = clap::value_parser!(u16).range(0..=4095))]
    vlans: Vec<u16>,
    /// Interface that the packet arrives on.
    #[arg(long, value_name = "INTERFACE")]
    iface: Option<String>,
    /// Destination address [default: one of a documentation range].
    #[arg(long, value_name = "ADDRESS")]
    destination: Option<IpAddr>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let packet = Question {
            source: self.source,
            destination: self.destination,
            port: self.port,
            flags: self.flags.0,
            vlans: self.vlans,
            interface: self.iface,
        };
        let explanation: Explanation = Target::of(global)
            .connect()?
            .ask(&Request::Explain { packet })?;
        if self.json {
            print_json(&explanation)?;
        } else {
            print(&text(self.source, self.port, self.flags, &explanation))?;
        }
        Ok(0)
    }
}

fn text(source: IpAddr, port: u16, flags: TcpFlags, explanation: &Explanation) -> String {
    let mut text = format!(
        "{source} to port {port} ({flags}): {}\n  reason: {}: {}\n",
        explanation.verdict, explanation.reason, explanation.explanation
    );
    match &explanation.entry {
        Some(entry) => text.push_str(&entry_line(entry)),
        None => text.push_str("  entry: none covers the source\n"),
    }
    if let Some(profile) = &explanation.profile {
        text.push_str(&profile_line(profile));
    }
    if explanation.mode == ModeName::Monitor && explanation.verdict == "would_drop" {
        text.push_str("  mode:  monitor: the packet passes; enforce mode would drop it\n");
    } else if explanation.mode == ModeName::Monitor {
        text.push_str("  mode:  monitor: nothing is dropped\n");
    }
    if !explanation.covered {
        text.push_str(&match &explanation.interface {
            Some(interface) => format!(
                "  note:  {interface} is not covered by the guard: packets that arrive there pass \
                 unseen, whatever is said above\n"
            ),
            None => {
                "  note:  the guard is on no interface now: all packets pass unseen\n".to_owned()
            }
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(mode: ModeName, covered: bool) -> Explanation {
        Explanation {
            verdict: match mode {
                ModeName::Monitor => "would_drop".into(),
                ModeName::Enforce => "drop".into(),
            },
            reason: "not_listed".into(),
            explanation: "The source is not on the allowlist.".into(),
            class: "control".into(),
            family: "ipv4".into(),
            mode,
            entry: None,
            profile: None,
            interface: Some("eth1".into()),
            covered,
            interfaces: vec!["eth0".into()],
        }
    }

    fn told(mode: ModeName, covered: bool) -> String {
        let source = "192.0.2.9".parse().unwrap();
        text(source, 21, TcpFlags::SYN, &explanation(mode, covered))
    }

    #[test]
    fn verdict_reason_and_entry() {
        assert_eq!(
            told(ModeName::Enforce, true),
            "192.0.2.9 to port 21 (syn): drop\n  \
             reason: not_listed: The source is not on the allowlist.\n  \
             entry: none covers the source\n"
        );
    }

    #[test]
    fn monitor_mode_and_an_uncovered_interface_are_told() {
        assert!(told(ModeName::Monitor, true).contains("enforce mode would drop it"));
        assert!(told(ModeName::Enforce, false).contains("eth1 is not covered"));
    }
}
