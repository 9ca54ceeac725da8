//! Transfers as Zeek's `ftp.log` has them: its fields, in its order, as JSON or tab-separated.
//!
//! Zeek writes a line for RETR, STOR, STOU, APPE and DELE, and for what opens data connections. A transfer
//! here is the line of its command, which says how its data connection was opened as well.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::line::Subject;
use crate::engine::{
    events::{EventKind, TransferEvent},
    monitor::record::Direction,
};

/// Names and types of the fields.
const FIELDS: [(&str, &str); 19] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("user", "string"),
    ("password", "string"),
    ("command", "string"),
    ("arg", "string"),
    ("mime_type", "string"),
    ("file_size", "count"),
    ("reply_code", "count"),
    ("reply_msg", "string"),
    ("data_channel.passive", "bool"),
    ("data_channel.orig_h", "addr"),
    ("data_channel.resp_h", "addr"),
    ("data_channel.resp_p", "port"),
    ("fuid", "string"),
];

/// What Zeek writes in the place of a password.
const HIDDEN: &str = "<hidden>";

/// A line, field by field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    time: f64,
    values: [Option<Field>; FIELDS.len()],
}

#[derive(Clone, Debug, PartialEq)]
enum Field {
    Text(String),
    Count(u64),
    Bool(bool),
}

impl Entry {
    fn put(&mut self, name: &str, value: Option<Field>) {
        if let Some(at) = FIELDS.iter().position(|(known, _)| *known == name) {
            self.values[at] = value;
        }
    }
}

/// The line of an event; none for what Zeek writes no line for.
#[must_use]
pub fn entry(subject: &Subject) -> Option<Entry> {
    let Subject::Event(event) = subject else {
        return None;
    };
    let EventKind::Transfer(transfer) = &event.kind else {
        return None;
    };
    match transfer.transfer.direction {
        Direction::Upload | Direction::Download => Some(of_transfer(transfer)),
        Direction::Listing | Direction::Hidden => None,
    }
}

fn of_transfer(event: &TransferEvent) -> Entry {
    let transfer = &event.transfer;
    let text = |text: &str| Some(Field::Text(text.to_owned()));
    let host = |address: Option<SocketAddr>| address.map(|it| Field::Text(it.ip().to_string()));
    let port = |address: SocketAddr| Some(Field::Count(address.port().into()));
    let mut entry = Entry {
        time: transfer.began.as_microsecond() as f64 / 1e6,
        ..Entry::default()
    };
    entry.put("uid", Some(Field::Text(uid(event))));
    entry.put("id.orig_h", host(Some(event.client)));
    entry.put("id.orig_p", port(event.client));
    entry.put("id.resp_h", host(Some(event.server)));
    entry.put("id.resp_p", port(event.server));
    // As Zeek does before it has seen a name.
    entry.put("user", text(event.user.as_deref().unwrap_or("<unknown>")));
    entry.put("password", event.user.as_ref().and_then(|_| text(HIDDEN)));
    entry.put("command", transfer.command.as_deref().and_then(text));
    let path = transfer.path.as_deref();
    entry.put(
        "arg",
        path.map(|path| Field::Text(url(event.server.ip(), path))),
    );
    entry.put("file_size", transfer.bytes.map(Field::Count));
    entry.put(
        "reply_code",
        transfer.code.map(|code| Field::Count(code.into())),
    );
    let passive = transfer.mode.as_deref().map(|mode| mode == "passive");
    entry.put("data_channel.passive", passive.map(Field::Bool));
    let (from, to) = match passive {
        Some(false) => (transfer.data_server, transfer.data_client),
        _ => (transfer.data_client, transfer.data_server),
    };
    entry.put("data_channel.orig_h", host(from));
    entry.put("data_channel.resp_h", host(to));
    entry.put("data_channel.resp_p", to.and_then(port));
    entry
}

/// As Zeek writes it: relative paths behind `/./`.
fn url(server: IpAddr, path: &str) -> String {
    let host = match server {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    match path.strip_prefix('/') {
        Some(path) => format!("ftp://{host}/{path}"),
        None => format!("ftp://{host}/./{path}"),
    }
}

/// A name like Zeek's, the same for all lines of a control connection.
fn uid(event: &TransferEvent) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let of = format!("{} {} {}", event.session, event.client, event.server);
    let hash = Sha256::digest(of.as_bytes());
    let letters = hash.iter().take(17).map(|byte| {
        let letter = LETTERS[usize::from(*byte) % LETTERS.len()];
        char::from(letter)
    });
    std::iter::once('C').chain(letters).collect()
}

/// The line as JSON, as Zeek with `LogAscii::use_json` writes it: without absent fields.
#[must_use]
pub fn json(entry: &Entry) -> Value {
    let mut object = Map::new();
    object.insert("ts".to_owned(), entry.time.into());
    for ((name, _), value) in FIELDS.iter().zip(&entry.values) {
        let value = match value {
            Some(Field::Text(text)) => Value::from(text.as_str()),
            Some(Field::Count(count)) => Value::from(*count),
            Some(Field::Bool(flag)) => Value::from(*flag),
            None => continue,
        };
        object.insert((*name).to_owned(), value);
    }
    Value::Object(object)
}

/// The line tab-separated, without the newline.
#[must_use]
pub fn tsv(entry: &Entry) -> String {
    let mut line = format!("{:.6}", entry.time);
    for value in entry.values.iter().skip(1) {
        line.push('\t');
        match value {
            Some(Field::Text(text)) => escape(&mut line, text),
            Some(Field::Count(count)) => line.push_str(&count.to_string()),
            Some(Field::Bool(true)) => line.push('T'),
            Some(Field::Bool(false)) => line.push('F'),
            None => line.push('-'),
        }
    }
    line
}

/// The lines at the head of a tab-separated file.
#[must_use]
pub fn header(now: Timestamp) -> String {
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    let types: Vec<&str> = FIELDS.iter().map(|(_, kind)| *kind).collect();
    format!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tftp\n\
         #open\t{}\n#fields\t{}\n#types\t{}\n",
        now.strftime("%Y-%m-%d-%H-%M-%S"),
        names.join("\t"),
        types.join("\t")
    )
}

/// Zeek writes what would be taken for something else byte by byte, `\xNN`.
fn escape(line: &mut String, text: &str) {
    match text {
        "" => return line.push_str("(empty)"),
        "-" => return line.push_str("\\x2d"),
        _ => {}
    }
    for letter in text.chars() {
        match letter {
            '\\' => line.push_str("\\\\"),
            letter if letter.is_control() => {
                let mut bytes = [0; 4];
                for byte in letter.encode_utf8(&mut bytes).bytes() {
                    line.push_str(&format!("\\x{byte:02x}"));
                }
            }
            letter => line.push(letter),
        }
    }
}
