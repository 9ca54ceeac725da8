//! vsftpd.conf(5): `setting=value`, one a line, no spaces around `=`, no includes. The last of equal
//! settings counts.

use std::path::Path;

use super::{
    Origin, Software, Tls, TlsSetting,
    gather::{Gathering, Place},
    tls::switch,
};
use crate::diagnostic::Diagnostic;

const MINIMUM: &str = "pasv_min_port";
const MAXIMUM: &str = "pasv_max_port";
const ENABLE: &str = "pasv_enable";

const ADVICE: &str = "vsftpd then uses any port from 1024 on, which cannot be guarded; write \
                      pasv_min_port=50000 and pasv_max_port=50100, or whichever range is free";

#[derive(Debug, Default)]
struct Settings {
    minimum: Option<(Place, String)>,
    maximum: Option<(Place, String)>,
    /// Where passive mode is turned off.
    disabled: Option<Place>,
}

pub(super) fn read(path: &Path, gathering: &mut Gathering) {
    let Some(text) = gathering.read(path, None) else {
        return;
    };
    read_tls(path, &text, gathering);
    let mut settings = Settings::default();
    for (number, line) in (1..).zip(text.lines()) {
        let place = Place {
            file: path.to_owned(),
            line: number,
        };
        if let Err(mistake) = settings.take(&place, line) {
            gathering.problems.push(place.problem(mistake));
            return;
        }
    }
    settings.finish(path, gathering);
}

impl Settings {
    fn take(&mut self, place: &Place, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.starts_with('#') {
            return Ok(());
        }
        let Some((name, value)) = line.split_once('=') else {
            return Ok(());
        };
        let bare = name.trim_end();
        if ![MINIMUM, MAXIMUM, ENABLE].contains(&bare) {
            return Ok(());
        }
        if name != bare || value.trim_start() != value {
            return Err(format!(
                "vsftpd takes no spaces around =; write {bare}={}",
                value.trim()
            ));
        }
        let written = Some((place.clone(), value.to_owned()));
        match bare {
            MINIMUM => self.minimum = written,
            MAXIMUM => self.maximum = written,
            _ => {
                let off = ["NO", "FALSE", "0"].contains(&&*value.to_ascii_uppercase());
                self.disabled = off.then(|| place.clone());
            }
        }
        Ok(())
    }

    fn finish(self, path: &Path, gathering: &mut Gathering) {
        if let Some(place) = self.disabled {
            gathering.origins.push(Origin {
                software: Software::Vsftpd,
                file: place.file,
                line: place.line,
                range: None,
            });
            return;
        }
        // 0 is the default of both: not limited.
        let set = |setting: Option<(Place, String)>| setting.filter(|(_, value)| value != "0");
        match (set(self.minimum), set(self.maximum)) {
            (Some((place, minimum)), Some((_, maximum))) => {
                gathering.range(Software::Vsftpd, &place, (&minimum, &maximum));
            }
            (Some((place, _)), None) => {
                let problem = format!("{MINIMUM} is set without {MAXIMUM}: {ADVICE}");
                gathering.problems.push(place.problem(problem));
            }
            (None, Some((place, _))) => {
                let problem = format!("{MAXIMUM} is set without {MINIMUM}: {ADVICE}");
                gathering.problems.push(place.problem(problem));
            }
            (None, None) => gathering.problems.push(Diagnostic::whole_file(
                path,
                format!("{MINIMUM} and {MAXIMUM} are not set: {ADVICE}"),
            )),
        }
    }
}

/// `ssl_enable` is NO unless set, and then logins of local users need TLS unless
/// `force_local_logins_ssl` is set to NO; those of anonymous users need none unless
/// `force_anon_logins_ssl` is set.
fn read_tls(path: &Path, text: &str, gathering: &mut Gathering) {
    let mut engine = None;
    let (mut implicit, mut local, mut anonymous) = (false, true, false);
    let (mut local_enabled, mut anonymous_enabled) = (false, true);
    for (number, line) in (1..).zip(text.lines()) {
        let Some((name, value)) = line.trim().split_once('=') else {
            continue;
        };
        let place = Place {
            file: path.to_owned(),
            line: number,
        };
        let on = switch(value);
        match (name, on) {
            ("ssl_enable", Some(on)) => engine = Some((place, on)),
            ("implicit_ssl", Some(on)) => implicit = on,
            ("force_local_logins_ssl", Some(on)) => local = on,
            ("force_anon_logins_ssl", Some(on)) => anonymous = on,
            ("local_enable", Some(on)) => local_enabled = on,
            ("anonymous_enable", Some(on)) => anonymous_enabled = on,
            ("ssl_enable" | "implicit_ssl" | "force_local_logins_ssl", None) => {
                let value = crate::diagnostic::quoted(value);
                let problem = place.problem(format!("{name} must be YES or NO, not {value}"));
                gathering.tls_problems.push(problem);
            }
            _ => {}
        }
    }
    let required = (local || !local_enabled) && (anonymous || !anonymous_enabled);
    gathering.tls.push(match engine {
        None => TlsSetting::unset(Software::Vsftpd, path.to_owned()),
        Some((place, on)) => {
            let tls = match (on, implicit, required) {
                (false, ..) => Tls::Off,
                (true, true, _) => Tls::Implicit,
                (true, false, true) => Tls::Required,
                (true, false, false) => Tls::Offered,
            };
            TlsSetting::at(Software::Vsftpd, tls, &place)
        }
    });
}
