//! Changes of the allowlist by command: first on disk, then in the kernel, and in both or neither.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ftp_guard_common::allow::EntryKind;
use ipnet::IpNet;
use jiff::Timestamp;

use super::{guard::Guard, inputs::Lists, kernel::Kernel, wanted::Wanted};
use crate::{
    config::Config,
    control::{
        protocol::{DiagnosticView, EntrySettings, Failure, Prefix},
        view::{AddReport, AddedView, RemoveReport},
    },
    datapath::check_room,
    engine::allowlist::{AllowSet, Entry, check_label, expires_s, import_list},
    store,
};

impl<K: Kernel> Guard<K> {
    /// `allow add`.
    ///
    /// # Errors
    ///
    /// Settings that no entry can have, an entry of another file that says something else, a
    /// mistake in a file, a disk or kernel that refuses. Nothing has changed then.
    pub fn allow_add(
        &mut self,
        prefixes: &[Prefix],
        settings: &EntrySettings,
    ) -> Result<AddReport, Failure> {
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
        self.add(entries)
    }

    /// `allow import`.
    ///
    /// # Errors
    ///
    /// A mistake in the text, or as for [`Guard::allow_add`].
    pub fn allow_import(&mut self, name: &Path, text: &str) -> Result<AddReport, Failure> {
        let entries = import_list(name, text, &|profile| self.config.profile_number(profile))?;
        let report = self.add(entries)?;
        Ok(AddReport {
            entries: Vec::new(),
            ..report
        })
    }

    fn add(&mut self, entries: Vec<Entry>) -> Result<AddReport, Failure> {
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
        refuse(conflicts, "change it there")?;
        let text = edit.lists.text(&edit.path).unwrap_or_default();
        let missing: Vec<Entry> = entries
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| **outcome != "present")
            .map(|(entry, _)| entry.clone())
            .collect();
        let text = store::add_entries(text, &missing);
        let set = self.commit(edit, text)?;
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
        Ok(report)
    }

    /// `allow remove`.
    ///
    /// # Errors
    ///
    /// An entry that stands in another file than that of the command line; else as for
    /// [`Guard::allow_add`].
    pub fn allow_remove(&mut self, prefixes: &[Prefix]) -> Result<RemoveReport, Failure> {
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
            .map(|listed| elsewhere(&listed, "is listed here, not in the command line's file"))
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
        let next = Wanted {
            table: set.table(Timestamp::now()),
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

fn elsewhere(listed: &Entry, what: &str) -> (IpNet, DiagnosticView) {
    let diagnostic = DiagnosticView {
        file: listed.file.to_path_buf(),
        line: listed.line,
        column: 1,
        message: format!("{} {what}", listed.prefix),
    };
    (listed.prefix, diagnostic)
}

fn refuse(found: Vec<(IpNet, DiagnosticView)>, advice: &str) -> Result<(), Failure> {
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
