//! The guard over a kernel that is a few maps and notes what is done to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    path::PathBuf,
};

use ftp_guard_common::{
    allow::AllowValue,
    class::{Family, PortClass},
    config::Mode,
    ports::PortTable,
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{guard::Guard, inputs::Inputs, kernel::Kernel, reload::Cause, start::start};
use crate::{
    config::XdpChoice,
    control::protocol::{EntrySettings, ModeName, Prefix, Question},
    datapath::{AttachMode, Attachment, DatapathError, Judgement},
    engine::allowlist::{AllowTable, Change},
    netlink::Interface,
};

type Result<T> = std::result::Result<T, DatapathError>;

/// A kernel in memory. An operation whose name is in `broken` fails.
#[derive(Debug, Default)]
struct Fake {
    table: AllowTable,
    mode: Mode,
    attached: BTreeMap<String, XdpChoice>,
    pinned: BTreeSet<String>,
    host: BTreeMap<String, u32>,
    broken: BTreeSet<&'static str>,
    log: Vec<String>,
}

impl Fake {
    fn with_interfaces(names: &[&str]) -> Self {
        let host = names
            .iter()
            .zip(1..)
            .map(|(name, index)| ((*name).to_owned(), index));
        Self {
            host: host.collect(),
            ..Self::default()
        }
    }

    fn step(&mut self, name: &'static str, what: &str) -> Result<()> {
        if self.broken.contains(name) {
            return Err(DatapathError::Kernel {
                what: name.to_owned(),
                source: Box::new(io::Error::other("broken on purpose")),
            });
        }
        self.log.push(format!("{name} {what}").trim().to_owned());
        Ok(())
    }
}

impl Kernel for Fake {
    fn mode(&self) -> Result<Mode> {
        Ok(self.mode)
    }

    fn set_mode(&mut self, mode: Mode) -> Result<()> {
        self.step("mode", mode.as_str())?;
        self.mode = mode;
        Ok(())
    }

    fn set_ports(&mut self, _: &PortTable) -> Result<()> {
        self.step("ports", "")
    }

    fn refresh_clock(&mut self) -> Result<()> {
        Ok(())
    }

    fn allow_table(&self) -> Result<AllowTable> {
        Ok(self.table.clone())
    }

    fn apply(&mut self, changes: &[Change], wanted: &AllowTable) -> Result<()> {
        self.step("apply", &changes.len().to_string())?;
        for change in changes {
            match change {
                Change::Insert(prefix, value) => self.table.insert(*prefix, *value),
                Change::Remove(prefix) => self.table.remove(prefix),
            };
        }
        assert_eq!(self.table, *wanted, "the plan leads elsewhere");
        Ok(())
    }

    fn lookup(&self, source: IpAddr) -> Result<Option<(IpNet, AllowValue)>> {
        let covering = self
            .table
            .iter()
            .filter(|(prefix, _)| prefix.contains(&source));
        Ok(covering
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(prefix, value)| (*prefix, *value)))
    }

    fn attach(&mut self, interface: &str, choice: XdpChoice) -> Result<Attachment> {
        self.step("attach", interface)?;
        self.attached.insert(interface.to_owned(), choice);
        self.pinned.insert(interface.to_owned());
        Ok(attachment(interface, self.host[interface]))
    }

    fn detach_interface(&mut self, interface: &str) -> Result<bool> {
        self.step("detach", interface)?;
        self.pinned.remove(interface);
        Ok(self.attached.remove(interface).is_some())
    }

    fn attachments(&self) -> Result<Vec<Attachment>> {
        Ok(self
            .attached
            .keys()
            .filter_map(|name| Some(attachment(name, *self.host.get(name)?)))
            .collect())
    }

    fn pinned_interfaces(&self) -> Result<Vec<String>> {
        Ok(self.pinned.iter().cloned().collect())
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>> {
        Ok(Vec::new())
    }

    fn explain(&mut self, frame: &[u8]) -> Result<Judgement> {
        assert!(frame.len() > 50);
        Ok(Judgement {
            verdict: Verdict::Drop,
            reason: Reason::NotListed,
            class: PortClass::Control,
            family: Family::Ipv4,
        })
    }

    fn detach_all(self) -> Result<Vec<String>> {
        Ok(self.pinned.into_iter().collect())
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        let interface = |name: &String| Interface {
            name: name.clone(),
            loopback: false,
            addressed: true,
        };
        Ok(self.host.keys().map(interface).collect())
    }

    fn index_of(&self, interface: &str) -> Option<u32> {
        self.host.get(interface).copied()
    }
}

fn attachment(interface: &str, ifindex: u32) -> Attachment {
    Attachment {
        interface: interface.to_owned(),
        ifindex,
        mode: AttachMode::Native,
        program_id: 7,
    }
}

/// A folder with a configuration and allowlists.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(interfaces: &str) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(files.path("allow.d")).unwrap();
        files.configure(interfaces, "enforce");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, interfaces: &str, mode: &str) {
        let pattern = self.path("allow.d/*.list");
        let text = format!(
            "# kept\nmode = \"{mode}\"\ninterfaces = {interfaces}\n[ftp]\npassive_ports = []\n\
             [allow]\nfiles = [{pattern:?}]\n"
        );
        std::fs::write(self.path("guard.toml"), text).unwrap();
    }

    fn list(&self, name: &str, text: &str) {
        std::fs::write(self.path("allow.d").join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn guard(&self, kernel: Fake) -> Guard<Fake> {
        self.try_guard(kernel, false).unwrap()
    }

    fn try_guard(
        &self,
        kernel: Fake,
        adopted: bool,
    ) -> std::result::Result<Guard<Fake>, crate::control::protocol::Failure> {
        let inputs = Inputs::load(&self.path("guard.toml"))?;
        start(kernel, inputs, adopted, &self.path("guard.sock"))
    }
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn listed(guard: &Guard<Fake>) -> Vec<String> {
    guard.kernel.table.keys().map(ToString::to_string).collect()
}

#[test]
fn the_tables_are_filled_before_anything_is_attached() {
    let files = Files::new(r#"["eth0", "eth1"]"#);
    files.configure(r#"["eth0", "eth1"]"#, "monitor");
    files.list("a.list", "192.0.2.1\n");
    let guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    assert_eq!(
        guard.kernel.log,
        [
            "ports",
            "apply 1",
            "mode monitor",
            "attach eth0",
            "attach eth1"
        ]
    );
}

#[test]
fn a_successor_writes_the_difference_and_leaves_interfaces_that_are_no_longer_wanted() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n192.0.2.2\n");
    let mut kernel = files.guard(Fake::with_interfaces(&["eth0", "eth9"])).kernel;
    kernel.attach("eth9", XdpChoice::Auto).unwrap();
    kernel.log.clear();
    files.list("a.list", "192.0.2.2\n192.0.2.3\n");
    let guard = files.try_guard(kernel, true).unwrap();
    assert_eq!(
        guard.kernel.log,
        ["ports", "apply 2", "attach eth0", "detach eth9"]
    );
}

#[test]
fn a_missing_interface_stops_the_start_and_names_the_others() {
    let files = Files::new(r#"["eth0", "eth5"]"#);
    let failure = files
        .try_guard(Fake::with_interfaces(&["eth0", "lo"]), false)
        .unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(
        failure
            .message
            .contains("no interface `eth5` (there are: eth0, lo)"),
        "{failure}"
    );
}

#[test]
fn a_reload_applies_the_difference_and_tells_it() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n192.0.2.2\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    guard.kernel.log.clear();
    files.list("a.list", "192.0.2.2\n192.0.2.3\n192.0.2.4\n");
    files.configure(r#"["eth1"]"#, "monitor");
    let report = guard.reload(Cause::Command).unwrap();
    assert_eq!((report.inserted, report.removed, report.entries), (2, 1, 3));
    assert_eq!(report.mode, Some(ModeName::Monitor));
    assert_eq!(
        (report.attached, report.detached),
        (vec!["eth1".into()], vec!["eth0".into()])
    );
    assert_eq!(
        guard.kernel.log,
        ["apply 3", "mode monitor", "attach eth1", "detach eth0"]
    );
    assert!(!guard.reload(Cause::Command).unwrap().changed());
}

#[test]
fn a_mistake_refuses_the_reload_whole() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.log.clear();
    files.list("a.list", "192.0.2.1\n192.0.2.300\n");
    files.list("b.list", "192.0.2.9 colour=red\n");
    files.configure(r#"["eth0"]"#, "monitor");
    let failure = guard.reload(Cause::Command).unwrap_err();
    assert_eq!(failure.exit_code, 78);
    let places: Vec<_> = failure
        .diagnostics
        .iter()
        .map(|d| (d.line, d.column))
        .collect();
    assert_eq!(places, [(2, 1), (1, 11)]);
    assert_eq!(guard.kernel.log, Vec::<String>::new());
    assert!(!guard.status().unwrap().daemon.unwrap().last_reload.success);
    files.list("a.list", "192.0.2.1\n");
    files.list("b.list", "");
    assert!(guard.reload(Cause::Command).is_ok());
}

#[test]
fn what_the_kernel_refuses_halfway_is_undone() {
    for broken in ["mode", "attach"] {
        let files = Files::new(r#"["eth0"]"#);
        files.list("a.list", "192.0.2.1\n");
        let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
        files.list("a.list", "192.0.2.2\n");
        files.configure(r#"["eth0", "eth1"]"#, "monitor");
        guard.kernel.broken.insert(broken);
        let failure = guard.reload(Cause::Command).unwrap_err();
        assert_eq!(failure.exit_code, 1, "{broken}: {failure}");
        assert_eq!(listed(&guard), ["192.0.2.1/32"], "{broken}");
        assert_eq!(guard.kernel.mode, Mode::Enforce, "{broken}");
        assert_eq!(
            guard.kernel.pinned,
            BTreeSet::from(["eth0".to_owned()]),
            "{broken}"
        );
        guard.kernel.broken.clear();
        let report = guard.reload(Cause::Command).unwrap();
        assert_eq!((report.inserted, report.removed), (1, 1), "{broken}");
    }
}

#[test]
fn keys_that_only_a_start_reads_are_named() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let mut text = files.read("guard.toml");
    text.push_str("max_entries = 7\n[metrics]\nlisten = \"off\"\n");
    std::fs::write(files.path("guard.toml"), text).unwrap();
    let report = guard.reload(Cause::Command).unwrap();
    assert_eq!(
        report.restart_needed,
        ["metrics.listen", "allow.max_entries"]
    );
}

#[test]
fn an_added_entry_is_on_disk_and_in_the_kernel() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "# ours\n192.0.2.1 label=\"one\"\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let settings = EntrySettings::default();
    let report = guard
        .allow_add(&[prefix("192.0.2.1"), prefix("192.0.2.9")], &settings)
        .unwrap();
    assert_eq!((report.added, report.present), (1, 1));
    assert_eq!(report.entries[0].line, 2, "where it stands already");
    assert_eq!(files.read("allow.d/cli.list"), "192.0.2.9\n");
    assert_eq!(listed(&guard), ["192.0.2.1/32", "192.0.2.9/32"]);
    let again = guard.allow_add(&[prefix("192.0.2.9")], &settings).unwrap();
    assert_eq!((again.added, again.present), (0, 1));
}

#[test]
fn an_entry_that_another_file_contradicts_is_refused_with_its_place() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "# ours\n192.0.2.1\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let exclude = EntrySettings {
        exclude: true,
        ..EntrySettings::default()
    };
    let both = [prefix("192.0.2.9"), prefix("192.0.2.1")];
    let failure = guard.allow_add(&both, &exclude).unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert_eq!(failure.diagnostics.len(), 1);
    assert!(
        failure.diagnostics[0]
            .to_string()
            .contains("a.list:2:1: 192.0.2.1/32")
    );
    assert!(
        !files.path("allow.d/cli.list").exists(),
        "none of them is added"
    );
}

#[test]
fn an_entry_of_the_command_line_is_changed_by_adding_it_again() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard
        .allow_add(&[prefix("192.0.2.0/24")], &EntrySettings::default())
        .unwrap();
    let exclude = EntrySettings {
        exclude: true,
        label: Some("no \"more\"".into()),
        ..EntrySettings::default()
    };
    let report = guard
        .allow_add(&[prefix("192.0.2.0/24")], &exclude)
        .unwrap();
    assert_eq!((report.added, report.changed), (0, 1));
    assert_eq!(
        files.read("allow.d/cli.list"),
        "!192.0.2.0/24 label=\"no \\\"more\\\"\"\n"
    );
    assert!(guard.kernel.table[&prefix("192.0.2.0/24").0].excludes());
}

#[test]
fn an_entry_that_the_kernel_refuses_does_not_stay_on_disk() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.broken.insert("apply");
    let settings = EntrySettings::default();
    assert!(guard.allow_add(&[prefix("192.0.2.1")], &settings).is_err());
    assert!(!files.path("allow.d/cli.list").exists());
    files.list("cli.list", "# mine\n");
    assert!(guard.allow_add(&[prefix("192.0.2.1")], &settings).is_err());
    assert_eq!(files.read("allow.d/cli.list"), "# mine\n");
}

#[test]
fn removing_is_for_the_command_lines_own_entries() {
    let files = Files::new(r#"["eth0"]"#);
    files.list("a.list", "192.0.2.1\n");
    files.list("cli.list", "# mine\n192.0.2.2\n192.0.2.3\n");
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let failure = guard
        .allow_remove(&[prefix("192.0.2.2"), prefix("192.0.2.1")])
        .unwrap_err();
    assert_eq!(failure.exit_code, 1);
    assert!(
        failure.diagnostics[0]
            .to_string()
            .contains("a.list:1:1: 192.0.2.1/32")
    );
    assert_eq!(listed(&guard).len(), 3, "all or nothing");

    let report = guard
        .allow_remove(&[prefix("192.0.2.2"), prefix("192.0.2.77")])
        .unwrap();
    assert_eq!(report.removed, [prefix("192.0.2.2").0]);
    assert_eq!(report.absent, [prefix("192.0.2.77").0]);
    assert_eq!(files.read("allow.d/cli.list"), "# mine\n192.0.2.3\n");
    assert_eq!(listed(&guard), ["192.0.2.1/32", "192.0.2.3/32"]);
}

#[test]
fn an_import_is_whole_or_nothing() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let name = PathBuf::from("partners.txt");
    let failure = guard
        .allow_import(&name, "192.0.2.1\n192.0.2.2 profile=none\n")
        .unwrap_err();
    assert_eq!(failure.exit_code, 78);
    assert!(
        failure.diagnostics[0]
            .to_string()
            .starts_with("partners.txt:2:")
    );
    assert!(listed(&guard).is_empty());
    let report = guard
        .allow_import(&name, "# all\n192.0.2.0/24\n!192.0.2.2\n2001:db8::/32\n")
        .unwrap();
    assert_eq!(report.added, 3);
    assert_eq!(
        listed(&guard),
        ["192.0.2.0/24", "192.0.2.2/32", "2001:db8::/32"]
    );
}

#[test]
fn the_mode_is_written_to_the_file_and_the_kernel() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    assert!(guard.mode(Some(ModeName::Monitor)).unwrap().changed);
    assert!(
        files
            .read("guard.toml")
            .starts_with("# kept\nmode = \"monitor\"\n")
    );
    assert_eq!(guard.kernel.mode, Mode::Monitor);
    assert!(!guard.mode(Some(ModeName::Monitor)).unwrap().changed);
    guard.kernel.broken.insert("mode");
    assert!(guard.mode(Some(ModeName::Enforce)).is_err());
    assert!(files.read("guard.toml").contains("mode = \"monitor\""));
}

#[test]
fn ones_own_writing_is_no_reason_to_reload() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard
        .allow_add(&[prefix("192.0.2.1")], &EntrySettings::default())
        .unwrap();
    guard.mode(Some(ModeName::Monitor)).unwrap();
    guard.files_changed();
    assert_eq!(guard.reloads.applied, 0);
    files.list("cli.list", "192.0.2.2\n");
    guard.files_changed();
    assert_eq!(guard.reloads.applied, 1);
    assert_eq!(listed(&guard), ["192.0.2.2/32"]);
}

#[test]
fn a_foreign_edit_beside_a_change_of_mode_is_still_read() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    files.configure(r#"["eth0", "eth1"]"#, "enforce");
    guard.mode(Some(ModeName::Monitor)).unwrap();
    guard.files_changed();
    assert!(guard.kernel.attached.contains_key("eth1"));
    assert_eq!(guard.kernel.mode, Mode::Monitor);
}

#[test]
fn expired_entries_are_swept_and_come_back_with_the_clock() {
    let files = Files::new(r#"["eth0"]"#);
    let now = Timestamp::now();
    let later = now + SignedDuration::from_secs(30);
    files.list("a.list", &format!("192.0.2.1 expires={later}\n192.0.2.2\n"));
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.tick(now + SignedDuration::from_secs(10));
    assert_eq!(listed(&guard).len(), 2);
    guard.tick(now + SignedDuration::from_secs(40));
    assert_eq!(listed(&guard), ["192.0.2.2/32"]);
    guard.tick(now + SignedDuration::from_secs(5));
    assert_eq!(listed(&guard).len(), 2, "the clock was set back");
}

#[test]
fn a_sweep_that_failed_is_tried_again() {
    let files = Files::new(r#"["eth0"]"#);
    let now = Timestamp::now();
    let later = now + SignedDuration::from_secs(30);
    files.list("a.list", &format!("192.0.2.1 expires={later}\n"));
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.broken.insert("apply");
    guard.tick(now + SignedDuration::from_secs(40));
    assert_eq!(listed(&guard).len(), 1);
    guard.kernel.broken.clear();
    guard.tick(now + SignedDuration::from_secs(41));
    assert!(listed(&guard).is_empty());
}

#[test]
fn an_interface_that_comes_back_is_attached_again() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0"]));
    guard.kernel.host.clear();
    guard.kernel.attached.clear();
    guard.follow_interfaces();
    assert_eq!(guard.status().unwrap().missing_interfaces, ["eth0"]);
    guard.kernel.host.insert("eth0".into(), 9);
    guard.kernel.broken.insert("attach");
    guard.follow_interfaces();
    assert!(guard.kernel.attached.is_empty());
    guard.kernel.broken.clear();
    guard.follow_interfaces();
    assert!(guard.kernel.attached.contains_key("eth0"));
    guard.kernel.log.clear();
    guard.follow_interfaces();
    assert!(guard.kernel.log.is_empty(), "once is enough");
}

#[test]
fn a_reload_goes_through_while_an_interface_is_away() {
    let files = Files::new(r#"["eth0", "eth1"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    guard.kernel.host.remove("eth1");
    guard.kernel.attached.remove("eth1");
    files.list("a.list", "192.0.2.1\n");
    assert_eq!(guard.reload(Cause::Command).unwrap().inserted, 1);
    files.configure(r#"["eth0", "eth1", "eth2"]"#, "enforce");
    let failure = guard.reload(Cause::Command).unwrap_err();
    assert!(failure.message.contains("`eth2`"), "{failure}");
}

#[test]
fn a_test_names_the_entry_and_tells_expired_from_unlisted() {
    let files = Files::new(r#"["eth0"]"#);
    files.list(
        "a.list",
        "192.0.2.0/24\n!192.0.2.7\n198.51.100.0/24 expires=2020-01-01T00:00:00Z\n",
    );
    let guard = files.guard(Fake::with_interfaces(&["eth0"]));
    let test = |address: &str| guard.allow_test(address.parse().unwrap()).unwrap();
    let reasons = ["192.0.2.1", "192.0.2.7", "198.51.100.1", "203.0.113.1"].map(|address| {
        (
            test(address).reason,
            test(address).entry.map(|entry| entry.line),
        )
    });
    assert_eq!(
        reasons,
        [
            ("listed".into(), Some(1)),
            ("excluded".into(), Some(2)),
            ("expired".into(), Some(3)),
            ("not_listed".into(), None)
        ]
    );
    let active: Vec<_> = guard
        .allow_list()
        .unwrap()
        .iter()
        .map(|e| e.active)
        .collect();
    assert_eq!(active, [true, true, false]);
}

#[test]
fn an_explanation_says_whether_the_interface_is_covered() {
    let files = Files::new(r#"["eth0"]"#);
    let mut guard = files.guard(Fake::with_interfaces(&["eth0", "eth1"]));
    let mut question = Question {
        source: "192.0.2.1".parse().unwrap(),
        destination: None,
        port: 21,
        flags: 2,
        vlans: vec![],
        interface: Some("eth1".into()),
    };
    assert!(!guard.explain(&question).unwrap().covered);
    question.interface = Some("eth0".into());
    assert!(guard.explain(&question).unwrap().covered);
    question.interface = Some("eth7".into());
    assert_eq!(guard.explain(&question).unwrap_err().exit_code, 1);
    question.interface = None;
    question.destination = Some("2001:db8::1".parse().unwrap());
    assert_eq!(guard.explain(&question).unwrap_err().exit_code, 2);
}
