//! A program whose output is read as it comes, with a limit to its time.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::shell;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(20);
/// How long output is awaited that programs left behind may still write.
const DRAIN: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(50);

/// Runs a program and hands each line of its standard output to `read`.
///
/// Returns how it ended; nothing when it took longer than `limit` and was ended.
///
/// # Errors
///
/// When it does not start.
pub(crate) fn stream(
    command: &mut Command,
    limit: Duration,
    mut read: impl FnMut(&str),
) -> Result<Option<ExitStatus>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shell::line(command)))?;
    let output = child
        .stdout
        .take()
        .context("standard output is not piped")?;
    let lines = lines(output);
    let deadline = Instant::now() + limit;
    let mut open = true;
    let ended = loop {
        if open {
            match lines.recv_timeout(TICK) {
                Ok(line) => read(&line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        } else {
            thread::sleep(TICK);
        }
        if let Some(status) = child.try_wait().context("cannot wait for a program")? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            end(&mut child)?;
            break None;
        }
    };
    // Not to the end of the pipe: a server that outlives its test may hold it open.
    let deadline = Instant::now() + DRAIN;
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        read(&line);
    }
    Ok(ended)
}

/// Asks a program to end, so that it can clean up, and makes it end if it does not.
fn end(child: &mut Child) -> Result<()> {
    shell::run(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        thread::sleep(TICK);
    }
    child.kill().context("cannot end a program")?;
    child.wait().context("cannot wait for a program")?;
    Ok(())
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn every_line_is_read() {
        let mut seen = Vec::new();
        let mut command = shell("echo one; printf 'two\\r\\nthree'; exit 3");
        let status = stream(&mut command, GRACE, |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["one", "two", "three"]);
        assert_eq!(status.unwrap().code(), Some(3));
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let start = Instant::now();
        let mut command = shell("exec sleep 60");
        let status = stream(&mut command, Duration::from_millis(200), |_| {}).unwrap();
        assert!(status.is_none());
        assert!(start.elapsed() < GRACE);
    }

    #[test]
    fn output_that_stays_open_is_not_awaited() {
        let start = Instant::now();
        let mut command = shell("sleep 30 & echo left");
        let status = stream(&mut command, GRACE, |_| {}).unwrap();
        assert!(status.unwrap().success());
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}
