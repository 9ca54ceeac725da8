use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use anyhow::{Context, Result, ensure};

/// What others have read in a capture.
///
/// They say it in files beside it; `manifest.csv` there has a row for each capture: its `file`, its
/// `expected_files`, and its `contents` with the number of each command (`PASV=2`). Understood are
/// Zeek's `ftp.log` and the filters of Suricata's `test.yaml`. What is empty says nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// Commands by verb, from the manifest.
    pub commands: BTreeMap<String, usize>,
    /// For each of Zeek's logs, all that it names, in its order.
    pub logs: Vec<Vec<Negotiation>>,
    /// Some of the ports that were negotiated, from Suricata's filters.
    pub ports: Vec<u16>,
}

/// A data connection that a session has negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Negotiation {
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// The server's end of it.
    pub server: SocketAddr,
    /// Who opens the data connection, and where to.
    pub data: Data,
}

/// Where a data connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// To this port of the server (PASV, EPSV).
    Passive(u16),
    /// From the server to here (PORT, EPRT).
    Active(SocketAddr),
}

impl Reference {
    /// Reads what is beside a capture; `None` when its folder has no manifest that names it.
    ///
    /// # Errors
    ///
    /// A file that the manifest names cannot be read, or is not what it seems.
    pub fn beside(capture: &Path) -> Result<Option<Self>> {
        let folder = capture.parent().unwrap_or(Path::new("."));
        let manifest = folder.join("manifest.csv");
        if !manifest.exists() {
            return Ok(None);
        }
        let name = capture.file_name().context("no file")?.to_string_lossy();
        let manifest = read(&manifest)?;
        let Some(row) = rows(&manifest).find(|row| row.get("file") == Some(&name.to_string()))
        else {
            return Ok(None);
        };
        let mut reference = Self {
            commands: row
                .get("contents")
                .map(|contents| commands(contents))
                .unwrap_or_default(),
            ..Self::default()
        };
        let files = row.get("expected_files").map_or("", String::as_str);
        for file in files.split(';').filter(|file| !file.is_empty()) {
            let path = folder.join(file);
            if file.ends_with("ftp.log.txt") {
                let log = zeek(&read(&path)?).with_context(|| file.to_owned())?;
                reference.logs.push(log);
            } else if file.ends_with("test.yaml.txt") {
                reference.ports.extend(suricata(&read(&path)?));
            }
        }
        Ok(Some(reference))
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The rows of a table of comma-separated values, by the names in its first line. No value extends
/// over lines.
fn rows(text: &str) -> impl Iterator<Item = BTreeMap<String, String>> {
    let mut lines = text.lines();
    let names = cells(lines.next().unwrap_or_default());
    lines.map(move |line| names.iter().cloned().zip(cells(line)).collect())
}

/// RFC 4180: a value in quotes may hold commas, and quotes twice.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cells.last_mut().expect("one cell at least").push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            _ => cells.last_mut().expect("one cell at least").push(character),
        }
    }
    cells
}

/// `PASV=2` and its like, up to the first semicolon.
fn commands(contents: &str) -> BTreeMap<String, usize> {
    let counts = contents.split(';').next().unwrap_or_default();
    counts
        .split_whitespace()
        .filter_map(|count| count.split_once('='))
        .filter(|(name, _)| name.chars().all(|letter| letter.is_ascii_uppercase()))
        .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        .collect()
}

/// The data connections in a log of Zeek: columns between tabs, named by the line `#fields`.
fn zeek(log: &str) -> Result<Vec<Negotiation>> {
    let names: Vec<_> = log
        .lines()
        .find_map(|line| line.strip_prefix("#fields\t"))
        .context("a log without #fields")?
        .split('\t')
        .collect();
    let mut found = Vec::new();
    for line in log.lines().filter(|line| !line.starts_with('#')) {
        let values: Vec<_> = line.split('\t').collect();
        ensure!(values.len() == names.len(), "another number of columns");
        let row: BTreeMap<_, _> = names.iter().copied().zip(values).collect();
        let value = |name| row.get(name).copied().with_context(|| format!("no {name}"));
        if value("data_channel.passive")? == "-" {
            continue;
        }
        let end = |host, port| -> Result<SocketAddr> {
            let host: IpAddr = value(host)?.parse()?;
            Ok(SocketAddr::new(host, value(port)?.parse()?))
        };
        let listener = end("data_channel.resp_h", "data_channel.resp_p")?;
        found.push(Negotiation {
            client: end("id.orig_h", "id.orig_p")?,
            server: end("id.resp_h", "id.resp_p")?,
            data: match value("data_channel.passive")? {
                "T" => Data::Passive(listener.port()),
                _ => Data::Active(listener),
            },
        });
    }
    Ok(found)
}

/// The ports that filters of a test of Suricata expect in at least one event.
fn suricata(test: &str) -> Vec<u16> {
    let value = |filter: &str, key: &str| {
        let line = filter.lines().find_map(|line| {
            let (name, value) = line.trim().trim_start_matches("- ").split_once(':')?;
            (name == key).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        });
        line.and_then(|value| value.parse::<u16>().ok())
    };
    test.split("filter:")
        .skip(1)
        .filter(|filter| value(filter, "count").is_some_and(|count| count > 0))
        .filter_map(|filter| value(filter, "ftp.dynamic_port"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#separator \\x09\n\
        #fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tcommand\tdata_channel.passive\t\
        data_channel.orig_h\tdata_channel.resp_h\tdata_channel.resp_p\n\
        #types\ttime\taddr\tport\taddr\tport\tstring\tbool\taddr\taddr\tport\n\
        1\t198.51.100.7\t4000\t192.0.2.1\t21\tPASV\tT\t198.51.100.7\t192.0.2.1\t50001\n\
        2\t198.51.100.7\t4000\t192.0.2.1\t21\tRETR\t-\t-\t-\t-\n\
        3\t2001:db8::7\t4001\t2001:db8::1\t21\tEPRT\tF\t2001:db8::1\t2001:db8::7\t4002\n\
        #close x\n";

    #[test]
    fn a_log_of_zeek_names_both_kinds() {
        let found = zeek(LOG).unwrap();
        let end = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(
            found,
            [
                Negotiation {
                    client: end("198.51.100.7:4000"),
                    server: end("192.0.2.1:21"),
                    data: Data::Passive(50001),
                },
                Negotiation {
                    client: end("[2001:db8::7]:4001"),
                    server: end("[2001:db8::1]:21"),
                    data: Data::Active(end("[2001:db8::7]:4002")),
                },
            ]
        );
    }

    #[test]
    fn a_log_without_its_columns_is_an_error() {
        assert!(zeek("1\t2\n").is_err());
        assert!(zeek("#fields\tts\n1\n").is_err());
    }

    #[test]
    fn filters_of_suricata_name_ports_that_must_be_there() {
        let test = "checks:\n  - filter:\n      count: 1\n      match:\n        src_port: 4000\n        \
            ftp.dynamic_port: 50001\n  - filter:\n      count: 0\n      match:\n        \
            ftp.dynamic_port: 50002\n- filter:\n    count: 2\n    match:\n      ftp.command: \"PASV\"\n";
        assert_eq!(suricata(test), [50001]);
    }

    #[test]
    fn a_manifest_says_which_files_belong_to_a_capture() {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("a.pcap");
        assert_eq!(Reference::beside(&capture).unwrap(), None);
        let manifest = "file,contents,expected_files\n\
            b.pcap,ctl=1,x\n\
            a.pcap,\"ctl=1 PASV=2 PORT=0; banner=Hello, \"\"you\"\" PASV=9\",a.tsv;a-ftp.log.txt\n";
        fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
        assert!(Reference::beside(&capture).is_err(), "the log is missing");
        fs::write(folder.path().join("a-ftp.log.txt"), LOG).unwrap();
        let reference = Reference::beside(&capture).unwrap().unwrap();
        let counts = [("PASV".to_owned(), 2), ("PORT".to_owned(), 0)];
        assert_eq!(reference.commands, BTreeMap::from(counts));
        assert_eq!(reference.logs.len(), 1);
        assert_eq!(reference.logs[0].len(), 2);
        assert!(reference.ports.is_empty());
        let other = folder.path().join("c.pcap");
        assert_eq!(Reference::beside(&other).unwrap(), None);
    }
}
