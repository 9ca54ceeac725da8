use std::{fs::File, io::BufReader, path::Path};

use anyhow::Context;
use pcap_file::{DataLink, pcap::PcapReader};

/// The shortest frame that the kernel's test run takes.
const SHORTEST: usize = 14;

/// A capture file.
#[derive(Debug)]
pub struct Capture {
    /// The file's name, without its folder.
    pub name: String,
    /// What is in it.
    pub contents: Contents,
}

/// What is in a capture file.
#[derive(Debug)]
pub enum Contents {
    /// Ethernet frames.
    Frames {
        /// The whole ones, in order.
        frames: Vec<Vec<u8>>,
        /// How many were left out because the capture cut them or they are shorter than 14 bytes.
        left_out: usize,
    },
    /// Another link type, by its name or number.
    OtherLink(String),
}

impl Capture {
    /// Reads a capture in the classic pcap format.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is no pcap file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .with_context(|| format!("{} names no file", path.display()))?;
        let contents = contents(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { name, contents })
    }

    /// Reads every `.pcap` file of a folder, in the order of their names.
    ///
    /// # Errors
    ///
    /// As [`Capture::read`]; or the folder holds none.
    pub fn read_folder(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "pcap")
            {
                paths.push(path);
            }
        }
        anyhow::ensure!(
            !paths.is_empty(),
            "{} holds no .pcap file",
            folder.display()
        );
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }
}

fn contents(path: &Path) -> anyhow::Result<Contents> {
    let mut reader = PcapReader::new(BufReader::new(File::open(path)?))?;
    let link = reader.header().datalink;
    if link != DataLink::ETHERNET {
        return Ok(Contents::OtherLink(format!("{link:?}")));
    }
    let mut frames = Vec::new();
    let mut left_out = 0;
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        if packet.data.len() < packet.orig_len as usize || packet.data.len() < SHORTEST {
            left_out += 1;
        } else {
            frames.push(packet.data.into_owned());
        }
    }
    Ok(Contents::Frames { frames, left_out })
}
