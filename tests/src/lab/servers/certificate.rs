//! The server's TLS certificate.

use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf};

use anyhow::Result;

use crate::lab::{Family, Folder, SERVER};

/// A self-signed certificate for the server's addresses, as files in the lab's folder.
pub struct Certificate {
    /// The certificate, PEM.
    pub chain: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
    /// Key and certificate in one file, PEM.
    pub both: PathBuf,
}

impl Certificate {
    /// The certificate in `tls/` of the lab's folder, made when there is none.
    pub(super) fn of_lab(folder: &Folder) -> Result<Self> {
        if !folder.outside("tls").exists() {
            Self::make(folder)?;
        }
        Ok(Self {
            chain: folder.inside("tls/cert.pem"),
            key: folder.inside("tls/key.pem"),
            both: folder.inside("tls/both.pem"),
        })
    }

    fn make(folder: &Folder) -> Result<()> {
        let names = Family::BOTH.map(|family| SERVER.ip(family).to_string());
        let made = rcgen::generate_simple_self_signed(names)?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        folder.write("tls/cert.pem", &chain)?;
        for (name, text) in [("key", &key), ("both", &format!("{key}{chain}"))] {
            let name = format!("tls/{name}.pem");
            folder.write(&name, text)?;
            fs::set_permissions(folder.outside(&name), Permissions::from_mode(0o600))?;
        }
        Ok(())
    }
}
