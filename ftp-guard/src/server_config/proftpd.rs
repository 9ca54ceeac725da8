//! proftpd.conf: directives and sections in any case, `Include` of files, patterns and folders.
//!
//! `PassivePorts` stands at the top level for the main server, in `<VirtualHost>` for that one, in
//! `<Global>` for all. Virtual hosts inherit nothing from the main server. What stands in
//! `<IfModule>`, `<IfDefine>` and the like counts whether or not the condition holds: a port too many
//! is guarded rather than one too few.

use std::path::{Path, PathBuf};

use super::{
    Software, Tls, TlsSetting,
    gather::{Gathering, Place},
    tls::switch,
};
use crate::config::PortRange;

const ADVICE: &str = "ProFTPD then uses any port, which cannot be guarded; write PassivePorts 50000 \
                      50100, or whichever range is free, for each server or in <Global>";

/// A server that the configuration describes.
#[derive(Debug)]
struct Host {
    /// Where it begins; `None`: the main server.
    place: Option<Place>,
    ranges: Vec<PortRange>,
    /// `Port 0` turns a server off; one of SFTP has no data connections.
    no_ftp: bool,
    tls: TlsLines,
}

/// What the lines of one scope say of TLS.
#[derive(Clone, Debug, Default)]
struct TlsLines {
    /// `TLSEngine`, and whether a condition decides about it.
    engine: Option<(Place, bool, bool)>,
    /// `TLSRequired`: whether it keeps logins from clear text.
    required: Option<bool>,
    /// `TLSOptions`: whether sessions begin with TLS.
    implicit: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The number of a [`Host`].
    Host(usize),
    Global,
}

/// An open section.
#[derive(Clone, Debug)]
struct Section {
    /// Its name, in lower case.
    name: String,
    scope: Scope,
}

#[derive(Debug)]
struct Parser<'g> {
    gathering: &'g mut Gathering,
    hosts: Vec<Host>,
    global: bool,
    global_tls: TlsLines,
    sections: Vec<Section>,
    /// The files that are being read, each included by the one before, without symbolic links.
    open: Vec<PathBuf>,
}

pub(super) fn read(path: &Path, gathering: &mut Gathering) {
    let mistakes = gathering.problems.len();
    let main = Host {
        place: None,
        ranges: Vec::new(),
        no_ftp: false,
        tls: TlsLines::default(),
    };
    let mut parser = Parser {
        gathering,
        hosts: vec![main],
        global: false,
        global_tls: TlsLines::default(),
        sections: Vec::new(),
        open: Vec::new(),
    };
    parser.file(path, None);
    parser.tell_tls(path);
    // What is missing may be in what could not be read.
    if parser.gathering.problems.len() == mistakes {
        parser.complain_of_hosts_without_range(path);
    }
}

impl Parser<'_> {
    fn file(&mut self, path: &Path, from: Option<&Place>) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(place) = from
            && self.open.contains(&canonical)
        {
            let problem = format!("{} includes itself this way", path.display());
            self.gathering.problems.push(place.problem(problem));
            return;
        }
        let Some(text) = self.gathering.read(path, from) else {
            return;
        };
        self.open.push(canonical);
        let outside = self.sections.len();
        for (number, line) in logical_lines(&text) {
            let place = Place {
                file: path.to_owned(),
                line: number,
            };
            self.line(&place, &line);
        }
        self.sections.truncate(outside);
        self.open.pop();
    }

    fn line(&mut self, place: &Place, line: &str) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("</") {
            let name = name.trim_end_matches('>').trim().to_ascii_lowercase();
            if self.sections.last().is_some_and(|last| last.name == name) {
                self.sections.pop();
            }
        } else if let Some(header) = line.strip_prefix('<') {
            let name = header
                .split(|c: char| c.is_whitespace() || c == '>')
                .next()
                .unwrap_or_default();
            self.begin(place, name.to_ascii_lowercase());
        } else {
            let words = words(line);
            let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            if let Some(name) = words.first() {
                self.directive(place, &name.to_ascii_lowercase(), &arguments);
            }
        }
    }

    fn begin(&mut self, place: &Place, name: String) {
        let scope = match name.as_str() {
            "global" => Scope::Global,
            "virtualhost" => {
                self.hosts.push(Host {
                    place: Some(place.clone()),
                    ranges: Vec::new(),
                    no_ftp: false,
                    tls: TlsLines::default(),
                });
                Scope::Host(self.hosts.len() - 1)
            }
            _ => self.scope(),
        };
        self.sections.push(Section { name, scope });
    }

    fn scope(&self) -> Scope {
        self.sections
            .last()
            .map_or(Scope::Host(0), |section| section.scope)
    }

    fn directive(&mut self, place: &Place, name: &str, arguments: &[&str]) {
        match (name, arguments) {
            ("passiveports", [first, last]) => {
                let range = self
                    .gathering
                    .range(Software::Proftpd, place, (first, last));
                match self.scope() {
                    Scope::Global => self.global |= range.is_some(),
                    Scope::Host(number) => self.hosts[number].ranges.extend(range),
                }
            }
            ("passiveports", _) => self.gathering.problems.push(
                place.problem("PassivePorts must be two ports, such as PassivePorts 50000 50100"),
            ),
            ("port", ["0"]) => self.no_ftp(),
            ("sftpengine", [state]) if switch(state) == Some(true) => self.no_ftp(),
            ("tlsengine" | "tlsrequired" | "tlsoptions", _) => self.tls(place, name, arguments),
            ("include", [path]) => self.include(place, path),
            _ => {}
        }
    }

    fn tls(&mut self, place: &Place, name: &str, arguments: &[&str]) {
        let conditional = self.is_conditional();
        let lines = match self.scope() {
            Scope::Global => &mut self.global_tls,
            Scope::Host(number) => &mut self.hosts[number].tls,
        };
        let first = arguments.first().copied().unwrap_or_default();
        match name {
            // `auto` of newer versions: on, where there is a certificate.
            "tlsengine" => {
                match switch(first).or(first.eq_ignore_ascii_case("auto").then_some(true)) {
                    Some(on) => lines.engine = Some((place.clone(), on, conditional)),
                    None => {
                        let first = crate::diagnostic::quoted(first);
                        let problem = format!("TLSEngine must be on, off or auto, not {first}");
                        self.gathering.tls_problems.push(place.problem(problem));
                    }
                }
            }
            // What concerns data connections alone leaves logins in clear text.
            "tlsrequired" => match &*first.to_ascii_lowercase() {
                "data" | "!data" => lines.required = Some(false),
                "ctrl" | "ctrl+data" | "ctrl+!data" | "auth" | "auth+data" | "auth+!data" => {
                    lines.required = Some(true);
                }
                word => match switch(word) {
                    Some(on) => lines.required = Some(on),
                    None => {
                        let first = crate::diagnostic::quoted(first);
                        let problem = format!("TLSRequired {first} is none of its values");
                        self.gathering.tls_problems.push(place.problem(problem));
                    }
                },
            },
            _ => {
                let implicit = |word: &&str| word.eq_ignore_ascii_case("UseImplicitSSL");
                lines.implicit = Some(arguments.iter().any(implicit));
            }
        }
    }

    /// A server has what is global unless it says something else itself.
    fn tell_tls(&mut self, path: &Path) {
        for host in self.hosts.iter().filter(|host| !host.no_ftp) {
            let engine = host.tls.engine.as_ref().or(self.global_tls.engine.as_ref());
            let required = host.tls.required.or(self.global_tls.required);
            let implicit = host.tls.implicit.or(self.global_tls.implicit);
            let tls = match engine {
                None => {
                    let file = host.place.as_ref().map_or(path, |place| &place.file);
                    TlsSetting::unset(Software::Proftpd, file.to_owned())
                }
                Some((place, on, conditional)) => {
                    let tls = match (on, implicit, required) {
                        (false, ..) => Tls::Off,
                        (true, Some(true), _) => Tls::Implicit,
                        (true, _, Some(true)) => Tls::Required,
                        (true, ..) => Tls::Offered,
                    };
                    TlsSetting {
                        conditional: *conditional && *on,
                        ..TlsSetting::at(Software::Proftpd, tls, place)
                    }
                }
            };
            self.gathering.tls.push(tls);
        }
    }

    fn no_ftp(&mut self) {
        if let Scope::Host(number) = self.scope() {
            self.hosts[number].no_ftp = true;
        }
    }

    fn include(&mut self, place: &Place, path: &str) {
        if !path.starts_with('/') {
            let path = crate::diagnostic::quoted(path);
            let problem = format!("Include takes an absolute path, not {path}");
            self.gathering.problems.push(place.problem(problem));
        } else if path.contains(['*', '?', '[']) {
            self.pattern(place, path);
        } else {
            self.path(place, Path::new(path));
        }
    }

    fn path(&mut self, place: &Place, path: &Path) {
        if path.is_dir() {
            let folder = glob::Pattern::escape(&path.to_string_lossy());
            self.pattern(place, &format!("{}/*", folder.trim_end_matches('/')));
        } else if !path.exists() && self.is_conditional() {
            // The condition may not hold; when the file appears it is read.
            self.gathering.places.files.insert(path.to_owned(), None);
        } else {
            self.file(path, Some(place));
        }
    }

    /// Whether the present line is in a section whose condition is not looked at.
    fn is_conditional(&self) -> bool {
        self.sections
            .iter()
            .any(|section| section.name.starts_with("if"))
    }

    fn pattern(&mut self, place: &Place, pattern: &str) {
        self.gathering.places.patterns.insert(pattern.to_owned());
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        match glob::glob_with(pattern, options) {
            // Hidden files are those of editors; a folder in a folder is not read by ProFTPD either.
            Ok(paths) => {
                let hidden = |path: &Path| {
                    let name = path.file_name().unwrap_or_default();
                    name.to_string_lossy().starts_with('.')
                };
                for path in paths.flatten() {
                    if !hidden(&path) && !path.is_dir() {
                        self.file(&path, Some(place));
                    }
                }
            }
            Err(error) => {
                let problem = format!("bad pattern: {error}");
                self.gathering.problems.push(place.problem(problem));
            }
        }
    }

    fn complain_of_hosts_without_range(&mut self, path: &Path) {
        if self.global {
            return;
        }
        for host in &self.hosts {
            if host.no_ftp || !host.ranges.is_empty() {
                continue;
            }
            self.gathering.problems.push(match &host.place {
                Some(place) => place.problem(format!("no PassivePorts in this server: {ADVICE}")),
                None => crate::diagnostic::Diagnostic::whole_file(
                    path,
                    format!("no PassivePorts for the main server: {ADVICE}"),
                ),
            });
        }
    }
}

/// The lines with the number of the first of those that `\` at the end joins.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut continued = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, more) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, before)) if continued => before.push_str(line),
            _ => lines.push((number, line.to_owned())),
        }
        continued = more;
    }
    lines
}

/// The words of a line, up to a comment. Quotes keep blanks together, `\` takes the next character
/// as it is.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = match characters.peek() {
            None | Some('#') => return words,
            Some('"') => characters.next().is_some(),
            Some(_) => false,
        };
        let mut word = String::new();
        while let Some(c) = characters.next() {
            match c {
                '\\' => word.extend(characters.next()),
                '"' if quoted => break,
                c if c.is_whitespace() && !quoted => break,
                c => word.push(c),
            }
        }
        words.push(word);
    }
}
