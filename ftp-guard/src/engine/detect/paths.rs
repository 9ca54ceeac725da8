//! Paths that try to leave the user's folder.

use crate::engine::monitor::observation::Command;

/// Commands whose argument is a path.
const VERBS: [&str; 31] = [
    "APPE", "CWD", "DELE", "DSIZ", "HASH", "LIST", "MD5", "MDTM", "MFCT", "MFF", "MFMT", "MKD",
    "MLSD", "MLST", "NLST", "RETR", "RMD", "RMDA", "RNFR", "RNTO", "SIZE", "SMNT", "STAT", "STOR",
    "STOU", "XCRC", "XCWD", "XMD5", "XMKD", "XRMD", "XSHA",
];

/// Commands of SITE whose argument is, or ends with, a path.
const SITE: [&str; 6] = ["CHMOD", "CPFR", "CPTO", "MKDIR", "RMDIR", "SYMLINK"];

/// So many levels up, of the folder that the session is in, nobody goes who knows where he is.
const UP: i32 = 4;

/// The path of a command.
pub(super) fn of(command: &Command) -> Option<&str> {
    let argument = command.argument.as_str();
    if command.verb.is(&VERBS) {
        return Some(argument);
    }
    let (word, rest) = argument.split_once(' ')?;
    let known = SITE.iter().any(|site| site.eq_ignore_ascii_case(word));
    (command.verb.is(&["SITE"]) && known).then_some(rest)
}

/// How a path tries to leave, as the end of a sentence; `None`: it does not.
pub(super) fn leaves(path: &str) -> Option<&'static str> {
    if !path.contains("..") && !path.contains('%') {
        return None;
    }
    if let Some(decoded) = decoded(path)
        && decoded
            .split(['/', '\\'])
            .any(|component| component == "..")
    {
        return Some("hides .. behind an encoding");
    }
    let dots = |component: &str| component.len() > 2 && component.bytes().all(|byte| byte == b'.');
    if path.split(['/', '\\']).any(dots) {
        return Some("has components of more than two dots");
    }
    if path.contains("..\\") || path.contains("\\..") {
        return Some("goes up with backslashes");
    }
    let mut depth = 0;
    let mut lowest = 0;
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        lowest = lowest.min(depth);
    }
    match lowest {
        ..0 if path.starts_with('/') => Some("goes above the root"),
        lowest if lowest <= -UP => Some("goes up four levels or more"),
        _ => None,
    }
}

/// The path with `%2e`, `%2f` and `%5c` decoded, also where the `%` itself is encoded; and overlong forms of
/// the dot and the slash. `None`: there is none of them.
fn decoded(path: &str) -> Option<String> {
    const CODES: [(&str, &str); 8] = [
        ("%25", "%"),
        ("%c0%ae", "."),
        ("%c0%af", "/"),
        ("%2e", "."),
        ("%2f", "/"),
        ("%5c", "\\"),
        ("%u002e", "."),
        ("%u2215", "/"),
    ];
    let mut text = path.to_ascii_lowercase();
    let before = text.clone();
    // Twice: encoded once more.
    for (code, meaning) in CODES.iter().chain(&CODES) {
        text = text.replace(code, meaning);
    }
    (text != before).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::monitor::verb::Verb;

    #[test]
    fn paths_that_leave() {
        for path in [
            "/..",
            "/../etc/passwd",
            "/a/../../etc",
            "../../../../etc/passwd",
            "a/../../../../../x",
            "%2e%2e/%2e%2e/x",
            "..%2f..%2fx",
            "%252e%252e%252fx",
            "%c0%ae%c0%ae/x",
            "..%5cx",
            "..\\x",
            "a\\..\\b",
            ".../x",
            "/..../x",
            ".%2E/x",
        ] {
            assert!(leaves(path).is_some(), "{path}");
        }
    }

    #[test]
    fn paths_that_stay() {
        for path in [
            "",
            "/",
            ".",
            "..",
            "../x",
            "../../../x",
            "/a/../b",
            "a..b",
            "..a",
            "100%",
            "50%25 off",
            "a%2fb",
            "/a/b/../../c",
            "report..pdf",
            "x...y",
        ] {
            assert_eq!(leaves(path), None, "{path}");
        }
    }

    #[test]
    fn the_path_of_a_command() {
        let path = |verb: &str, argument: &str| {
            let command = Command {
                verb: Verb::of(verb.as_bytes()),
                argument: argument.to_owned(),
                length: 0,
            };
            of(&command).map(str::to_owned)
        };
        assert_eq!(path("RETR", "/a b").as_deref(), Some("/a b"));
        assert_eq!(path("SITE", "cpfr /../x").as_deref(), Some("/../x"));
        assert_eq!(path("SITE", "PSWD ../ ../"), None);
        assert_eq!(path("USER", "../.."), None);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(path in "[./%2ecf5\\\\a-b\u{e4}]{0,60}|.{0,60}") {
            let _ = leaves(&path);
        }
    }
}
