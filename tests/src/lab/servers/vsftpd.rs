//! vsftpd.

use std::process::Command;

use anyhow::Result;

use super::{Certificate, Settings};
use crate::lab::{Folder, packages::Package};

pub(super) fn command(
    folder: &Folder,
    settings: &Settings,
    certificate: &Certificate,
) -> Result<Command> {
    let mut command = Package::find("vsftpd")?.command("usr/sbin/vsftpd")?;
    let file = settings.file("vsftpd", "conf");
    folder.write(&file, configuration(folder, settings, certificate))?;
    command.arg(folder.inside(&file));
    Ok(command)
}

/// `seccomp_sandbox=NO`: the filter of 3.0.3 knows neither the system calls of this libc nor those
/// of newer kernels, and every transfer would end with "500 OOPS".
fn configuration(folder: &Folder, settings: &Settings, certificate: &Certificate) -> String {
    format!(
        "listen=NO\n\
         listen_ipv6=YES\n\
         listen_port={port}\n\
         background=NO\n\
         anonymous_enable=NO\n\
         local_enable=YES\n\
         write_enable=YES\n\
         check_shell=NO\n\
         max_per_ip=0\n\
         local_max_rate={rate}\n\
         trans_chunk_size={chunk}\n\
         pam_service_name=vsftpd\n\
         secure_chroot_dir={empty}\n\
         seccomp_sandbox=NO\n\
         pasv_min_port={first}\n\
         pasv_max_port={last}\n\
         connect_from_port_20=YES\n\
         xferlog_enable=YES\n\
         dual_log_enable=YES\n\
         log_ftp_protocol=YES\n\
         xferlog_file={transfers}\n\
         vsftpd_log_file={log}\n\
         ssl_enable=YES\n\
         implicit_ssl={implicit}\n\
         force_local_data_ssl=NO\n\
         force_local_logins_ssl=NO\n\
         require_ssl_reuse=NO\n\
         ssl_ciphers=HIGH\n\
         rsa_cert_file={chain}\n\
         rsa_private_key_file={key}\n",
        port = settings.port,
        rate = settings.rate.unwrap_or(0),
        // Between two pieces it sleeps; by itself it takes 64 KiB at a time.
        chunk = if settings.rate.is_some() { 4096 } else { 0 },
        implicit = if settings.implicit_tls { "YES" } else { "NO" },
        empty = folder.inside("empty").display(),
        first = settings.passive.start(),
        last = settings.passive.end(),
        transfers = folder.inside("log/vsftpd-transfers.log").display(),
        log = folder.inside("log/vsftpd.log").display(),
        chain = certificate.chain.display(),
        key = certificate.key.display(),
    )
}
