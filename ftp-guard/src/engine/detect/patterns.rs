//! Commands that give servers away, or did.

use super::paths;
use crate::engine::{events::Severity, monitor::observation::Command};

/// A kind of dangerous command.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// What was sent, for messages and the reference.
    pub what: &'static str,
    /// What it is for: Markdown.
    pub why: &'static str,
    /// How much it matters.
    pub severity: Severity,
    matches: fn(&Command) -> bool,
}

/// What is looked for; the first that matches counts.
pub const PATTERNS: [Pattern; 13] = [
    Pattern {
        what: "USER with a name that ends in \":)\"",
        why: "opens the backdoor of vsftpd 2.3.4 (CVE-2011-2523)",
        severity: Severity::Critical,
        matches: |command| {
            command.verb.is(&["USER"]) && command.argument.trim_end().ends_with(":)")
        },
    },
    Pattern {
        what: "HELP ACIDBITCHEZ",
        why: "opens the backdoor of ProFTPD 1.3.3c (CVE-2010-20103)",
        severity: Severity::Critical,
        matches: |command| command.verb.is(&["HELP"]) && begins(&command.argument, "ACIDBITCHEZ"),
    },
    Pattern {
        what: "SITE EXEC",
        why: "runs a program on the server (wu-ftpd, CVE-2000-0573)",
        severity: Severity::Critical,
        matches: |command| site(command, "EXEC"),
    },
    Pattern {
        what: "SITE CPFR or SITE CPTO",
        why: "copies files on the server; ProFTPD's mod_copy did it without a login (CVE-2015-3306)",
        severity: Severity::High,
        matches: |command| site(command, "CPFR") || site(command, "CPTO"),
    },
    Pattern {
        what: "SITE CHMOD with a mode that gives the owner's rights",
        why: "makes an uploaded file one that runs with its owner's rights (set-user-ID, set-group-ID)",
        severity: Severity::High,
        matches: |command| site(command, "CHMOD") && set_id(after(&command.argument)),
    },
    Pattern {
        what: "a name with a conversion of printf",
        why: "`%n`, or several of `%x`, `%s` and `%p`: writes to or reads from the memory of servers \
              that take it for a format",
        severity: Severity::High,
        matches: |command| names(command) && formats(&command.argument),
    },
    Pattern {
        what: "a name with ~{",
        why: "damages the heap of wu-ftpd 2.6.1 and others (CVE-2001-0550)",
        severity: Severity::High,
        matches: |command| names(command) && command.argument.contains("~{"),
    },
    Pattern {
        what: "a name that a shell would run",
        why: "`$(`, a backtick, or `|` at its beginning or end: runs a program where a script or an old client \
              gives the name to a shell",
        severity: Severity::Medium,
        matches: |command| names(command) && runs(&command.argument),
    },
    Pattern {
        what: "a list with many wildcards",
        why: "keeps a server's processor busy (CVE-2011-0762, CVE-2001-0965): more than ten `*` or `{`",
        severity: Severity::Medium,
        matches: |command| {
            let wild = command.argument.matches(['*', '{']).count();
            command.verb.is(&["LIST", "MLSD", "NLST", "STAT"]) && wild > 10
        },
    },
    Pattern {
        what: "MDTM with a long time zone",
        why: "overflows a buffer of Serv-U before 5.0.0.4 (CVE-2004-0330)",
        severity: Severity::High,
        matches: |command| command.verb.is(&["MDTM"]) && long_zone(&command.argument),
    },
    Pattern {
        what: "SITE SYMLINK",
        why: "makes links, with which a user may leave his folder",
        severity: Severity::Low,
        matches: |command| site(command, "SYMLINK"),
    },
    Pattern {
        what: "SITE MINFO, NFO or INDEX",
        why: "runs scripts of glFTPd and others that read files elsewhere (CVE-2005-0483)",
        severity: Severity::Low,
        matches: |command| {
            ["MINFO", "NFO", "INDEX"]
                .iter()
                .any(|word| site(command, word))
        },
    },
    Pattern {
        what: "XRSQ, XRCP, XSEN or XSEM",
        why: "commands of the mail that FTP once carried (RFC 743): only scanners know them",
        severity: Severity::Low,
        matches: |command| command.verb.is(&["XRSQ", "XRCP", "XSEN", "XSEM"]),
    },
];

/// The first pattern that a command matches.
pub(super) fn of(command: &Command) -> Option<&'static Pattern> {
    PATTERNS.iter().find(|pattern| (pattern.matches)(command))
}

fn site(command: &Command, word: &str) -> bool {
    command.verb.is(&["SITE"]) && begins(&command.argument, word)
}

/// Whether the first word of a text is this one.
fn begins(text: &str, word: &str) -> bool {
    let first = text.split_whitespace().next();
    first.is_some_and(|first| first.eq_ignore_ascii_case(word))
}

/// What comes behind the first word.
fn after(text: &str) -> &str {
    let rest = text.trim_start().split_once(char::is_whitespace);
    rest.map_or("", |(_, rest)| rest.trim_start())
}

/// Whether the argument is the name of a user or a file.
fn names(command: &Command) -> bool {
    command.verb.is(&["USER"]) || paths::of(command).is_some()
}

/// A mode of four and more octal digits with set-user-ID or set-group-ID (chmod(1)), or `+s`.
fn set_id(rest: &str) -> bool {
    let mode = rest.split_whitespace().next().unwrap_or_default();
    match u32::from_str_radix(mode, 8) {
        Ok(mode) => mode & 0o6000 != 0,
        Err(_) => mode.contains("+s") || mode.contains("=s"),
    }
}

fn formats(text: &str) -> bool {
    let mut reads = 0;
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('%') {
        rest = behind;
        // Two hexadecimal digits are an encoded byte.
        if behind.len() > 1 && behind.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        // Width, position and length of a conversion (printf(3)).
        let decoration = |c: char| c.is_ascii_digit() || "$.*-+#hl".contains(c);
        match behind.trim_start_matches(decoration).bytes().next() {
            Some(b'n') => return true,
            Some(b'x' | b's' | b'p' | b'u') => reads += 1,
            _ => {}
        }
    }
    reads >= 3
}

fn runs(text: &str) -> bool {
    let text = text.trim();
    text.contains("$(") || text.contains('`') || text.starts_with('|') || text.ends_with('|')
}

/// `MDTM 20031111111111+AAAA... /file`.
fn long_zone(argument: &str) -> bool {
    let first = argument.split_whitespace().next().unwrap_or_default();
    let zone = first.trim_start_matches(|c: char| c.is_ascii_digit());
    zone.len() < first.len() && zone.starts_with(['+', '-']) && zone.len() > 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::monitor::verb::Verb;

    fn command(line: &str) -> Command {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        Command {
            verb: Verb::of(verb.as_bytes()),
            argument: argument.to_owned(),
            length: line.len(),
        }
    }

    #[test]
    fn every_pattern_finds_what_it_is_for() {
        let lines = [
            "user backdoored:)",
            "HELP acidbitchez",
            "SITE exec %p",
            "SITE CPFR /etc/passwd",
            "SITE CHMOD 4755 a",
            "CWD %08x.%08x.%n",
            "LIST ~{",
            "RETR |id",
            "STAT {{*},{*},{*},{*},{*},{*}}",
            "MDTM 20031111111111+AAAAAAAAAAAAAAAAAAAAAAAAAAAA /x",
            "SITE SYMLINK / x",
            "SITE NFO x",
            "XRSQ",
        ];
        for (pattern, line) in PATTERNS.iter().zip(lines) {
            let found = of(&command(line)).map(|found| found.what);
            assert_eq!(found, Some(pattern.what), "{line}");
        }
        assert_eq!(lines.len(), PATTERNS.len());
    }

    #[test]
    fn what_people_do_matches_none() {
        for line in [
            "USER alice",
            "HELP SITE",
            "SITE CHMOD 0755 a",
            "SITE CHMOD 644 a",
            "SITE HELP",
            "SITE UTIME x",
            "RETR 100% sure.txt",
            "RETR a%20name%20new%20c.txt",
            "RETR 50%s.txt",
            "SITE PSWD $(a %n",
            "LIST *.txt",
            "RETR a|b",
            "RETR $HOME",
            "MDTM 20260101000000 /x",
            "MDTM a.txt",
            "OPTS UTF8 ON",
            "PASS",
            "EPRT |1|192.0.2.7|4000|",
            "EPRT |2|2001:db8::1|4000|",
            "PORT 1,2,3,4,5,6",
            "CLNT `x`",
            "CWD ~alice",
        ] {
            let found = of(&command(line)).map(|found| found.what);
            assert_eq!(found, None, "{line}");
        }
    }
}
