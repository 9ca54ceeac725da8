//! The files that decide what is enforced: the configuration and the allowlists.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{AllowConfig, Config, PortRange},
    control::protocol::Failure,
    engine::{
        allowlist::{AllowSet, ProfileNumbers},
        detect::vulnerabilities::Vulnerabilities,
    },
    server_config::{self, Origin},
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
}

impl Inputs {
    /// Reads the configuration at `path`, and the allowlists and the table of vulnerabilities that it names.
    ///
    /// # Errors
    ///
    /// All mistakes in the configuration, or else all mistakes in the table of vulnerabilities, or in the allowlists, or the first
    /// file that cannot be read.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let config = Config::load(path)?;
        let look = server_config::look(&config);
        let passive = look.ranges?;
        let fingerprint = Fingerprint::of(path, &config);
        let vulnerabilities = store::read_vulnerabilities(config.detect.cve_file.as_deref())?;
        let set = Lists::read(&config.allow)?.parse(&config)?;
        Ok(Self {
            config,
            passive,
            origins: look.origins,
            set,
            vulnerabilities: Arc::new(vulnerabilities),
            fingerprint,
        })
    }

    /// Keeps the numbers of profiles that the kernel's entries may have.
    pub fn keep_numbers(&mut self, known: &ProfileNumbers) {
        self.config.keep_numbers(known);
        let config = &self.config;
        self.set.renumber(&|name| config.profile_number(name));
    }
}

/// The allowlist files by path, as text.
#[derive(Clone, Debug)]
pub struct Lists(BTreeMap<PathBuf, String>);

impl Lists {
    /// Reads all of them.
    ///
    /// # Errors
    ///
    /// The first file that cannot be read.
    pub fn read(config: &AllowConfig) -> Result<Self, Failure> {
        Ok(Self(store::read_allowlists(config)?.into_iter().collect()))
    }

    /// All entries.
    ///
    /// # Errors
    ///
    /// All mistakes in all files.
    pub fn parse(&self, config: &Config) -> Result<AllowSet, Failure> {
        let files = self.0.iter().map(|(path, text)| (&**path, &**text));
        Ok(AllowSet::parse(files, &|name| config.profile_number(name))?)
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
        self.0.get(path).map(String::as_str)
    }

    /// The same files, one of them with another text.
    #[must_use]
    pub fn with(&self, path: &Path, text: String) -> Self {
        let mut lists = self.0.clone();
        lists.insert(path.to_owned(), text);
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
    /// Reads the files at this moment.
    pub fn of(config_path: &Path, config: &Config) -> Self {
        let mut files = BTreeMap::new();
        let mut unreadable = None;
        match std::fs::read(config_path) {
            Ok(text) => {
                files.insert(config_path.to_owned(), hash(&text));
            }
            Err(error) => unreadable = Some(error.to_string()),
        }
        match store::read_allowlists(&config.allow) {
            Ok(lists) => files.extend(
                lists
                    .into_iter()
                    .map(|(path, text)| (path, hash(text.as_bytes()))),
            ),
            Err(error) => unreadable = Some(error.to_string()),
        }
        let places = server_config::look(config).places;
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
        for (path, text) in &lists.0 {
            self.files.insert(path.clone(), hash(text.as_bytes()));
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

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
