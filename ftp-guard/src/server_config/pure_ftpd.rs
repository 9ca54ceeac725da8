//! Pure-FTPd: one file with `PassivePortRange 50000 50100` among other settings, or Debian's folder
//! that has a file of that name.

use std::path::Path;

use super::{
    Software,
    gather::{Gathering, Place},
};
use crate::diagnostic::Diagnostic;

const SETTING: &str = "PassivePortRange";

const ADVICE: &str = "Pure-FTPd then uses any port, which cannot be guarded";

/// Reads `pure-ftpd.conf`.
pub(super) fn read_file(path: &Path, gathering: &mut Gathering) {
    let Some(text) = gathering.read(path, None) else {
        return;
    };
    let mut found = false;
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = uncommented(line).splitn(2, char::is_whitespace);
        if words
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(SETTING))
        {
            found = true;
            take(path, number, words.next().unwrap_or_default(), gathering);
        }
    }
    if !found {
        gathering.problems.push(Diagnostic::whole_file(
            path,
            format!("{SETTING} is not set: {ADVICE}; write {SETTING} 50000 50100, or whichever range is free"),
        ));
    }
}

/// Reads the folder that has a file for each setting, or `/etc/pure-ftpd`, which has that folder.
pub(super) fn read_folder(path: &Path, gathering: &mut Gathering) {
    let inner = path.join("conf");
    let whole = path.join("pure-ftpd.conf");
    let file = path.join(SETTING);
    if !file.exists() && inner.is_dir() {
        return read_folder(&inner, gathering);
    }
    if !file.exists() && whole.exists() {
        return read_file(&whole, gathering);
    }
    if !file.exists() {
        gathering.places.files.insert(file.clone(), None);
        gathering.problems.push(Diagnostic::whole_file(
            &file,
            format!(
                "this file is missing, and {} is taken for the configuration folder of \
                 Pure-FTPd: {ADVICE}; write \"50000 50100\" into it, or whichever range is free",
                path.display()
            ),
        ));
        return;
    }
    let Some(text) = gathering.read(&file, None) else {
        return;
    };
    let line = (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, uncommented(line)))
        .find(|(_, line)| !line.is_empty());
    match line {
        Some((number, line)) => take(&file, number, line, gathering),
        None => gathering.problems.push(Diagnostic::whole_file(
            &file,
            "it is empty: write two ports into it, such as 50000 50100",
        )),
    }
}

/// What stands before a comment.
fn uncommented(line: &str) -> &str {
    line.split_once('#')
        .map_or(line, |(before, _)| before)
        .trim()
}

fn take(path: &Path, line: u32, value: &str, gathering: &mut Gathering) {
    let place = Place {
        file: path.to_owned(),
        line,
    };
    let ports: Vec<&str> = value
        .split(|c: char| c.is_whitespace() || c == ':')
        .filter(|word| !word.is_empty())
        .collect();
    match ports[..] {
        [first, last] => {
            gathering.range(Software::PureFtpd, &place, (first, last));
        }
        _ => gathering
            .problems
            .push(place.problem(format!("{SETTING} must be two ports, such as 50000 50100"))),
    }
}
