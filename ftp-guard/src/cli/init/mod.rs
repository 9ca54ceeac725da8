//! `ftp-guard init`

mod shown;

use std::{
    io,
    path::{Path, PathBuf, absolute},
};

use ftp_guard_common::config::Mode;
use jiff::Timestamp;

use self::shown::{File, Report};
use super::{
    Global, Outcome,
    output::{print, print_json},
};
use crate::{
    config::Config,
    control::protocol::{EXIT_NOT_PERMITTED, Failure},
    server_config,
    setup::{
        plan::{Plan, Wishes, plan},
        survey::{Facts, survey},
        write::{self, State},
    },
};

/// Look at this host and write a configuration for it, in monitor mode.
///
/// Looks for interfaces, FTP servers that listen (on whatever port), their passive ranges and TLS
/// settings, and sessions. Writes the configuration file, and beside it allow.d/proposed.list with the
/// sources that have a session. Needs no daemon and changes nothing else; root sees more. A file that
/// says something else is not overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write ftp-guard.toml and allow.d/ into this folder, not to where --config says.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace files that exist; each is kept beside the new one, as NAME.TIME.bak.
    #[arg(long)]
    force: bool,
    /// Write nothing; print what would be written.
    #[arg(long)]
    dry_run: bool,
    /// List the sources that have a session; otherwise they are in comments.
    #[arg(long)]
    propose: bool,
    /// A configuration of an FTP server; can be given several times. Otherwise those are read that the
    /// running servers name, or that are where Debian has them.
    #[arg(long, value_name = "PATH")]
    server_config: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let wishes = self.wishes(global)?;
        let server_configs = self
            .server_config
            .iter()
            .map(|path| absolute(path).map_err(|error| failed(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut facts = survey(&server_configs);
        let mut plan = accepted(&mut facts, &wishes)?;
        if write::is_open_to_others(&wishes.list_folder()) {
            plan.remarks.push(format!(
                "{}: others than its owner may write there, and so say who may use FTP",
                wishes.list_folder().display()
            ));
        }
        let files = match self.dry_run {
            true => self.dry(&plan, &wishes)?,
            false => self.write(&mut plan, &wishes)?,
        };
        let report = Report::new(&facts, &plan, files, self.dry_run);
        match self.json {
            true => print_json(&report)?,
            false => print(&report.text())?,
        }
        Ok(0)
    }

    fn wishes(&self, global: &Global) -> Result<Wishes, Failure> {
        let configuration = match &self.output {
            None => global.config.clone(),
            Some(_) if global.config != Path::new(Config::DEFAULT_PATH) => {
                let message = "give --output or --config, not both: each says where to write";
                return Err(Failure::usage(message));
            }
            Some(folder) => folder.join("ftp-guard.toml"),
        };
        let absolute = |path: &Path| absolute(path).map_err(|error| failed(&error));
        Ok(Wishes {
            configuration: absolute(&configuration)?,
            socket: global.socket.as_deref().map(absolute).transpose()?,
            propose: self.propose,
        })
    }

    fn dry(&self, plan: &Plan, wishes: &Wishes) -> Result<Vec<File>, Failure> {
        let mut files = Vec::new();
        for (path, text) in texts(plan, wishes) {
            let state = write::state(&path, text).map_err(|error| failed(&error))?;
            files.push(File::planned(path, text, &state));
        }
        Ok(files)
    }

    fn write(&self, plan: &mut Plan, wishes: &Wishes) -> Result<Vec<File>, Failure> {
        let mut different = Vec::new();
        for (path, text) in texts(plan, wishes) {
            if write::state(&path, text).map_err(|error| failed(&error))? == State::Different {
                different.push(path.display().to_string());
            }
        }
        if !different.is_empty() && !self.force {
            return Err(Failure::failed(format!(
                "{} is there already and says something else; nothing was written. --dry-run shows \
                 what would be, --force replaces it and keeps it under another name",
                different.join(" and ")
            )));
        }
        let enforced =
            Config::load(&wishes.configuration).is_ok_and(|config| config.mode == Mode::Enforce);
        let mut files = Vec::new();
        let now = Timestamp::now();
        for (path, text) in texts(plan, wishes) {
            let done =
                write::write(&path, text, self.force, now).map_err(|error| failed(&error))?;
            files.push(File::done(path, &done));
        }
        if enforced {
            plan.remarks.push(
                "the configuration that was replaced had mode = \"enforce\"; this one has \
                 \"monitor\", and a guard that runs with it drops nothing from now on"
                    .to_owned(),
            );
        }
        Ok(files)
    }
}

/// The files in the order in which they are written: a configuration never stands without its list.
fn texts<'a>(plan: &'a Plan, wishes: &Wishes) -> [(PathBuf, &'a str); 2] {
    [
        (wishes.list(), &plan.allowlist),
        (wishes.configuration.clone(), &plan.configuration),
    ]
}

/// A plan whose configuration is valid, `passive_ports = "auto"` included.
fn accepted(facts: &mut Facts, wishes: &Wishes) -> Result<Plan, Failure> {
    let planned = |facts: &Facts| -> Result<(Plan, Config), Failure> {
        let plan = plan(facts, wishes).map_err(|error| Failure::failed(error.to_string()))?;
        let config = Config::parse(&wishes.configuration, &plan.configuration)?;
        Ok((plan, config))
    };
    let (plan, config) = planned(facts)?;
    match server_config::look(&config).ranges {
        Ok(_) => Ok(plan),
        Err(diagnostics) => {
            let mistakes = diagnostics.0.iter().map(ToString::to_string);
            facts.not_auto.extend(mistakes);
            Ok(planned(facts)?.0)
        }
    }
}

fn failed(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::new(EXIT_NOT_PERMITTED, format!("{error}; run it as root"))
        }
        _ => Failure::failed(error.to_string()),
    }
}
