//! Records the captures in `tests/pcaps`: small transfers between real FTP servers and clients in the
//! laboratory. Needs root and the laboratory's packages.
//!
//! Usage: `record FOLDER`

use std::{fs::File, io::BufWriter, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use ftp_guard_tests::lab::{
    Family, Site,
    clients::{Client, Direction, Negotiation, Transfer},
    servers::{FtpServer, Make, Settings},
    tap::Tap,
};
use pcap_file::pcap::{PcapPacket, PcapWriter};

/// Enough for several segments each way, little enough for a repository.
const SIZE: usize = 4000;

fn main() -> Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .context("usage: record FOLDER")?;
    use Direction::{Download, Upload};
    use Negotiation::{Eprt, Epsv, Pasv, Port};
    for (make, client, family, negotiation, direction) in [
        (Make::Vsftpd, Client::Curl, Family::V4, Pasv, Download),
        (Make::Vsftpd, Client::Lftp, Family::V4, Port, Upload),
        (Make::ProFtpd, Client::Curl, Family::V6, Epsv, Upload),
        (Make::ProFtpd, Client::Curl, Family::V6, Eprt, Download),
        (Make::PureFtpd, Client::Ftplib, Family::V4, Pasv, Upload),
        (Make::Pyftpdlib, Client::Lftp, Family::V6, Epsv, Download),
    ] {
        let site = Site::new()?;
        site.server.disable_offloads(Site::INTERFACE)?;
        site.client.disable_offloads(Site::INTERFACE)?;
        let server = FtpServer::start(make, &site.server, &Settings::default())?;
        let tap = Tap::open(&site.server, Site::INTERFACE)?;
        let mut transfer = Transfer::new(client, family, negotiation, direction);
        transfer.size = SIZE;
        transfer.make(&site.client, &server)?;

        let name = format!("{make}-{client:?}-{family:?}-{negotiation:?}-{direction:?}.pcap");
        let path = folder.join(name.to_lowercase());
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut writer = PcapWriter::new(BufWriter::new(file))?;
        for (number, frame) in (0..).zip(tap.drain()?) {
            // The tap tells no time; the order is what counts.
            let at = Duration::from_millis(number);
            let length = u32::try_from(frame.len())?;
            writer.write_packet(&PcapPacket::new(at, length, &frame))?;
        }
        println!("{}", path.display());
    }
    Ok(())
}
