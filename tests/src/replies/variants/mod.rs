//! Forms of replies and commands, and what the guard makes of them.
//!
//! The ids are those of `docs/replies.md`, which gives the reason of each decision; the suite
//! `control_reader` compares the two. Which servers send a form and which clients follow it was
//! measured with real ones.

mod commands;
mod epsv;
mod pasv;

pub use commands::COMMANDS;
pub use epsv::EPSV_REPLIES;
pub use pasv::PASV_REPLIES;

/// A form, and what it leads to.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name.
    pub id: &'static str,
    /// The text in printable form: see [`Variant::bytes`].
    pub form: &'static str,
    /// What it leads to, in words.
    pub outcome: &'static str,
}

impl Variant {
    /// The text as on the wire. `\r`, `\n`, `\t` and `\xHH` are bytes, `{1400*A}` is 1400 times an A, and
    /// `{split}` is nothing: there one segment ends and the next begins.
    ///
    /// # Panics
    ///
    /// The form is not written like that.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let form = self.form.replace("{split}", "");
        let form = form.replace("{1400*A}", &"A".repeat(1400));
        let mut bytes = Vec::new();
        let mut rest = form.as_str();
        while let Some((plain, escape)) = rest.split_once('\\') {
            bytes.extend(plain.bytes());
            let (byte, length) = match escape.as_bytes() {
                [b'r', ..] => (b'\r', 1),
                [b'n', ..] => (b'\n', 1),
                [b't', ..] => (b'\t', 1),
                [b'x', ..] => (
                    u8::from_str_radix(&escape[1..3], 16).expect("two hexadecimal digits"),
                    3,
                ),
                _ => panic!("{}: no escape of these forms: {escape}", self.id),
            };
            bytes.push(byte);
            rest = &escape[length..];
        }
        bytes.extend(rest.bytes());
        bytes
    }
}

const fn variant(id: &'static str, form: &'static str, outcome: &'static str) -> Variant {
    Variant { id, form, outcome }
}
