//! The commands that profiles refuse, as the programs have them.

use std::collections::BTreeMap;

use ftp_guard_common::{
    limits::{COMMANDS, CommandKey, READ_ONLY_COMMANDS},
    names,
    reason::Reason,
};

use super::{Datapath, DatapathError, state::Table};
use crate::config::{DeniedCommand, ProfileSettings};

/// Refused commands, and the number of the [`Reason`] of each.
pub type CommandTable = BTreeMap<CommandKey, u8>;

/// What changes files, folders or what is known of them (RFC 959, RFC 775, RFC 3659, and drafts and servers'
/// own). MDTM with a time is the programs' own rule.
const WRITING: [&str; 19] = [
    "STOR", "STOU", "APPE", "DELE", "RMD", "XRMD", "RMDA", "MKD", "XMKD", "RNFR", "RNTO", "MFMT",
    "MFCT", "MFF", "SITE", "COMB", "XCUT", "XRCP", "XDEL",
];

/// The table for these profiles.
#[must_use]
pub fn command_table<'a>(profiles: impl IntoIterator<Item = &'a ProfileSettings>) -> CommandTable {
    let mut table = CommandTable::new();
    for profile in profiles {
        if profile.read_only {
            let keys = WRITING.iter().map(|verb| CommandKey {
                profile: READ_ONLY_COMMANDS,
                verb: letters(verb),
                word: [0; 8],
            });
            table.extend(keys.map(|key| (key, Reason::ReadOnly as u8)));
        }
        let number = u32::from(profile.number);
        let keys = profile.deny_commands.iter().map(|it| key(number, it));
        table.extend(keys.map(|key| (key, Reason::CommandDenied as u8)));
    }
    table
}

fn key(profile: u32, command: &DeniedCommand) -> CommandKey {
    CommandKey {
        profile,
        verb: letters(&command.verb),
        word: command.word.as_deref().map_or([0; 8], letters),
    }
}

/// A name of at most eight letters, and zeros.
fn letters(name: &str) -> [u8; 8] {
    let mut letters = [0; 8];
    for (to, from) in letters.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    letters
}

impl Datapath {
    /// The commands that are refused, as the kernel has them.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn commands(&self) -> Result<CommandTable, DatapathError> {
        Ok(self.open_commands()?.entries()?.into_iter().collect())
    }

    /// Makes the table in the kernel this one. What it holds already is not touched, and what is new comes in
    /// before what is old goes.
    ///
    /// # Errors
    ///
    /// There are too many; the kernel refuses.
    pub fn set_commands(&mut self, wanted: &CommandTable) -> Result<(), DatapathError> {
        let mut table = self.open_commands()?;
        let found: CommandTable = table.entries()?.into_iter().collect();
        let mut room = (COMMANDS as usize).saturating_sub(found.len());
        let mut gone = found.keys().filter(|key| !wanted.contains_key(*key));
        for (key, reason) in wanted {
            match found.get(key) {
                Some(known) if known == reason => continue,
                Some(_) => {}
                None if room > 0 => room -= 1,
                None => {
                    // Old and new do not fit together.
                    if let Some(old) = gone.next() {
                        table.remove(old)?;
                    }
                }
            }
            table.set(key, reason)?;
        }
        gone.try_for_each(|key| table.remove(key).map(drop))
    }

    fn open_commands(&self) -> Result<Table<CommandKey, u8>, DatapathError> {
        Table::open(&self.pins, names::COMMANDS_MAP)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn read_only_is_written_once_and_the_rest_by_profile() {
        let text = "interfaces = [\"eth0\"]\n[ftp]\npassive_ports = []\n\
                    [profile.a]\nread_only = true\ndeny_commands = [\"site exec\"]\n\
                    [profile.b]\nread_only = true\ndeny_commands = [\"DELE\", \"RETR\"]\n";
        let config = Config::parse(Path::new("x"), text).unwrap();
        let table = command_table(config.profiles.values());
        assert_eq!(table.len(), WRITING.len() + 3);
        let (a, b) = (config.profiles["a"].number, config.profiles["b"].number);
        let key = |profile: u16, verb: &[u8; 8], word: &[u8; 8]| CommandKey {
            profile: profile.into(),
            verb: *verb,
            word: *word,
        };
        let denied = Some(&(Reason::CommandDenied as u8));
        assert_eq!(table.get(&key(a, b"SITE\0\0\0\0", b"EXEC\0\0\0\0")), denied);
        assert_eq!(table.get(&key(b, b"DELE\0\0\0\0", &[0; 8])), denied);
        assert_eq!(table.get(&key(a, b"DELE\0\0\0\0", &[0; 8])), None);
    }

    #[test]
    fn the_largest_configuration_fits() {
        let commands = |count: usize| {
            let profiles: Vec<String> = (0..count.div_ceil(50))
                .map(|number| {
                    let of = number * 50..count.min(number * 50 + 50);
                    let verbs: Vec<_> = of.map(|verb| format!("\"X{verb:04}\"")).collect();
                    format!(
                        "[profile.p{number}]\nread_only = true\ndeny_commands = [{}]\n",
                        verbs.join(", ")
                    )
                })
                .collect();
            let head = "interfaces = [\"eth0\"]\n[ftp]\npassive_ports = []\n";
            Config::parse(Path::new("x"), &format!("{head}{}", profiles.concat()))
        };
        let table = command_table(commands(4000).unwrap().profiles.values());
        assert_eq!(table.len(), 4000 + WRITING.len());
        assert!(table.len() <= COMMANDS as usize);
        assert!(commands(4001).is_err());
    }
}
