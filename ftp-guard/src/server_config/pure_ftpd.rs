//! Pure-FTPd: one file with `PassivePortRange 50000 50100` among other settings, or Debian's folder
//! that has a file of that name.

use std::path::Path;

use super::{
    Software, Tls, TlsSetting,
    gather::{Gathering, Place, text_of},
};
use crate::diagnostic::Diagnostic;

const SETTING: &str = "PassivePortRange";

const TLS: &str = "TLS";

const ADVICE: &str = "Pure-FTPd then uses any port, which cannot be guarded";

/// Reads `pure-ftpd.conf`.
pub(super) fn read_file(path: &Path, gathering: &mut Gathering) {
    let Some(text) = gathering.read(path, None) else {
        return;
    };
    let mut found = false;
    let mut tls = TlsSetting::unset(Software::PureFtpd, path.to_owned());
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = uncommented(line).splitn(2, char::is_whitespace);
        let name = words.next().unwrap_or_default();
        if name.eq_ignore_ascii_case(SETTING) {
            found = true;
            take(path, number, words.next().unwrap_or_default(), gathering);
        } else if name.eq_ignore_ascii_case(TLS) {
            let value = words.next().unwrap_or_default();
            tls = take_tls(path, number, value, gathering).unwrap_or(tls);
        }
    }
    gathering.tls.push(tls);
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
    read_tls(path, gathering);
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
    match first_line(&text) {
        Some((number, line)) => take(&file, number, line, gathering),
        None => gathering.problems.push(Diagnostic::whole_file(
            &file,
            "it is empty: write two ports into it, such as 50000 50100",
        )),
    }
}

/// Debian's wrapper takes what the file `TLS` holds as `-Y`.
fn read_tls(folder: &Path, gathering: &mut Gathering) {
    let file = folder.join(TLS);
    let unset = TlsSetting::unset(Software::PureFtpd, file.clone());
    if !file.exists() {
        gathering.tls.push(unset);
        return;
    }
    // Not by way of the gathering: what it reads decides about ports, and is watched.
    let text = text_of(&file).map_err(|error| {
        let problem = Diagnostic::whole_file(&file, error);
        gathering.tls_problems.push(problem);
    });
    let Ok(text) = text else {
        return;
    };
    let found = first_line(&text);
    let tls = match found {
        Some((number, line)) => take_tls(&file, number, line, gathering),
        None => Some(unset),
    };
    gathering.tls.extend(tls);
}

/// `-Y`: 0 none, 1 beside clear text, 2 for control connections, 3 for those of data too.
fn take_tls(path: &Path, line: u32, value: &str, gathering: &mut Gathering) -> Option<TlsSetting> {
    let place = Place {
        file: path.to_owned(),
        line,
    };
    let tls = match value.trim() {
        "0" => Tls::Off,
        "1" => Tls::Offered,
        "2" | "3" => Tls::Required,
        other => {
            let other = crate::diagnostic::quoted(other);
            let problem = place.problem(format!("{TLS} must be 0, 1, 2 or 3, not {other}"));
            gathering.tls_problems.push(problem);
            return None;
        }
    };
    Some(TlsSetting::at(Software::PureFtpd, tls, &place))
}

/// The first line that says something.
fn first_line(text: &str) -> Option<(u32, &str)> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, uncommented(line)))
        .find(|(_, line)| !line.is_empty())
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
