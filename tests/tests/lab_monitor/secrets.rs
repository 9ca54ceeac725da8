//! Where a password could be found, and is not: the daemon's memory, its files, its log, what it answers.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::FileExt as _,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard_tests::lab::{
    Family, SERVER, Site,
    servers::{self, FtpServer, Make},
};

use crate::{await_events, guarded};

/// No other test, no program and no library has this in it.
const MARKER: &str = "Xyq7-marker-4711-vKz";

/// Time for a reply.
const LIMIT: Duration = Duration::from_secs(10);

/// A control connection that sends bytes as it is told.
struct Raw(TcpStream);

impl Raw {
    fn connect() -> Result<Self> {
        let stream = TcpStream::connect_timeout(&SERVER.at(Family::V4, 21), LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut raw = Self(stream);
        raw.reply("220")?;
        Ok(raw)
    }

    fn reply(&mut self, code: &str) -> Result<()> {
        let mut text = Vec::new();
        let mut buffer = [0; 512];
        while !text.ends_with(b"\n") {
            let count = self.0.read(&mut buffer)?;
            ensure!(count > 0, "the server closed the connection");
            text.extend_from_slice(&buffer[..count]);
        }
        let text = String::from_utf8_lossy(&text);
        ensure!(text.starts_with(code), "{code} expected, not {text}");
        Ok(())
    }

    /// Each piece in a segment of its own.
    fn send(&mut self, pieces: &[&[u8]]) -> Result<()> {
        for piece in pieces {
            self.0.write_all(piece)?;
            std::thread::sleep(Duration::from_millis(3));
        }
        Ok(())
    }
}

/// Guesses the marker in several ways.
fn guess() -> Result<()> {
    let whole = format!("PASS {MARKER}\r\n").into_bytes();
    let small = format!("pass {MARKER}\r\n").into_bytes();
    let telnet = [b"PA\xff\xf1SS ", MARKER.as_bytes(), b"\r\n"].concat();
    let blanks = format!("  PASS   {MARKER}\r\n").into_bytes();
    let single: Vec<&[u8]> = whole.chunks(1).collect();
    let halves: Vec<&[u8]> = whole.chunks(9).collect();
    let verb_split: Vec<&[u8]> = vec![&whole[..3], &whole[3..]];
    for pieces in [
        vec![&whole[..]],
        vec![&small[..]],
        vec![&telnet[..]],
        vec![&blanks[..]],
        single,
        halves,
        verb_split,
    ] {
        let mut raw = Raw::connect()?;
        raw.send(&[b"USER lab\r\n"])?;
        raw.reply("331")?;
        raw.send(&pieces)?;
        // Whatever the server makes of it.
        raw.reply("5").context("a refusal")?;
        raw.send(&[b"QUIT\r\n"])?;
    }
    // In one segment with what comes before and behind it.
    let mut raw = Raw::connect()?;
    let all = format!("USER lab\r\nPASS {MARKER}\r\nNOOP\r\n");
    raw.send(&[all.as_bytes()])?;
    raw.reply("331")?;
    std::thread::sleep(Duration::from_millis(500));
    Ok(())
}

fn holds(haystack: &[u8]) -> bool {
    let needle = MARKER.as_bytes();
    haystack.windows(needle.len()).any(|part| part == needle)
}

/// Looks through a process's memory, page by page as it is mapped; how many bytes were read.
fn search_memory(pid: u32) -> Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut read = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else {
            continue;
        };
        if !rights.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
            continue;
        }
        let (from, to) = range.split_once('-').context("no range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut bytes = vec![0; usize::try_from(to - from)?];
        // A mapping may have gone, or be one that cannot be read so.
        if memory.read_exact_at(&mut bytes, from).is_err() {
            continue;
        }
        read += bytes.len() as u64;
        ensure!(!holds(&bytes), "the password is in {line}");
    }
    Ok(read)
}

fn search_files(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            count += search_files(&path)?;
        } else if path.is_file() {
            count += 1;
            ensure!(
                !holds(&fs::read(&path)?),
                "the password is in {}",
                path.display()
            );
        }
    }
    Ok(count)
}

#[test]
fn a_password_is_nowhere() {
    Site::test(|site| {
        let _server = FtpServer::start(Make::Vsftpd, &site.server, &servers::Settings::default())?;
        let mut guard = guarded(site, "[detect]\nban = []")?;
        site.client.enter(guess)?;
        let refused = await_events(&guard, "login", 7)?;
        ensure!(refused.iter().all(|login| login["accepted"] == false));
        let pid = guard.daemon()?.id();
        let read = search_memory(pid)?;
        ensure!(read > 1 << 20, "{read} bytes of memory");
        for command in [
            &["events", "--json"][..],
            &["sessions", "--json"],
            &["sessions", "--past", "--json"],
            &["status", "--json"],
            &["report", "--format", "json"],
        ] {
            let answer = guard.cli(command)?;
            answer.expect(0)?;
            ensure!(!holds(answer.text().as_bytes()), "{command:?} tells it");
        }
        let folder = guard.folder().outside(guard.settings().name);
        ensure!(search_files(&folder)? > 2, "no files");
        let output = guard.terminate()?;
        ensure!(!holds(output.stdout.as_bytes()) && !holds(output.stderr.as_bytes()));
        // Once more, when everything has been written.
        search_files(&folder)?;
        Ok(())
    });
}
