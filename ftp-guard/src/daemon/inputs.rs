//! The files that decide what is enforced: the configuration and the allowlists.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    config::{AllowConfig, Config, PortRange},
    control::protocol::Failure,
    diagnostic::{Diagnostic, Diagnostics},
    engine::{
        allowlist::{AllowSet, ListText, ProfileNumbers},
        detect::vulnerabilities::Vulnerabilities,
    },
    server_config::{self, Origin, Places},
    store,
};

/// Everything that was read, checked.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The configuration.
    pub config: Config,
    /// The passive ports that it means.
    pub passive: Vec<PortRange>,
    /// Where they come from, when they come from servers.
    pub origins: Vec<Origin>,
    /// The entries of all allowlist files.
    pub set: AllowSet,
    /// Known vulnerabilities of FTP servers.
    pub vulnerabilities: Arc<Vulnerabilities>,
    /// What the files held.
    pub fingerprint: Fingerprint,
    /// How long it took to read them.
    pub took: Duration,
}

impl Inputs {
    /// Reads the configuration at `path`, and the allowlists and the table of vulnerabilities that it names.
    ///
    /// # Errors
    ///
    /// All mistakes in the configuration, or else all mistakes in the table of vulnerabilities, or in the allowlists, or the first
    /// file that cannot be read.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        Self::load_after(path, &AllowSet::default(), &ProfileNumbers::default(), None)
    }

    /// The same, at the cost of what has changed since `before` was read; profiles keep the numbers that
    /// are known. Allowlists that have just been read are not read again if the configuration still names the same.
    ///
    /// # Errors
    ///
    /// As for [`Inputs::load`].
    pub fn load_after(
        path: &Path,
        before: &AllowSet,
        known: &ProfileNumbers,
        read: Option<(&AllowConfig, Lists)>,
    ) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut config = Config::load(path)?;
        config.keep_numbers(known);
        let look = server_config::look(&config);
        let passive = look.ranges?;
        let vulnerabilities = store::read_vulnerabilities(config.detect.cve_file.as_deref())?;
        let mut fingerprint = Fingerprint::of_others(path, look.places);
        let lists = match read {
            Some((named, lists)) if *named == config.allow => lists,
            _ => Lists::read(&config.allow)?,
        };
        fingerprint.note_lists(&lists);
        let set = lists.parse_after(before, &config)?;
        Ok(Self {
            config,
            passive,
            origins: look.origins,
            set,
            vulnerabilities: Arc::new(vulnerabilities),
            fingerprint,
            took: started.elapsed(),
        })
    }

    /// Keeps the numbers of profiles that the kernel's entries may have.
    pub fn keep_numbers(&mut self, known: &ProfileNumbers) {
        let before = self.config.clone();
        self.config.keep_numbers(known);
        let pairs = before.profile_numbers();
        let moved: BTreeMap<u16, u16> = pairs
            .filter_map(|(name, number)| Some((number, self.config.profile_number(name)?)))
            .collect();
        self.set
            .renumber(&|number| moved.get(&number).copied().unwrap_or(number));
    }
}

/// The allowlist files by path, as text and its hash.
#[derive(Clone, Debug)]
pub struct Lists(BTreeMap<PathBuf, (ListText, u64)>);

impl Lists {
    /// Reads all of them.
    ///
    /// # Errors
    ///
    /// The first file that cannot be read.
    pub fn read(config: &AllowConfig) -> Result<Self, Failure> {
        Ok(Self::of(store::read_allowlists(config, store::PATIENCE)?))
    }

    fn of(read: Vec<(PathBuf, String)>) -> Self {
        let noted = |(path, text): (PathBuf, String)| {
            let hash = hash(text.as_bytes());
            let list = ListText::new(&path, text);
            (path, (list, hash))
        };
        Self(read.into_iter().map(noted).collect())
    }

    /// All entries, at the cost of what has changed since `before` was read.
    ///
    /// # Errors
    ///
    /// All mistakes in all files.
    pub fn parse_after(&self, before: &AllowSet, config: &Config) -> Result<AllowSet, Failure> {
        let files = self.0.values().map(|(list, _)| list.clone()).collect();
        let set = before.updated(files, &|name| config.profile_number(name))?;
        let most = config.names.max_names;
        match set.hosts().get(most as usize) {
            None => Ok(set),
            Some(first) => Err(Failure::from(Diagnostics(vec![Diagnostic {
                file: first.file.to_path_buf(),
                line: first.line,
                column: 1,
                message: format!(
                    "{} names are listed, and names.max_names is {most}: this is the first that is too much",
                    set.hosts().len()
                ),
            }]))),
        }
    }

    /// The path under which the file of the command line stands here: a pattern may have led to it
    /// by another way.
    pub fn path_of(&self, cli_file: &Path) -> PathBuf {
        if self.0.contains_key(cli_file) {
            return cli_file.to_owned();
        }
        let Ok(wanted) = cli_file.canonicalize() else {
            return cli_file.to_owned();
        };
        self.0
            .keys()
            .find(|path| path.canonicalize().is_ok_and(|path| path == wanted))
            .cloned()
            .unwrap_or_else(|| cli_file.to_owned())
    }

    /// The text of a file, if it exists.
    pub fn text(&self, path: &Path) -> Option<&str> {
        self.0.get(path).map(|(list, _)| list.text.as_str())
    }

    /// The same files, one of them with another text.
    #[must_use]
    pub fn with(&self, path: &Path, text: String) -> Self {
        let mut lists = self.0.clone();
        let hash = hash(text.as_bytes());
        lists.insert(path.to_owned(), (ListText::new(path, text), hash));
        Self(lists)
    }
}

/// What the files held, as hashes: tells a change from the echo of one's own writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    files: BTreeMap<PathBuf, u64>,
    /// Configurations of FTP servers; `None`: not there, or not readable.
    servers: BTreeMap<PathBuf, Option<u64>>,
    /// Patterns of such files.
    server_patterns: BTreeSet<String>,
    unreadable: Option<String>,
}

impl Fingerprint {
    /// Reads the files at this moment, the allowlists with this [patience](store::read_allowlists); with the allowlists,
    /// if they can be read.
    pub fn of(config_path: &Path, config: &Config, patience: Duration) -> (Self, Option<Lists>) {
        let mut found = Self::of_others(config_path, server_config::look(config).places);
        match store::read_allowlists(&config.allow, patience) {
            Ok(read) => {
                let lists = Lists::of(read);
                found.note_lists(&lists);
                (found, Some(lists))
            }
            Err(error) => {
                found.unreadable = Some(error.to_string());
                (found, None)
            }
        }
    }

    /// Without the allowlists.
    fn of_others(config_path: &Path, places: Places) -> Self {
        let mut files = BTreeMap::new();
        let mut unreadable = None;
        match std::fs::read(config_path) {
            Ok(text) => {
                files.insert(config_path.to_owned(), hash(&text));
            }
            Err(error) => unreadable = Some(error.to_string()),
        }
        let text_hash = |text: Option<String>| text.map(|text| hash(text.as_bytes()));
        Self {
            files,
            servers: places
                .files
                .into_iter()
                .map(|(path, text)| (path, text_hash(text)))
                .collect(),
            server_patterns: places.patterns,
            unreadable,
        }
    }

    /// Whether a file that held something else `before` was written to within this time: whoever writes in place may not
    /// be done.
    pub fn is_fresh(&self, before: &Self, time: Duration) -> bool {
        let files = (self.files.iter())
            .filter(|(path, hash)| before.files.get(*path) != Some(*hash))
            .map(|(path, _)| path);
        let servers = (self.servers.iter())
            .filter(|(path, hash)| before.servers.get(*path) != Some(*hash))
            .map(|(path, _)| path);
        files.chain(servers).any(|path| {
            let written = std::fs::metadata(path).and_then(|metadata| metadata.modified());
            store::is_within(written.ok(), time)
        })
    }

    /// The configurations of FTP servers that were looked at.
    pub fn server_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.servers.keys()
    }

    /// Patterns of such configurations.
    pub fn server_patterns(&self) -> impl Iterator<Item = &String> {
        self.server_patterns.iter()
    }

    /// Notes that these allowlists are in force.
    pub fn note_lists(&mut self, lists: &Lists) {
        for (path, (_, hash)) in &lists.0 {
            self.files.insert(path.clone(), *hash);
        }
    }

    /// Notes that the text of a file was replaced. An older text that was never in force is still
    /// to be read, so that nothing is noted then.
    pub fn note_replaced(&mut self, path: &Path, before: &str, after: &str) {
        if self.files.get(path) == Some(&hash(before.as_bytes())) {
            self.files.insert(path.to_owned(), hash(after.as_bytes()));
        }
    }
}

/// A hash that takes a few milliseconds for a list of a million entries. Nobody gains anything by two
/// texts that share one: who can write the files can write what they like into them.
fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(FACTOR);
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_ne_bytes(*word));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let state = words.fold(!(bytes.len() as u64), |state, word| {
        // A state of zero would swallow what comes next.
        fold(state, word).wrapping_add(FACTOR)
    });
    fold(state, u64::from_ne_bytes(last))
}
