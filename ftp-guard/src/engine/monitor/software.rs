//! What servers say that they are: in their greeting (220), and in what they answer to SYST (215), FEAT and STAT
//! (211) and HELP (214).

use super::{
    record::Software,
    text::{find, shown},
};

/// Longest version that is kept, in bytes.
const MOST_VERSION: usize = 32;

/// How the version stands behind a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// It is the next word that begins with a digit, and no other word but `v`, `version`, `server` and the like
    /// stands between.
    Behind,
    /// The server never says it.
    None,
}

/// Marks by which servers are known, in small letters; the first that is found counts. Behind it the name.
const MARKS: [(&str, &str, Version); 62] = [
    ("vsftpd", "vsftpd", Version::Behind),
    ("proftpd", "proftpd", Version::Behind),
    ("pure-ftpd", "pure-ftpd", Version::Behind),
    ("pyftpdlib", "pyftpdlib", Version::Behind),
    ("filezilla server", "filezilla server", Version::Behind),
    ("emulated by filezilla", "filezilla server", Version::None),
    (
        "microsoft ftp service",
        "microsoft ftp service",
        Version::Behind,
    ),
    ("wu-ftpd", "wu-ftpd", Version::Behind),
    ("version wu-", "wu-ftpd", Version::Behind),
    ("bftpd", "bftpd", Version::Behind),
    ("guildftpd", "guildftpd", Version::Behind),
    ("serv-u", "serv-u", Version::Behind),
    ("titan ftp server", "titan ftp server", Version::Behind),
    ("core ftp server", "core ftp server", Version::Behind),
    ("core ftp", "core ftp server", Version::Behind),
    ("crushftp", "crushftp", Version::Behind),
    ("glftpd", "glftpd", Version::Behind),
    ("wing ftp server", "wing ftp server", Version::Behind),
    (
        "cerberus ftp server",
        "cerberus ftp server",
        Version::Behind,
    ),
    ("xlight ftp server", "xlight", Version::Behind),
    ("xlight server", "xlight", Version::Behind),
    ("xlight", "xlight", Version::Behind),
    ("slimftpd", "slimftpd", Version::Behind),
    ("war-ftpd", "warftpd", Version::Behind),
    ("warftpd", "warftpd", Version::Behind),
    ("warftp", "warftpd", Version::Behind),
    ("freefloat", "freefloat", Version::Behind),
    ("pcman", "pcman", Version::Behind),
    ("uftpd", "uftpd", Version::Behind),
    ("busybox", "busybox ftpd", Version::Behind),
    ("ftpd.py", "ftpd.py", Version::Behind),
    ("freeftpd", "freeftpd", Version::Behind),
    ("ws_ftp server", "ws_ftp server", Version::Behind),
    ("gnu inetutils", "inetutils-ftpd", Version::Behind),
    ("netbsd-ftpd", "netbsd-ftpd", Version::Behind),
    ("linux-ftpd", "linux-ftpd", Version::Behind),
    ("tnftpd", "tnftpd", Version::Behind),
    ("mod_ftp/", "mod_ftp", Version::Behind),
    ("libunftp", "unftp", Version::Behind),
    ("unftp", "unftp", Version::Behind),
    ("sftpgo", "sftpgo", Version::Behind),
    ("lightftp", "lightftp", Version::Behind),
    ("gene6 ftp server", "gene6 ftp server", Version::Behind),
    ("zftpserver", "zftpserver", Version::Behind),
    ("raidenftpd", "raidenftpd", Version::Behind),
    (
        "quick 'n easy ftp server",
        "quick 'n easy ftp server",
        Version::Behind,
    ),
    ("quick 'n easy", "quick 'n easy ftp server", Version::Behind),
    (
        "easy file sharing ftp server",
        "easy file sharing ftp server",
        Version::Behind,
    ),
    ("bisonware", "bisonware", Version::None),
    ("3cdaemon", "3cdaemon", Version::Behind),
    (
        "konica minolta ftp utility",
        "konica minolta ftp utility",
        Version::Behind,
    ),
    ("golden ftp server", "golden ftp server", Version::Behind),
    ("home ftp server", "home ftp server", Version::Behind),
    ("ability server", "ability server", Version::Behind),
    ("vxworks", "vxworks", Version::Behind),
    ("globalscape", "globalscape eft", Version::Behind),
    ("gridftp server", "gridftp server", Version::Behind),
    ("ncftpd", "ncftpd", Version::Behind),
    ("twoftpd", "twoftpd", Version::Behind),
    ("oftpd", "oftpd", Version::Behind),
    ("troll-ftpd", "troll-ftpd", Version::Behind),
    ("goftpd", "goftpd", Version::Behind),
];

/// What a line of a reply says of the server, if anything.
pub(super) fn software(line: &[u8]) -> Option<Software> {
    let (mark, product, version) = MARKS
        .iter()
        .filter_map(|(mark, product, version)| {
            let place = find_word(line, mark.as_bytes())?;
            Some((place + mark.len(), *product, *version))
        })
        .next()?;
    let version = match version {
        Version::Behind => number(&line[mark..]),
        Version::None => None,
    };
    Some(Software {
        product: product.to_owned(),
        version,
    })
}

/// Whether a reply with this code may say what the server is.
pub(super) fn may_say(code: u16) -> bool {
    matches!(code, 211 | 214 | 215 | 220)
}

/// Where a mark stands that no letter comes before: `bftpd` is not in `abftpd`.
fn find_word(line: &[u8], mark: &[u8]) -> Option<usize> {
    let place = find(line, mark)?;
    let is_inside = place > 0 && line[place - 1].is_ascii_alphanumeric();
    (!is_inside).then_some(place)
}

/// The version behind a name: `(vsFTPd 3.0.3)`, `ProFTPD 1.3.5rc3 Server`, `Serv-U FTP Server v6.4`,
/// `Linux-ftpd-0.17`.
fn number(text: &[u8]) -> Option<String> {
    /// What may stand between a name and its version.
    const BETWEEN: [&[u8]; 11] = [
        b"ftp",
        b"server",
        b"version",
        b"v",
        b"ver",
        b"release",
        b"edition",
        b"for",
        b"winsock",
        b"ftp-server",
        b"s",
    ];
    let is_break = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'_');
    for word in text.split(is_break).filter(|word| !word.is_empty()) {
        let word = match word {
            [b'v' | b'V', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => rest,
            _ => word,
        };
        if word[0].is_ascii_digit() {
            let word = word.strip_suffix(b".").unwrap_or(word);
            let version = shown(&word[..word.len().min(MOST_VERSION)], MOST_VERSION);
            return Some(version);
        }
        if !BETWEEN.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return None;
        }
    }
    None
}

/// Whether `new` says more than what is known.
pub(super) fn says_more(known: Option<&Software>, new: &Software) -> bool {
    match known {
        None => true,
        Some(known) => {
            known.product == new.product && known.version.is_none() && new.version.is_some()
        }
    }
}

#[cfg(test)]
#[path = "tests/software.rs"]
mod tests;
