//! Rules of nftables and iptables that do what the guard does, and fail2ban.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{Known, Unseen};

/// The longest list of rules that is read, in bytes.
const LONGEST: u64 = 64 << 20;

const FAIL2BAN_SOCKET: &str = "/run/fail2ban/fail2ban.sock";

/// A rule that hands connections to the FTP helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConntrackRule {
    /// Where it is.
    pub place: String,
    /// The command that removes it.
    pub remove: String,
}

/// Rules of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// Whether nf_conntrack_ftp is loaded as a module.
    pub module: Known<bool>,
    /// Whether the kernel hands connections to helpers by port (before 6.0).
    pub automatic: bool,
    /// Rules that use the helper.
    pub rules: Vec<ConntrackRule>,
    /// Names of fail2ban's jails that have rules.
    pub jails: BTreeSet<String>,
    /// Lists of rules that could not be read.
    pub unseen: Vec<Unseen>,
    /// Whether fail2ban runs.
    pub fail2ban: bool,
}

impl Firewall {
    pub(super) fn gather() -> Self {
        let automatic = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_helper");
        let mut firewall = Self {
            module: module(fs::read_to_string("/proc/modules")),
            automatic: automatic.is_ok_and(|text| text.trim() == "1"),
            rules: Vec::new(),
            jails: BTreeSet::new(),
            unseen: Vec::new(),
            fail2ban: Path::new(FAIL2BAN_SOCKET).exists(),
        };
        match output("nft", &["-j", "list", "ruleset"]) {
            Ok(Some(json)) => firewall.read_nft(&json),
            Ok(None) => {}
            Err(unseen) => firewall.unseen.push(unseen),
        }
        for family in ["iptables", "ip6tables"] {
            match output(&format!("{family}-save"), &[]) {
                Ok(Some(text)) => firewall.read_iptables(family, &text),
                Ok(None) => {}
                Err(unseen) => firewall.unseen.push(unseen),
            }
        }
        firewall
    }

    fn read_nft(&mut self, json: &str) {
        let Ok(ruleset) = serde_json::from_str::<Value>(json) else {
            self.unseen.push(Unseen {
                what: "the rules of nftables".to_owned(),
                because: "what nft says is no JSON".to_owned(),
                denied: false,
            });
            return;
        };
        let objects = ruleset["nftables"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let helpers: BTreeMap<String, String> = objects
            .iter()
            .filter_map(|object| object.get("ct helper"))
            .map(|helper| (text(helper, "name"), text(helper, "type")))
            .collect();
        for object in objects {
            if let Some(set) = object.get("set") {
                self.jails.extend(jail_of_set(&text(set, "name")));
            } else if let Some(chain) = object.get("chain") {
                self.jails.extend(jail_of_chain(&text(chain, "name")));
            } else if let Some(rule) = object.get("rule") {
                if !uses_ftp(rule, &helpers) {
                    continue;
                }
                let place = ["family", "table", "chain"]
                    .map(|key| text(rule, key))
                    .join(" ");
                self.rules.push(ConntrackRule {
                    remove: format!("nft delete rule {place} handle {}", rule["handle"]),
                    place: format!("nftables, chain {place}"),
                });
            }
        }
    }

    fn read_iptables(&mut self, family: &str, text: &str) {
        let mut table = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('*') {
                table = name;
            } else if let Some(chain) = line.strip_prefix(':') {
                let name = chain.split(' ').next().unwrap_or_default();
                self.jails.extend(jail_of_chain(name));
            } else if let Some(rule) = line.strip_prefix("-A ") {
                let words: Vec<&str> = rule.split(' ').collect();
                if words.windows(2).any(|pair| pair == ["--helper", "ftp"]) {
                    self.rules.push(ConntrackRule {
                        place: format!("{family}, table {table}: {line}"),
                        remove: format!("{family} -t {table} -D {rule}"),
                    });
                }
                // Sets of ipset that a jail fills.
                let sets = words.windows(2).filter(|pair| pair[0] == "--match-set");
                self.jails
                    .extend(sets.filter_map(|pair| jail_of_chain(pair[1])));
            }
        }
    }
}

fn uses_ftp(rule: &Value, helpers: &BTreeMap<String, String>) -> bool {
    let statements = rule["expr"].as_array().map_or(&[][..], Vec::as_slice);
    statements.iter().any(|statement| {
        match statement.get("ct helper") {
            // A map from something to helpers is taken for one that has it.
            Some(Value::String(name)) => helpers.get(name).is_none_or(|kind| kind == "ftp"),
            Some(_) => helpers.values().any(|kind| kind == "ftp"),
            None => false,
        }
    })
}

/// The jail of a set as fail2ban's nftables actions name it.
fn jail_of_set(name: &str) -> Option<String> {
    name.strip_prefix("addr-set-")
        .or_else(|| name.strip_prefix("addr6-set-"))
        .map(str::to_owned)
}

/// The jail of a chain as fail2ban's iptables actions name it.
fn jail_of_chain(name: &str) -> Option<String> {
    let jail = name.strip_prefix("f2b-")?;
    // The one chain of the nftables actions.
    (jail != "chain").then(|| jail.to_owned())
}

fn module(text: io::Result<String>) -> Known<bool> {
    match text {
        Ok(text) => Ok(text
            .lines()
            .any(|line| line.starts_with("nf_conntrack_ftp "))),
        // A kernel without modules.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Unseen::io("/proc/modules", &error)),
    }
}

/// What a program prints; nothing where it is not installed.
fn output(program: &str, arguments: &[&str]) -> Known<Option<String>> {
    let what = format!("the rules that {program} lists");
    // Users other than root often do not have it in their PATH.
    for folder in ["", "/usr/sbin/", "/sbin/"] {
        let mut command = Command::new(format!("{folder}{program}"));
        command.args(arguments).stdin(Stdio::null());
        return match run(command) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let because = error.to_string();
                // Programs say it in their own words.
                let denied = ["ermission denied", "ermitted", "root"]
                    .iter()
                    .any(|words| because.contains(words));
                Err(Unseen {
                    what,
                    because,
                    denied,
                })
            }
        };
    }
    Ok(None)
}

fn run(mut command: Command) -> io::Result<String> {
    let mut errors = tempfile::tempfile()?;
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::from(errors.try_clone()?));
    let mut child = command.spawn()?;
    let mut bytes = Vec::new();
    let read = match child.stdout.take() {
        Some(pipe) => pipe.take(LONGEST).read_to_end(&mut bytes),
        None => Ok(0),
    };
    // The pipe is closed: whoever still writes ends by that.
    let status = child.wait()?;
    read?;
    if bytes.len() as u64 == LONGEST {
        return Err(io::Error::other("there are too many to be read"));
    }
    if !status.success() {
        let mut said = String::new();
        io::Seek::rewind(&mut errors)?;
        errors.take(4096).read_to_string(&mut said)?;
        let said = said.lines().next().unwrap_or("it failed").trim().to_owned();
        return Err(io::Error::other(said));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Firewall {
        pub(in crate::doctor) fn none() -> Self {
            Self {
                module: Ok(false),
                automatic: false,
                rules: Vec::new(),
                jails: BTreeSet::new(),
                unseen: Vec::new(),
                fail2ban: false,
            }
        }
    }

    #[test]
    fn rules_of_nftables_are_read() {
        let json = r#"{"nftables": [{"metainfo": {}},
            {"ct helper": {"family": "inet", "name": "f", "table": "t", "type": "ftp"}},
            {"ct helper": {"family": "inet", "name": "s", "table": "t", "type": "sip"}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3,
                "expr": [{"match": {}}, {"ct helper": "f"}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 4,
                "expr": [{"ct helper": "s"}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 5,
                "expr": [{"accept": null}]}},
            {"set": {"family": "inet", "name": "addr-set-vsftpd", "table": "f2b-table"}},
            {"chain": {"family": "inet", "table": "f2b-table", "name": "f2b-chain"}},
            {"chain": {"family": "ip", "table": "filter", "name": "f2b-sshd"}}]}"#;
        let mut firewall = Firewall::none();
        firewall.read_nft(json);
        let removals: Vec<_> = firewall.rules.iter().map(|rule| &rule.remove).collect();
        assert_eq!(removals, ["nft delete rule inet t c handle 3"]);
        assert_eq!(firewall.jails, ["sshd", "vsftpd"].map(str::to_owned).into());
        firewall.read_nft("Error");
        assert_eq!(firewall.unseen.len(), 1);
    }

    #[test]
    fn rules_of_iptables_are_read() {
        let text = "# Generated\n*raw\n:PREROUTING ACCEPT [0:0]\n\
                    -A PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp\n\
                    -A PREROUTING -p udp -m udp --dport 69 -j CT --helper tftp\nCOMMIT\n\
                    *filter\n:f2b-proftpd - [0:0]\n\
                    -A INPUT -m set --match-set f2b-pure-ftpd src -j DROP\nCOMMIT\n";
        let mut firewall = Firewall::none();
        firewall.read_iptables("iptables", text);
        assert_eq!(
            firewall.rules,
            [ConntrackRule {
                place: "iptables, table raw: -A PREROUTING -p tcp -m tcp --dport 21 -j CT \
                        --helper ftp"
                    .to_owned(),
                remove: "iptables -t raw -D PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp"
                    .to_owned(),
            }]
        );
        let jails = ["proftpd", "pure-ftpd"].map(str::to_owned).into();
        assert_eq!(firewall.jails, jails);
    }

    #[test]
    fn modules_are_found_by_their_whole_name() {
        let text = "nf_nat_ftp 20480 0 - Live 0x0\nnf_conntrack_ftp 24576 1 nf_nat_ftp, Live\n";
        assert_eq!(module(Ok(text.to_owned())), Ok(true));
        let other = "nf_conntrack_ftp_x 1 0\n".to_owned();
        assert_eq!(module(Ok(other)), Ok(false));
    }

    #[test]
    fn programs_fail_in_their_own_words() {
        assert_eq!(output("no-such-program-here", &[]), Ok(None));
        let denied = output("sh", &["-c", "echo 'Operation not permitted' >&2; exit 1"]);
        let unseen = denied.unwrap_err();
        assert!(unseen.denied && unseen.because == "Operation not permitted");
        assert_eq!(output("echo", &["x"]), Ok(Some("x\n".to_owned())));
    }
}
