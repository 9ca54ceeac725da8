//! What is kept of names of files.

use sha2::{Digest, Sha256};

use super::{
    FileNames, Settings,
    record::SessionRecord,
    text::{cut, shown},
};

/// What is kept of the path that a client gave, and the type of the file.
pub(super) fn path(
    argument: &[u8],
    is_file: bool,
    settings: &Settings,
) -> (Option<String>, Option<String>) {
    let whole = shown(argument, usize::MAX);
    let file_type = is_file.then(|| file_type(&whole)).flatten();
    if whole.is_empty() {
        return (None, None);
    }
    let kept = match settings.file_names {
        FileNames::Full => Some(cut(&whole, SessionRecord::MOST_NAME).to_owned()),
        FileNames::Hash => Some(hash(&whole, settings.secret)),
        FileNames::Omit => None,
    };
    (kept, file_type)
}

/// Sixteen digits that say nothing of the path to who does not know the secret.
fn hash(path: &str, secret: [u8; 16]) -> String {
    // The hash is cut, so that nobody can go on with it behind the path.
    let digest = Sha256::new()
        .chain_update(secret)
        .chain_update(path)
        .finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What a path ends with behind its last dot, in small letters, at most 16 letters and digits.
fn file_type(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let (stem, end) = name.rsplit_once('.')?;
    let is_type = (1..=16).contains(&end.len())
        && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !stem.is_empty();
    is_type.then(|| end.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_kept_as_the_settings_say() {
        let mut settings = Settings::default();
        let both =
            |path: &str, file_type: &str| (Some(path.to_owned()), Some(file_type.to_owned()));
        assert_eq!(path(b"a/b.TXT", true, &settings), both("a/b.TXT", "txt"));
        assert_eq!(path(b"", true, &settings), (None, None));
        settings.file_names = FileNames::Omit;
        assert_eq!(
            path(b"a/b.TXT", true, &settings),
            (None, Some("txt".into()))
        );
        settings.file_names = FileNames::Hash;
        let (hash, _) = path(b"a/b.TXT", true, &settings);
        assert_eq!(path(b"a/b.TXT", true, &settings).0, hash);
        let hash = hash.unwrap();
        assert!(hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()));
        settings.secret = [1; 16];
        assert_ne!(path(b"a/b.TXT", true, &settings).0, Some(hash));
        settings.file_names = FileNames::Full;
        assert_eq!(
            path(&[b'x'; 999], false, &settings)
                .0
                .map(|path| path.len()),
            Some(256)
        );
    }

    #[test]
    fn types_are_what_stands_behind_the_last_dot() {
        for (path, wanted) in [
            ("a.txt", Some("txt")),
            ("a.tar.GZ", Some("gz")),
            ("d.x/a", None),
            ("a.", None),
            (".profile", None),
            ("c:\\d.x\\a.Exe", Some("exe")),
            ("a.has space", None),
            ("a.12345678901234567", None),
            ("", None),
            ("d/.a.b", Some("b")),
        ] {
            assert_eq!(file_type(path).as_deref(), wanted, "{path}");
        }
    }
}
