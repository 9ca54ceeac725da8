//! The kinds that transfers and commands are counted by: few, and the same ones for ever, whatever a peer
//! sends.

use crate::engine::monitor::{
    record::{Direction, TransferRecord},
    verb::Verb,
};

/// What a transfer moves, by the end of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeClass {
    /// Several files in one, packed or as an image of a disk.
    Archive,
    /// Documents of offices.
    Document,
    /// Pictures.
    Image,
    /// Plain text, and what is written in it.
    Text,
    /// Programs and scripts, those of web servers among them.
    Executable,
    /// Sound and film.
    Media,
    /// Tables, dumps, and what programs exchange.
    Data,
    /// The path has no ending, or nothing has a path: a listing.
    None,
    /// Any other ending.
    Other,
    /// The path cannot be read: TLS.
    Hidden,
}

/// Endings of each class, in small letters.
pub const ENDINGS: [(TypeClass, &[&str]); 7] = [
    (
        TypeClass::Archive,
        &[
            "7z", "ace", "arj", "bz2", "cab", "cpio", "gz", "img", "iso", "lha", "lz", "lz4",
            "lzh", "lzma", "qcow2", "rar", "tar", "tbz2", "tgz", "txz", "vhd", "vhdx", "vmdk",
            "xz", "z", "zip", "zst",
        ],
    ),
    (
        TypeClass::Document,
        &[
            "doc", "docm", "docx", "dot", "dotx", "epub", "odp", "ods", "odt", "pdf", "pps", "ppt",
            "pptm", "pptx", "ps", "rtf", "vsd", "xls", "xlsb", "xlsm", "xlsx",
        ],
    ),
    (
        TypeClass::Image,
        &[
            "ai", "bmp", "cr2", "dcm", "dng", "eps", "gif", "heic", "ico", "jpeg", "jpg", "nef",
            "png", "psd", "raw", "svg", "tif", "tiff", "webp",
        ],
    ),
    (
        TypeClass::Text,
        &[
            "asc", "cfg", "conf", "css", "htm", "html", "ini", "log", "md", "rst", "tex", "toml",
            "txt", "yaml", "yml",
        ],
    ),
    (
        TypeClass::Executable,
        &[
            "apk", "appimage", "asp", "aspx", "bat", "bin", "cgi", "class", "cmd", "com", "deb",
            "dll", "dmg", "elf", "exe", "hta", "jar", "js", "jsp", "ko", "lnk", "msi", "msix",
            "php", "phtml", "pl", "pkg", "ps1", "py", "rb", "rpm", "run", "scr", "sh", "so", "sys",
            "vbs", "war", "wsf",
        ],
    ),
    (
        TypeClass::Media,
        &[
            "aac", "avi", "flac", "flv", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg",
            "mts", "mxf", "ogg", "opus", "ts", "wav", "webm", "wma", "wmv",
        ],
    ),
    (
        TypeClass::Data,
        &[
            "accdb", "avro", "bak", "csv", "dat", "db", "dbf", "dump", "edi", "ics", "json",
            "jsonl", "mdb", "mdf", "orc", "parquet", "sqlite", "sql", "tsv", "vcf", "xml",
        ],
    ),
];

impl TypeClass {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Archive,
        Self::Document,
        Self::Image,
        Self::Text,
        Self::Executable,
        Self::Media,
        Self::Data,
        Self::None,
        Self::Other,
        Self::Hidden,
    ];

    /// The class of a transfer.
    #[must_use]
    pub fn of(transfer: &TransferRecord) -> Self {
        match (transfer.direction, transfer.file_type.as_deref()) {
            (Direction::Hidden, _) => Self::Hidden,
            (Direction::Listing, _) | (_, None | Some("")) => Self::None,
            (_, Some(ending)) => Self::of_ending(ending),
        }
    }

    /// The class of what a path ends with behind its last dot, in small letters.
    #[must_use]
    pub fn of_ending(ending: &str) -> Self {
        let found = ENDINGS.iter().find(|(_, all)| all.contains(&ending));
        found.map_or(Self::Other, |(class, _)| *class)
    }

    /// The name in JSON, metrics and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Document => "document",
            Self::Image => "image",
            Self::Text => "text",
            Self::Executable => "executable",
            Self::Media => "media",
            Self::Data => "data",
            Self::None => "none",
            Self::Other => "other",
            Self::Hidden => "hidden",
        }
    }
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerbClass {
    /// Who somebody is.
    Login,
    /// Files, there and back.
    Transfer,
    /// Lists of files.
    Listing,
    /// Where in the tree.
    Navigate,
    /// Changes to files and folders.
    Modify,
    /// Asks for a passive port.
    Passive,
    /// Names an active one.
    Active,
    /// TLS and other protection.
    Tls,
    /// What the server or a file is.
    Info,
    /// Any other that a standard or a server in use has.
    Other,
    /// Any that none has.
    Unknown,
}

const VERBS: [(VerbClass, &[&str]); 9] = [
    (
        VerbClass::Login,
        &[
            "ACCT", "HOST", "P@SW", "PASS", "QUIT", "REIN", "USER", "XRSQ",
        ],
    ),
    (
        VerbClass::Transfer,
        &[
            "ABOR", "ALLO", "APPE", "COMB", "RANG", "REST", "RETR", "STOR", "STOU",
        ],
    ),
    (
        VerbClass::Listing,
        &["LIST", "MLSD", "MLST", "NLST", "STAT"],
    ),
    (
        VerbClass::Navigate,
        &["CDUP", "CWD", "PWD", "SMNT", "XCUP", "XCWD", "XPWD"],
    ),
    (
        VerbClass::Modify,
        &[
            "DELE", "MFCT", "MFF", "MFMT", "MKD", "RMD", "RMDA", "RNFR", "RNTO", "XMKD", "XRMD",
        ],
    ),
    (
        VerbClass::Passive,
        &["CPSV", "EPSV", "LPSV", "PASV", "SPSV"],
    ),
    (VerbClass::Active, &["EPRT", "LPRT", "PORT"]),
    (
        VerbClass::Tls,
        &[
            "ADAT", "AUTH", "CCC", "CONF", "ENC", "MIC", "PBSZ", "PROT", "SSCN",
        ],
    ),
    (
        VerbClass::Info,
        &[
            "AVBL", "CLNT", "CSID", "DSIZ", "FEAT", "HASH", "HELP", "MD5", "MDTM", "MMD5", "SIZE",
            "SYST", "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512",
        ],
    ),
];

impl VerbClass {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Login,
        Self::Transfer,
        Self::Listing,
        Self::Navigate,
        Self::Modify,
        Self::Passive,
        Self::Active,
        Self::Tls,
        Self::Info,
        Self::Other,
        Self::Unknown,
    ];

    /// The class of a verb.
    #[must_use]
    pub fn of(verb: Verb) -> Self {
        if verb == Verb::UNKNOWN {
            return Self::Unknown;
        }
        let found = VERBS.iter().find(|(_, verbs)| verb.is(verbs));
        found.map_or(Self::Other, |(class, _)| *class)
    }

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Transfer => "transfer",
            Self::Listing => "listing",
            Self::Navigate => "navigate",
            Self::Modify => "modify",
            Self::Passive => "passive",
            Self::Active => "active",
            Self::Tls => "tls",
            Self::Info => "info",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_of_one_class() {
        let mut all: Vec<&str> = ENDINGS
            .iter()
            .flat_map(|(_, e)| e.iter().copied())
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(TypeClass::of_ending("tgz"), TypeClass::Archive);
        assert_eq!(TypeClass::of_ending("php"), TypeClass::Executable);
        assert_eq!(TypeClass::of_ending("whatever"), TypeClass::Other);
    }

    #[test]
    fn verbs_are_of_one_class_and_known() {
        for (class, verbs) in VERBS {
            for verb in verbs {
                assert_eq!(VerbClass::of(Verb::of(verb.as_bytes())), class, "{verb}");
            }
        }
        assert_eq!(VerbClass::of(Verb::of(b"noop")), VerbClass::Other);
        assert_eq!(VerbClass::of(Verb::of(b"hunter2")), VerbClass::Unknown);
    }

    #[test]
    fn numbers_are_places() {
        for (number, class) in TypeClass::ALL.iter().enumerate() {
            assert_eq!(*class as usize, number);
        }
        for (number, class) in VerbClass::ALL.iter().enumerate() {
            assert_eq!(*class as usize, number);
        }
    }
}
