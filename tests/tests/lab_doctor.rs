//! `ftp-guard doctor` on hosts that are sound and on hosts that are not: each fault is made, and its finding
//! and the exit code are looked at; where a command mends it, the command is run and the finding goes.

use std::{os::unix::process::CommandExt, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use aya::programs::{LinkOrder, tc::TcAttachOptions};
use ftp_guard::datapath::Hook;
use ftp_guard_tests::{
    lab::{
        Identity, Output, Site, attach,
        guard::{Guard, Settings},
        servers::{self, FtpServer, Make},
        wait_until,
    },
    sys,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// What doctor said.
struct Diagnosis {
    code: i32,
    report: Value,
}

impl Diagnosis {
    fn of(output: &Output) -> Result<Self> {
        let report = serde_json::from_str(&output.stdout)
            .with_context(|| format!("no JSON: {}{}", output.stdout, output.stderr))?;
        Ok(Self {
            code: output.code(),
            report,
        })
    }

    fn findings(&self, id: &str) -> Vec<&Value> {
        let all = self.report["findings"].as_array();
        let all = all.map_or(&[][..], Vec::as_slice);
        all.iter().filter(|it| it["id"] == id).collect()
    }

    /// The one finding of a check, about this subject if there is one.
    fn finding(&self, id: &str, subject: &str) -> Result<&Value> {
        let mut found = self.findings(id);
        if !subject.is_empty() {
            found.retain(|it| it["subject"] == subject);
        }
        ensure!(found.len() == 1, "{id} {subject}: {found:#?}");
        Ok(found[0])
    }

    /// Checks that a finding is of this severity, and that one which is not ok says why.
    fn expect(&self, id: &str, subject: &str, severity: &str) -> Result<&Value> {
        let finding = self.finding(id, subject)?;
        ensure!(finding["severity"] == severity, "{finding:#}");
        ensure!(
            finding["why"].is_null() == (severity == "ok"),
            "{finding:#}"
        );
        Ok(finding)
    }

    fn expect_code(&self, code: i32) -> Result<&Self> {
        let errors = self.report["findings"].as_array();
        let errors = errors.map_or(&[][..], Vec::as_slice);
        let errors: Vec<_> = errors
            .iter()
            .filter(|it| it["severity"] == "error")
            .collect();
        ensure!(self.code == code, "exit code {}: {errors:#?}", self.code);
        Ok(self)
    }
}

/// Runs doctor as root.
fn doctor(site: &Site, guard: &Guard) -> Result<Diagnosis> {
    doctor_as(site, guard, Identity::Root)
}

fn doctor_as(site: &Site, guard: &Guard, identity: Identity) -> Result<Diagnosis> {
    let command = guard.command(&["doctor", "--json"])?;
    Diagnosis::of(&site.server.run_as(identity, command, LIMIT)?)
}

/// Runs a line of shell on the server.
fn shell(site: &Site, line: &str) -> Result<String> {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    let output = site.server.run(command, LIMIT)?;
    ensure!(output.success(), "{line}: {}", output.stderr);
    Ok(output.stdout)
}

/// Runs the command of a finding.
fn mend(site: &Site, finding: &Value) -> Result<()> {
    let fix = finding["fix"].as_str().context("no command")?;
    // What stands behind it in brackets is for people.
    let command = fix.split(" (").next().unwrap_or_default();
    shell(site, command).map(drop)
}

#[test]
fn a_guarded_host_has_no_errors_with_and_without_the_daemon() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let mut guard = Guard::start(&site.server, Settings::default())?;
        let found = doctor(site, &guard)?;
        found.expect_code(0)?;
        for (id, subject) in [
            ("kernel_version", ""),
            ("kernel_types", ""),
            ("capabilities", ""),
            ("bpf_refused", ""),
            ("pin_path", ""),
            ("configuration", ""),
            ("daemon", ""),
            ("mode", ""),
            ("interface_missing", Site::INTERFACE),
            ("interface_unguarded", Site::INTERFACE),
            ("native_xdp", Site::INTERFACE),
            ("mtu", Site::INTERFACE),
            ("offload_lro", Site::INTERFACE),
            ("offload_hw_gro", Site::INTERFACE),
            ("foreign_xdp", ""),
            ("foreign_tc", ""),
            ("ftp_port", ""),
            ("ftp_server", ""),
            ("conntrack_ftp", ""),
            ("fail2ban", ""),
        ] {
            found.expect(id, subject, "ok")?;
        }
        let capabilities = found.finding("capabilities", "")?["what"].to_string();
        ensure!(capabilities.contains("the daemon"), "{capabilities}");
        let server = found.finding("ftp_server", "")?["what"].to_string();
        ensure!(server.contains("vsftpd"), "{server}");
        let text = guard.cli(&["doctor"])?;
        text.expect(0)?.says("ok       native_xdp eth0: ")?;

        guard.kill9()?;
        let found = doctor(site, &guard)?;
        found.expect_code(0)?.expect("daemon", "", "warning")?;
        found.expect("interface_unguarded", Site::INTERFACE, "ok")?;
        guard.cli(&["doctor", "--strict"])?.expect(1)?;
        guard.cli(&["detach"])?.expect(0)?;
        let found = doctor(site, &guard)?;
        found.expect_code(0)?.expect("daemon", "", "warning")?;
        ensure!(
            found.findings("mode").is_empty() && found.findings("interface_unguarded").is_empty()
        );
        Ok(())
    });
}

#[test]
fn a_broken_configuration_is_a_finding_among_others() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let file = guard.settings().file();
        site.lab.folder().write(&file, "colour = 1\n")?;
        let found = doctor(site, &guard)?;
        let finding = found.expect_code(1)?.expect("configuration", "", "error")?;
        ensure!(finding["what"].to_string().contains("ftp-guard.toml:1:1"));
        found.expect("kernel_version", "", "ok")?;
        let missing = Settings {
            interfaces: vec!["eth7".to_owned()],
            ..Settings::default()
        };
        let guard = Guard::prepare(&site.server, missing)?;
        doctor(site, &guard)?
            .expect_code(1)?
            .expect("interface_missing", "eth7", "error")?;
        Ok(())
    });
}

#[test]
fn privileges_that_are_missing_are_named() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        for (missing, kept) in [
            ("CAP_BPF", "+net_admin,+perfmon"),
            ("CAP_NET_ADMIN", "+bpf,+perfmon"),
            ("CAP_PERFMON", "+bpf,+net_admin"),
        ] {
            let plain = guard.command(&["doctor", "--json"])?;
            let mut command = Command::new("setpriv");
            command
                .args(["--inh-caps", "-all", "--bounding-set"])
                .arg(format!("-all,{kept}"))
                .arg(plain.get_program())
                .args(plain.get_args());
            let found = Diagnosis::of(&site.server.run(command, LIMIT)?)?;
            let finding = found.expect_code(1)?.expect("capabilities", "", "error")?;
            let what = finding["what"].as_str().unwrap_or_default();
            ensure!(what == format!("doctor does not have {missing}"), "{what}");
        }
        let found = doctor_as(site, &guard, Identity::Powerless)?;
        let finding = found.expect_code(1)?.expect("bpf_refused", "", "error")?;
        let what = finding["what"].to_string();
        ensure!(what.contains("can never have CAP_BPF"), "{what}");
        Ok(())
    });
}

#[test]
fn without_privilege_the_rest_is_told_and_is_no_error() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let found = doctor_as(site, &guard, Identity::Nobody)?;
        found.expect_code(0)?.expect("kernel_version", "", "ok")?;
        found.expect("native_xdp", Site::INTERFACE, "ok")?;
        for id in ["capabilities", "bpf_refused", "foreign_xdp", "foreign_tc"] {
            let finding = found.expect(id, "", "warning")?;
            ensure!(finding["examined"] == false, "{finding:#}");
            ensure!(finding["fix"] == "sudo ftp-guard doctor", "{finding:#}");
        }
        ensure!(found.findings("kernel_feature").is_empty());
        Ok(())
    });
}

#[test]
fn a_filter_of_system_calls_is_told_from_the_kernel() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let mut command = guard.command(&["doctor", "--json"])?;
        // SAFETY: only system calls between fork and exec, nothing that allocates or locks.
        unsafe {
            command.pre_exec(refuse_bpf);
        }
        let found = Diagnosis::of(&site.server.run(command, LIMIT)?)?;
        found.expect_code(1)?.expect("capabilities", "", "ok")?;
        let finding = found.expect("bpf_refused", "", "error")?;
        let what = finding["what"].to_string();
        ensure!(what.contains("(seccomp) is on this process"), "{what}");
        Ok(())
    });
}

/// Puts a filter on this process that answers bpf(2) with EPERM and permits all else (seccomp(2)).
fn refuse_bpf() -> std::io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let mut code = [
        // The number of the call is the first word of `seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            jf: 1,
            ..statement(
                libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                libc::SYS_bpf as u32,
            )
        },
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: code.len() as u16,
        filter: code.as_mut_ptr(),
    };
    // SAFETY: the program and its code live until the call returns.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER as libc::c_ulong,
            &raw const program,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
fn pins_that_have_no_place_are_an_error() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        // A service manager's sandbox does this.
        let pins = site.lab.folder().inside("bpf").display().to_string();
        let plain = guard.command(&["doctor", "--json"])?;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c"])
            .arg(format!(
                "mount -o remount,bind,ro {pins} && exec \"$0\" \"$@\""
            ))
            .arg(plain.get_program())
            .args(plain.get_args());
        let found = Diagnosis::of(&site.server.run(command, LIMIT)?)?;
        let finding = found.expect_code(1)?.expect("pin_path", "", "error")?;
        ensure!(
            finding["what"].to_string().contains("read-only"),
            "{finding:#}"
        );

        let (file, text) = {
            let settings = guard.settings();
            (settings.file(), settings.toml(&site.lab.folder()))
        };
        let elsewhere = text.replace(&pins, "/run/lab/nowhere");
        ensure!(elsewhere != text);
        site.lab.folder().write(&file, elsewhere)?;
        let found = doctor(site, &guard)?;
        let finding = found.expect_code(1)?.expect("pin_path", "", "error")?;
        let fix = finding["fix"].to_string();
        ensure!(fix.contains("set bpf.pin_path"), "{fix}");
        Ok(())
    });
}

#[test]
fn programs_of_others_are_found() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let program = sys::load_pass_program()?;
        let foreign = attach(&site.server, Site::INTERFACE, &program)?;
        let found = doctor(site, &guard)?;
        found
            .expect_code(1)?
            .expect("foreign_xdp", Site::INTERFACE, "error")?;
        drop(foreign);
        wait_until("the program is gone", LIMIT, || {
            let found = doctor(site, &guard)?;
            Ok((found.code == 0).then_some(()))
        })?;
        doctor(site, &guard)?.expect("foreign_xdp", "", "ok")?;
        Ok(())
    });
}

#[test]
fn classifiers_of_others_are_found_and_so_is_their_order() {
    Site::test(|site| {
        let guard = Guard::start(&site.server, Settings::default())?;
        let interface = Site::INTERFACE;
        shell(site, &format!("tc qdisc add dev {interface} clsact"))?;
        shell(
            site,
            &format!(
                "tc filter add dev {interface} egress prio 7 protocol ip u32 match ip dst 192.0.2.9 \
                 classid 1:1"
            ),
        )?;
        let found = doctor(site, &guard)?;
        // One for the filter, one for the table of hashes that it is in.
        let filters = found.findings("foreign_tc");
        ensure!(!filters.is_empty() && filters.iter().all(|it| it["severity"] == "info"));
        shell(site, &format!("tc qdisc del dev {interface} clsact"))?;
        doctor(site, &guard)?.expect("foreign_tc", "", "ok")?;

        site.server.enter(|| -> Result<()> {
            let mut rival = ftp_guard_tests::program::Guard::load()?;
            let rival = rival.classifier(Hook::Egress)?;
            let first = TcAttachOptions::TcxOrder(LinkOrder::first());
            let kind = aya::programs::TcAttachType::Egress;
            rival.attach_with_options(interface, kind, first)?;
            let found = doctor(site, &guard)?;
            let finding = found
                .expect_code(0)?
                .expect("foreign_tc", interface, "warning")?;
            let what = finding["what"].to_string();
            ensure!(
                what.contains("before the guard's") && what.contains("ftpg_egress"),
                "{what}"
            );
            Ok(())
        })
    });
}

#[test]
fn a_guard_that_was_taken_off_by_force_is_missed() {
    Site::test(|site| {
        let mut guard = Guard::start(&site.server, Settings::default())?;
        // It would put the program back.
        guard.kill9()?;
        let pin = format!("{}/link-{}", guard.settings().pins(), Site::INTERFACE);
        sys::detach_link(&site.lab.folder().outside(&pin))?;
        doctor(site, &guard)?.expect_code(1)?.expect(
            "interface_unguarded",
            Site::INTERFACE,
            "error",
        )?;
        Ok(())
    });
}

#[test]
fn interfaces_with_an_address_are_covered_or_told() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        ensure!(
            doctor(site, &guard)?
                .findings("interface_uncovered")
                .is_empty()
        );
        site.server.ip(&[
            "link add eth1 type veth peer name eth1p",
            "link set eth1 up",
            "addr add 203.0.113.7/24 dev eth1",
        ])?;
        let found = doctor(site, &guard)?;
        let finding = found
            .expect_code(0)?
            .expect("interface_uncovered", "eth1", "warning")?;
        ensure!(
            finding["what"].to_string().contains("203.0.113.7/24"),
            "{finding:#}"
        );
        guard.cli(&["doctor", "--strict"])?.expect(1)?;
        Ok(())
    });
}

#[test]
fn servers_on_odd_ports_are_open_and_told() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        doctor(site, &guard)?.expect("ftp_server", "", "info")?;
        let odd = servers::Settings {
            port: 2121,
            ..servers::Settings::default()
        };
        let server = FtpServer::start(Make::Vsftpd, &site.server, &odd)?;
        let found = doctor(site, &guard)?;
        let finding = found.expect_code(1)?.expect("ftp_port", "", "error")?;
        let fix = finding["fix"].to_string();
        ensure!(fix.contains("[21, 990, 2121]"), "{fix}");
        drop(server);

        // Python by what it is told to run, and on loopback no danger.
        let listen = "import socket, time\n\
                      s = socket.create_server(('127.0.0.1', 2122), backlog=50)\n\
                      time.sleep(600)";
        let mut python = Command::new("python3");
        python.args(["-c", listen, "pyftpdlib"]);
        let _python = site.server.spawn(python)?;
        wait_until("python listens", LIMIT, || {
            let found = doctor(site, &guard)?;
            Ok(found
                .finding("ftp_port", "127.0.0.1:2122")
                .is_ok()
                .then_some(()))
        })?;
        let found = doctor(site, &guard)?;
        found
            .expect_code(0)?
            .expect("ftp_port", "127.0.0.1:2122", "info")?;
        Ok(())
    });
}

#[test]
fn sysctls_are_told_and_their_commands_mend_them() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let interface = Site::INTERFACE;
        for name in ["tcp_syncookies", "tcp_timestamps", "conf/all/rp_filter"] {
            site.server.sysctl(&format!("net/ipv4/{name}"), "0")?;
        }
        site.server
            .sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "0")?;
        let found = doctor(site, &guard)?;
        found.expect_code(0)?;
        for (id, subject, severity) in [
            ("sysctl_syncookies", "", "warning"),
            ("sysctl_timestamps", "", "info"),
            ("sysctl_rp_filter", interface, "info"),
        ] {
            mend(site, found.expect(id, subject, severity)?)?;
            doctor(site, &guard)?.expect(id, subject, "ok")?;
        }
        Ok(())
    });
}

#[test]
fn offloads_are_told_and_their_commands_mend_them() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        let interface = Site::INTERFACE;
        shell(site, &format!("ethtool -K {interface} rxvlan on"))?;
        let found = doctor(site, &guard)?;
        mend(site, found.expect("offload_rx_vlan", interface, "info")?)?;
        doctor(site, &guard)?.expect("offload_rx_vlan", interface, "ok")?;
        Ok(())
    });
}

#[test]
fn native_mode_is_missed_where_a_driver_does_not_have_it() {
    Site::test(|site| {
        // The driver of veth runs programs only with as many queues here as the other end sends on.
        site.server.ip(&[
            "link add eth1 numrxqueues 1 numtxqueues 1 type veth peer name eth1p numrxqueues 2 \
             numtxqueues 2",
            "link set eth1 up",
            "addr add 203.0.113.7/24 dev eth1",
        ])?;
        for (xdp_mode, severity, code) in [
            ("auto", "warning", 0),
            ("native", "error", 1),
            ("generic", "info", 0),
        ] {
            let settings = Settings {
                interfaces: vec!["eth1".to_owned()],
                xdp_mode,
                ..Settings::default()
            };
            let guard = Guard::prepare(&site.server, settings)?;
            doctor(site, &guard)?
                .expect_code(code)?
                .expect("native_xdp", "eth1", severity)?;
        }
        // What it says is true.
        let settings = Settings {
            interfaces: vec!["eth1".to_owned()],
            xdp_mode: "native",
            ..Settings::default()
        };
        let guard = Guard::prepare(&site.server, settings)?;
        ensure!(!guard.run_in_vain(Identity::Root)?.success());
        Ok(())
    });
}

#[test]
fn jumbo_frames_fit_where_the_driver_passes_several_buffers() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        site.set_mtu(9000)?;
        let found = doctor(site, &guard)?;
        let finding = found.expect_code(0)?.expect("mtu", Site::INTERFACE, "ok")?;
        ensure!(
            finding["what"].to_string().contains("several buffers"),
            "{finding:#}"
        );
        Ok(())
    });
}

#[test]
fn rules_of_others_are_found_and_their_commands_take_them_off() {
    Site::test(|site| {
        let guard = Guard::prepare(&site.server, Settings::default())?;
        for line in [
            "nft add table inet t",
            "nft 'add ct helper inet t f { type \"ftp\" protocol tcp; }'",
            "nft 'add chain inet t c { type filter hook prerouting priority 0; }'",
            "nft 'add rule inet t c tcp dport 21 ct helper set \"f\"'",
        ] {
            shell(site, line)?;
        }
        let found = doctor(site, &guard)?;
        let finding = found
            .expect_code(0)?
            .expect("conntrack_ftp", "", "warning")?;
        ensure!(
            finding["what"].to_string().contains("inet t c"),
            "{finding:#}"
        );
        mend(site, finding)?;
        doctor(site, &guard)?.expect("conntrack_ftp", "", "ok")?;

        shell(
            site,
            "iptables -t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp",
        )?;
        let found = doctor(site, &guard)?;
        mend(site, found.expect("conntrack_ftp", "", "warning")?)?;
        doctor(site, &guard)?.expect("conntrack_ftp", "", "ok")?;

        doctor(site, &guard)?.expect("fail2ban", "", "ok")?;
        shell(site, "iptables -N f2b-vsftpd")?;
        let found = doctor(site, &guard)?;
        let finding = found.expect_code(0)?.expect("fail2ban", "", "warning")?;
        ensure!(
            finding["fix"].to_string().contains("[vsftpd]"),
            "{finding:#}"
        );
        Ok(())
    });
}
