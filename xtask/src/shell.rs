//! Running programs and saying so.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Says what is being done. Standard output is left to the runners' own lines.
pub(crate) fn say(text: impl AsRef<str>) {
    eprintln!("==> {}", text.as_ref());
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// `PATH`, followed by the folders of the administrator's programs, which it lacks after `su`.
pub(crate) fn path_with_sbin() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push("/usr/local/sbin:/usr/sbin:/sbin");
    path
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs a program with the terminal of this one.
///
/// # Errors
///
/// When it does not start or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed, without white space at the end.
///
/// # Errors
///
/// When it does not start, fails (with what it said) or prints what is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` failed: {}: {}",
            line(command),
            output.status,
            message.trim()
        );
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed what is not UTF-8", line(command)))?;
    Ok(text.trim_end().to_owned())
}

/// Whether a program starts and succeeds; what it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
