//! Changes of the allowlist by command: first on disk, then in the kernel, and in both or neither.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use ftp_guard_common::allow::EntryKind;
use ipnet::IpNet;
use jiff::Timestamp;

use super::{guard::Guard, inputs::Lists, kernel::Kernel, wanted::Wanted};
use crate::{
    config::Config,
    control::{
        protocol::{DiagnosticView, EntrySettings, Failure, Host, Prefix},
        view::{AddReport, AddedNameView, AddedView, RemoveReport},
    },
    datapath::check_room,
    engine::{
        allowlist::{AllowSet, Entry, HostEntry, check_label, expires_s, import_list},
        names::MARK,
    },
    store,
};

impl<K: Kernel> Guard<K> {
    /// `allow add` of prefixes.
    ///
    /// # Errors
    ///
    /// As for [`Guard::allow_add_all`].
    pub fn allow_add(
        &mut self,
        prefixes: &[Prefix],
        settings: &EntrySettings,
    ) -> Result<AddReport, Failure> {
        self.allow_add_all(prefixes, &[], settings)
    }

    /// `allow add`.
    ///
    /// # Errors
    ///
    /// Settings that no entry can have, an entry of another file that says something else, a
    /// mistake in a file, a disk or kernel that refuses. Nothing has changed then.
    pub fn allow_add_all(
        &mut self,
        prefixes: &[Prefix],
        names: &[Host],
        settings: &EntrySettings,
    ) -> Result<AddReport, Failure> {
        if settings.exclude && !names.is_empty() {
            return Err(Failure::usage(
                "a name cannot be excluded: whoever runs its DNS, or breaks it, would decide who is kept \
                 out; exclude its prefix",
            ));
        }
        let profile = settings
            .profile
            .as_deref()
            .unwrap_or(Config::DEFAULT_PROFILE);
        if self.config.profile_number(profile).is_none() {
            return Err(Failure::failed(format!(
                "there is no profile `{profile}`; add [profile.{profile}] to {}",
                self.config.path.display()
            )));
        }
        if let Some(label) = &settings.label {
            check_label(label).map_err(Failure::usage)?;
        }
        if let Some(expires) = settings.expires {
            let past = expires <= Timestamp::now();
            if past || expires_s(expires).is_none() {
                return Err(Failure::usage(format!(
                    "an entry cannot expire at {expires}: that is {}",
                    if past { "over" } else { "too far away" }
                )));
            }
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(prefixes.len());
        for Prefix(prefix) in prefixes {
            if entries.iter().all(|entry| entry.prefix != *prefix) {
                entries.push(Entry {
                    kind: if settings.exclude {
                        EntryKind::Exclude
                    } else {
                        EntryKind::Allow
                    },
                    profile: profile.to_owned(),
                    expires: settings.expires,
                    label: settings.label.clone(),
                    ..Entry::allow(*prefix)
                });
            }
        }
        let mut hosts: Vec<HostEntry> = Vec::with_capacity(names.len());
        for Host(name) in names {
            if hosts.iter().all(|entry| entry.name != *name) {
                hosts.push(HostEntry {
                    name: name.clone(),
                    profile: profile.to_owned(),
                    expires: settings.expires,
                    label: settings.label.clone(),
                    file: Arc::from(Path::new("")),
                    line: 0,
                });
            }
        }
        self.add(entries, hosts, true)
    }

    /// `allow import`.
    ///
    /// # Errors
    ///
    /// A mistake in the text, or as for [`Guard::allow_add`].
    pub fn allow_import(&mut self, name: &Path, text: &str) -> Result<AddReport, Failure> {
        let profiles = |profile: &str| self.config.profile_number(profile);
        let (entries, hosts) = import_list(name, text, &profiles)?;
        self.add(entries, hosts, false)
    }

    /// `tell`: the report names each entry.
    fn add(
        &mut self,
        entries: Vec<Entry>,
        hosts: Vec<HostEntry>,
        tell: bool,
    ) -> Result<AddReport, Failure> {
        let edit = Edit::begin(&self.config, &self.set)?;
        let prefixes: BTreeSet<IpNet> = entries.iter().map(|entry| entry.prefix).collect();
        let known = edit.set.entries_of(&prefixes);
        let mut report = AddReport::default();
        let mut outcomes = Vec::with_capacity(entries.len());
        let mut conflicts = Vec::new();
        for entry in &entries {
            outcomes.push(match known.get(&entry.prefix) {
                None => {
                    report.added += 1;
                    "added"
                }
                Some(listed) if says(listed, entry) => {
                    report.present += 1;
                    "present"
                }
                Some(listed) if *listed.file == *edit.path => {
                    report.changed += 1;
                    "changed"
                }
                Some(listed) => {
                    conflicts.push(elsewhere(listed, "is listed here with other settings"));
                    "conflict"
                }
            });
        }
        let mut host_outcomes = Vec::with_capacity(hosts.len());
        for entry in &hosts {
            let known = edit.set.host(&entry.name);
            let says = |listed: &HostEntry| {
                listed.same_settings(entry)
                    && (entry.label.is_none() || entry.label == listed.label)
            };
            host_outcomes.push(match known {
                None => {
                    report.added += 1;
                    "added"
                }
                Some(listed) if says(listed) => {
                    report.present += 1;
                    "present"
                }
                Some(listed) if *listed.file == *edit.path => {
                    report.changed += 1;
                    "changed"
                }
                Some(listed) => {
                    let what = "is listed here with other settings";
                    conflicts.push(host_elsewhere(listed, what));
                    "conflict"
                }
            });
        }
        refuse(conflicts, "change it there")?;
        let text = edit.lists.text(&edit.path).unwrap_or_default();
        let missing: Vec<Entry> = entries
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| **outcome != "present")
            .map(|(entry, _)| entry.clone())
            .collect();
        let missing_hosts: Vec<HostEntry> = hosts
            .iter()
            .zip(&host_outcomes)
            .filter(|(_, outcome)| **outcome != "present")
            .map(|(entry, _)| entry.clone())
            .collect();
        let edited = store::add_entries(text, &missing);
        let with_hosts = store::add_entries(edited.as_deref().unwrap_or(text), &missing_hosts);
        let text = with_hosts.or(edited);
        let set = self.commit(edit, text)?;
        if !tell {
            return Ok(report);
        }
        let known = set.entries_of(&prefixes);
        report.entries = entries
            .iter()
            .zip(outcomes)
            .filter_map(|(entry, outcome)| {
                let listed = known.get(&entry.prefix)?;
                Some(AddedView {
                    prefix: entry.prefix,
                    outcome: outcome.to_owned(),
                    file: listed.file.to_path_buf(),
                    line: listed.line,
                })
            })
            .collect();
        report.names = hosts
            .iter()
            .zip(host_outcomes)
            .filter_map(|(entry, outcome)| {
                let listed = set.host(&entry.name)?;
                Some(AddedNameView {
                    host: entry.name.to_string(),
                    outcome: outcome.to_owned(),
                    file: listed.file.to_path_buf(),
                    line: listed.line,
                })
            })
            .collect();
        Ok(report)
    }

    /// `allow remove` of prefixes.
    ///
    /// # Errors
    ///
    /// As for [`Guard::allow_remove_all`].
    pub fn allow_remove(&mut self, prefixes: &[Prefix]) -> Result<RemoveReport, Failure> {
        self.allow_remove_all(prefixes, &[])
    }

    /// `allow remove`.
    ///
    /// # Errors
    ///
    /// An entry that stands in another file than that of the command line; else as for
    /// [`Guard::allow_add`].
    pub fn allow_remove_all(
        &mut self,
        prefixes: &[Prefix],
        names: &[Host],
    ) -> Result<RemoveReport, Failure> {
        let edit = Edit::begin(&self.config, &self.set)?;
        let mut report = RemoveReport::default();
        let mut edited: Option<String> = None;
        for Prefix(prefix) in prefixes {
            let text = edited.as_deref().or_else(|| edit.lists.text(&edit.path));
            let known = edit.set.contains(prefix);
            if known && !report.removed.contains(prefix) {
                report.removed.push(*prefix);
            } else if !known && !report.absent.contains(prefix) {
                report.absent.push(*prefix);
            }
            if let Some(shorter) = store::remove_prefix(text.unwrap_or_default(), prefix) {
                edited = Some(shorter);
            }
        }
        for Host(name) in names {
            let text = edited.as_deref().or_else(|| edit.lists.text(&edit.path));
            let list = match edit.set.host(name) {
                Some(_) => &mut report.removed_names,
                None => &mut report.absent_names,
            };
            if !list.iter().any(|known| known == name.as_str()) {
                list.push(name.as_str().to_owned());
            }
            if let Some(shorter) = store::remove_host(text.unwrap_or_default(), name) {
                edited = Some(shorter);
            }
        }
        let after = match &edited {
            Some(text) => edit
                .lists
                .with(&edit.path, text.clone())
                .parse_after(&edit.set, &self.config)?,
            None => edit.set.clone(),
        };
        let elsewhere = prefixes
            .iter()
            .filter_map(|prefix| after.get(&prefix.0))
            .map(|listed| elsewhere(&listed, ELSEWHERE))
            .chain(
                names
                    .iter()
                    .filter_map(|name| after.host(&name.0))
                    .map(|listed| host_elsewhere(listed, ELSEWHERE)),
            )
            .collect();
        refuse(
            elsewhere,
            "remove that line, or add an exclusion for a part of it",
        )?;
        self.commit(edit, edited)?;
        Ok(report)
    }

    /// Writes the new text of the command line's file, if there is one, and brings the kernel to
    /// what all files then say.
    fn commit(&mut self, edit: Edit, text: Option<String>) -> Result<&AllowSet, Failure> {
        let (lists, set) = match &text {
            Some(text) => {
                let lists = edit.lists.with(&edit.path, text.clone());
                let set = lists.parse_after(&edit.set, &self.config)?;
                (lists, set)
            }
            None => (edit.lists.clone(), edit.set.clone()),
        };
        let names = self.names.after(&self.config, &set);
        let next = Wanted {
            table: set.table_with(&names, Timestamp::now()),
            ..self.wanted.clone()
        };
        check_room(&next.table, self.at_start.allow.max_entries)?;
        if let Some(text) = &text {
            write(&edit.path, text)?;
        }
        if let Err(error) = self.change_to(next) {
            if text.is_some() {
                let before = edit.lists.text(&edit.path);
                restore(&edit.path, before);
            }
            return Err(error.into());
        }
        if text.is_some() {
            let (file, count) = (edit.path.display(), self.wanted.table.len());
            tracing::info!("allowlist changed by command, {file} written; {count} entries");
        }
        self.fingerprint.note_lists(&lists);
        self.names.take(names, &self.config);
        self.set = set;
        Ok(&self.set)
    }
}

/// The files as they are at the beginning of a change.
struct Edit {
    lists: Lists,
    set: AllowSet,
    /// The file of the command line.
    path: PathBuf,
}

impl Edit {
    fn begin(config: &Config, before: &AllowSet) -> Result<Self, Failure> {
        let lists = Lists::read(&config.allow)?;
        Ok(Self {
            set: lists.parse_after(before, config)?,
            path: lists.path_of(&config.allow.cli_file),
            lists,
        })
    }
}

/// Whether `listed` says all that `entry` asks for; an entry without a label takes any.
fn says(listed: &Entry, entry: &Entry) -> bool {
    listed.same_settings(entry) && (entry.label.is_none() || entry.label == listed.label)
}

const ELSEWHERE: &str = "is listed here, not in the command line's file";

fn elsewhere(listed: &Entry, what: &str) -> (String, DiagnosticView) {
    place(listed.prefix.to_string(), &listed.file, listed.line, what)
}

fn host_elsewhere(listed: &HostEntry, what: &str) -> (String, DiagnosticView) {
    let subject = format!("{MARK}{}", listed.name);
    place(subject, &listed.file, listed.line, what)
}

fn place(subject: String, file: &Path, line: u32, what: &str) -> (String, DiagnosticView) {
    let diagnostic = DiagnosticView {
        file: file.to_path_buf(),
        line,
        column: 1,
        message: format!("{subject} {what}"),
    };
    (subject, diagnostic)
}

fn refuse(found: Vec<(String, DiagnosticView)>, advice: &str) -> Result<(), Failure> {
    let message = match found.as_slice() {
        [] => return Ok(()),
        [(prefix, _)] => format!("{prefix} stands in another file: {advice}; nothing was changed"),
        [(prefix, _), rest @ ..] => format!(
            "{prefix} and {} more stand in other files: {advice}; nothing was changed",
            rest.len()
        ),
    };
    Err(Failure {
        diagnostics: found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect(),
        ..Failure::failed(message)
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
    }
    store::write_atomically(path, text).map_err(|error| Failure::failed(error.to_string()))
}

/// Puts the file back as it was, after the kernel refused what it says.
fn restore(path: &Path, before: Option<&str>) {
    let restored = match before {
        Some(text) => store::write_atomically(path, text),
        None => std::fs::remove_file(path),
    };
    if let Err(error) = restored {
        let path = path.display();
        tracing::error!(
            "{path}: the kernel refused the change, and it is still in the file: {error}"
        );
    }
}
