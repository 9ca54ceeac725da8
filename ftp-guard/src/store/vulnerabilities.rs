//! Reading a table of vulnerabilities.

use std::{fs::File, io::Read as _, path::Path};

use crate::{
    diagnostic::{Diagnostic, Diagnostics},
    engine::detect::vulnerabilities::{MOST_BYTES, Vulnerabilities},
};

/// The table of a file, or the built-in one.
///
/// # Errors
/// The file cannot be read, is too large, or no UTF-8; all mistakes in it.
pub fn read_vulnerabilities(file: Option<&Path>) -> Result<Vulnerabilities, Diagnostics> {
    let Some(path) = file else {
        return Ok(Vulnerabilities::default());
    };
    let whole = |message: String| Diagnostics::from(Diagnostic::whole_file(path, message));
    let mut text = String::new();
    // A pipe would not end, and would be waited for.
    match path.metadata() {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(whole("not a regular file".to_owned())),
        Err(error) => return Err(whole(format!("cannot read: {error}"))),
    }
    let file = File::open(path).map_err(|error| whole(format!("cannot read: {error}")))?;
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| whole(format!("cannot read: {error}")))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(whole(format!("larger than {MOST_BYTES} bytes")));
    }
    Vulnerabilities::parse(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_or_refused_by_name() {
        assert_eq!(read_vulnerabilities(None), Ok(Vulnerabilities::default()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cves.csv");
        let refused = |part: &str| {
            let error = read_vulnerabilities(Some(&path)).unwrap_err().to_string();
            assert!(
                error.contains("cves.csv") && error.contains(part),
                "{error}"
            );
        };
        refused("cannot read");
        let folder = read_vulnerabilities(Some(folder.path())).unwrap_err();
        assert!(
            folder.to_string().contains("not a regular file"),
            "{folder}"
        );
        std::fs::write(&path, b"\xff\xfe").unwrap();
        refused("cannot read");
        std::fs::write(&path, "a".repeat(MOST_BYTES as usize + 1)).unwrap();
        refused("larger than");
        let header = "cve,product,affected,cvss,cvss_version,severity,title,source\n";
        std::fs::write(&path, format!("{header}CVE-2030-1,x,< 2,,,high,t,s\n")).unwrap();
        refused(":2:1: ");
        std::fs::write(&path, format!("{header}CVE-2030-0001,x,< 2,,,high,t,s\n")).unwrap();
        assert_eq!(read_vulnerabilities(Some(&path)).unwrap().rows().count(), 1);
    }
}
