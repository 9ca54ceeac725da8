//! The verbs of FTP. A verb that is none of these is never kept: it may be a password on the wrong line.

use std::fmt::{self, Display, Formatter};

/// A verb, in capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Verb(&'static str);

impl Verb {
    /// Any that is not in [`Verb::KNOWN`].
    pub const UNKNOWN: Self = Self("unknown");

    /// RFC 959, 743, 775, 1123, 1639, 2228, 2389, 2428, 2640, 3659, 4217, 7151, and what servers and clients in
    /// use add to them. Sorted.
    pub const KNOWN: [&'static str; 88] = [
        "ABOR", "ACCT", "ADAT", "ALLO", "APPE", "AUTH", "AVBL", "CCC", "CDUP", "CLNT", "COMB",
        "CONF", "CPSV", "CSID", "CWD", "DELE", "DSIZ", "ENC", "EPRT", "EPSV", "ESTA", "ESTP",
        "FEAT", "HASH", "HELP", "HOST", "LANG", "LIST", "LPRT", "LPSV", "MD5", "MDTM", "MFCT",
        "MFF", "MFMT", "MIC", "MKD", "MLSD", "MLST", "MMD5", "MODE", "NLST", "NOOP", "OPTS",
        "P@SW", "PASS", "PASV", "PBSZ", "PORT", "PROT", "PWD", "QUIT", "RANG", "REIN", "REST",
        "RETR", "RMD", "RMDA", "RNFR", "RNTO", "SITE", "SIZE", "SMNT", "SPSV", "SSCN", "STAT",
        "STOR", "STOU", "STRU", "SYST", "THMB", "TYPE", "USER", "XCRC", "XCUP", "XCWD", "XMD5",
        "XMKD", "XPWD", "XRCP", "XRMD", "XRSQ", "XSEM", "XSEN", "XSHA", "XSHA1", "XSHA256",
        "XSHA512",
    ];

    /// The verb that these letters are, in any case.
    #[must_use]
    pub fn of(word: &[u8]) -> Self {
        let known = Self::KNOWN
            .iter()
            .find(|known| known.as_bytes().eq_ignore_ascii_case(word));
        known.map_or(Self::UNKNOWN, |known| Self(known))
    }

    /// The verb in capital letters, or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether it is one of these.
    #[must_use]
    pub fn is(self, verbs: &[&str]) -> bool {
        verbs.contains(&self.0)
    }
}

impl Display for Verb {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_sorted_and_found_in_any_case() {
        assert!(Verb::KNOWN.is_sorted());
        assert_eq!(Verb::of(b"rEtR").as_str(), "RETR");
        assert_eq!(Verb::of(b"secret"), Verb::UNKNOWN);
        assert_eq!(Verb::of(b"UNKNOWN"), Verb::UNKNOWN);
        assert!(Verb::of(b"stor").is(&["RETR", "STOR"]));
    }
}
