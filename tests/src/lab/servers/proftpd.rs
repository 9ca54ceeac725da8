//! ProFTPD.

use std::process::Command;

use anyhow::Result;

use super::{Certificate, Settings};
use crate::lab::{Folder, packages::Package};

pub(super) fn command(
    folder: &Folder,
    settings: &Settings,
    certificate: &Certificate,
) -> Result<Command> {
    let package = Package::find("proftpd")?;
    let mut command = package.command("usr/sbin/proftpd")?;
    let modules = package.path("usr/lib/proftpd").display().to_string();
    let text = configuration(folder, settings, certificate, &modules);
    let file = settings.file("proftpd", "conf");
    folder.write(&file, text)?;
    command.args(["--nodaemon", "--config"]);
    command.arg(folder.inside(&file));
    Ok(command)
}

fn configuration(
    folder: &Folder,
    settings: &Settings,
    certificate: &Certificate,
    modules: &str,
) -> String {
    format!(
        "ModulePath {modules}\n\
         LoadModule mod_tls.c\n\
         ServerName lab\n\
         ServerType standalone\n\
         DefaultServer on\n\
         MaxInstances none\n\
         UseIPv6 on\n\
         Port {port}\n\
         PassivePorts {first} {last}\n\
         User nobody\n\
         Group nogroup\n\
         UseReverseDNS off\n\
         RequireValidShell off\n\
         AuthPAM off\n\
         AuthOrder mod_auth_unix.c\n\
         DelayEngine off\n\
         WtmpLog off\n\
         AllowOverwrite on\n\
         ScoreboardFile {scoreboard}\n\
         PidFile {pid}\n\
         SystemLog {log}\n\
         TLSEngine on\n\
         TLSRequired off\n\
         TLSECCertificateFile {chain}\n\
         TLSECCertificateKeyFile {key}\n\
         TLSProtocol TLSv1.2 TLSv1.3\n\
         TLSVerifyClient off\n\
         TLSOptions NoSessionReuseRequired{implicit}\n\
         TLSLog {tls_log}\n",
        port = settings.port,
        implicit = if settings.implicit_tls {
            " UseImplicitSSL"
        } else {
            ""
        },
        first = settings.passive.start(),
        last = settings.passive.end(),
        scoreboard = folder
            .inside(&settings.file("proftpd", "scoreboard"))
            .display(),
        pid = folder.inside(&settings.file("proftpd", "pid")).display(),
        log = folder.inside("log/proftpd.log").display(),
        chain = certificate.chain.display(),
        key = certificate.key.display(),
        tls_log = folder.inside("log/proftpd-tls.log").display(),
    )
}
