//! TLS settings as administrators write them.

use std::fs;

use super::{Examined, examine};

/// What is said of TLS, the path of the folder taken out, and mistakes behind that.
#[track_caller]
fn said(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let within = folder.path().to_str().unwrap();
        fs::write(path, text.replace('@', within)).unwrap();
    }
    let main = files[0].0.split('/').next().unwrap();
    let Examined {
        tls, tls_problems, ..
    } = examine(&folder.path().join(main));
    let within = format!("{}/", folder.path().display());
    let settings = tls.iter().map(ToString::to_string);
    let problems = tls_problems.iter().map(ToString::to_string);
    let all = settings.chain(problems);
    all.map(|line| line.replace(&within, "")).collect()
}

#[test]
fn vsftpd() {
    let lines = "# ssl_enable=NO\nlocal_enable=YES\nanonymous_enable=NO\n";
    for (text, expected) in [
        ("", "off (vsftpd, vsftpd.conf)"),
        ("ssl_enable=NO\n", "off (vsftpd, vsftpd.conf:4)"),
        ("ssl_enable=YES\r\n", "required (vsftpd, vsftpd.conf:4)"),
        (
            "ssl_enable=YES\nforce_local_logins_ssl=NO\n",
            "offered (vsftpd, vsftpd.conf:4)",
        ),
        (
            "ssl_enable=YES\nanonymous_enable=YES\n",
            "offered (vsftpd, vsftpd.conf:4)",
        ),
        (
            "ssl_enable=YES\nanonymous_enable=YES\nforce_anon_logins_ssl=true\n",
            "required (vsftpd, vsftpd.conf:4)",
        ),
        (
            "ssl_enable=YES\nimplicit_ssl=YES\nlisten_port=990\n",
            "implicit (vsftpd, vsftpd.conf:4)",
        ),
        // Without TLS nothing of it counts.
        (
            "implicit_ssl=YES\nforce_local_logins_ssl=YES\n",
            "off (vsftpd, vsftpd.conf)",
        ),
        (
            "ssl_enable=YES\nssl_enable=0\n",
            "off (vsftpd, vsftpd.conf:5)",
        ),
    ] {
        let text = format!("{lines}{text}");
        assert_eq!(said(&[("vsftpd.conf", &text)]), [expected], "{text}");
    }
    assert_eq!(
        said(&[("vsftpd.conf", "ssl_enable=maybe\n")]),
        [
            "off (vsftpd, vsftpd.conf)",
            "vsftpd.conf:1:1: ssl_enable must be YES or NO, not \"maybe\""
        ]
    );
}

#[test]
fn proftpd() {
    let debian = "Include @/modules.conf\nServerName \"Debian\"\nPassivePorts 50000 50100\n\
                  Include @/tls.conf\n";
    let modules = "LoadModule mod_ctrls_admin.c\n#LoadModule mod_tls.c\n";
    let tls = "<IfModule mod_tls.c>\n  TLSEngine   on\n  TLSProtocol TLSv1.2\n  TLSRequired off\n</IfModule>\n";
    assert_eq!(
        said(&[
            ("proftpd.conf", debian),
            ("modules.conf", modules),
            ("tls.conf", tls)
        ]),
        ["offered (ProFTPD, tls.conf:2, if the module is loaded)"]
    );
    for (text, expected) in [
        ("PassivePorts 1024 2048\n", "off (ProFTPD, proftpd.conf)"),
        ("tlsengine ON\n", "offered (ProFTPD, proftpd.conf:1)"),
        ("TLSEngine auto\n", "offered (ProFTPD, proftpd.conf:1)"),
        (
            "TLSEngine on\nTLSRequired on\n",
            "required (ProFTPD, proftpd.conf:1)",
        ),
        (
            "TLSEngine on\nTLSRequired auth+!data\n",
            "required (ProFTPD, proftpd.conf:1)",
        ),
        (
            "TLSEngine on\nTLSRequired data\n",
            "offered (ProFTPD, proftpd.conf:1)",
        ),
        (
            "TLSRequired on\nTLSEngine off\n",
            "off (ProFTPD, proftpd.conf:2)",
        ),
        (
            "TLSEngine on\nTLSOptions NoSessionReuseRequired UseImplicitSSL\n",
            "implicit (ProFTPD, proftpd.conf:1)",
        ),
    ] {
        assert_eq!(said(&[("proftpd.conf", text)]), [expected], "{text}");
    }
    assert_eq!(
        said(&[("proftpd.conf", "TLSEngine\nTLSRequired sometimes\n")]),
        [
            "off (ProFTPD, proftpd.conf)",
            "proftpd.conf:1:1: TLSEngine must be on, off or auto, not \"\"",
            "proftpd.conf:2:1: TLSRequired \"sometimes\" is none of its values",
        ]
    );
}

#[test]
fn each_server_of_proftpd_has_its_own() {
    let text = "TLSEngine on\n<VirtualHost a>\nTLSEngine on\nTLSRequired on\n</VirtualHost>\n\
                <VirtualHost b>\nPort 2222\nSFTPEngine on\n</VirtualHost>\n\
                <VirtualHost c>\n</VirtualHost>\n";
    assert_eq!(
        said(&[("proftpd.conf", text)]),
        [
            "offered (ProFTPD, proftpd.conf:1)",
            "required (ProFTPD, proftpd.conf:3)",
            "off (ProFTPD, proftpd.conf)",
        ]
    );
    let global = format!("{text}<Global>\nTLSEngine on\nTLSRequired on\n</Global>\n");
    assert_eq!(
        said(&[("proftpd.conf", &global)]),
        [
            "required (ProFTPD, proftpd.conf:1)",
            "required (ProFTPD, proftpd.conf:3)",
            "required (ProFTPD, proftpd.conf:13)",
        ]
    );
}

#[test]
fn pure_ftpd() {
    for (value, tls) in [
        ("0", "off"),
        ("1", "offered"),
        ("2", "required"),
        ("3", "required"),
    ] {
        let file = format!("# TLS 9\nPassivePortRange 50000 50100\nTLS   {value} # see -Y\n");
        assert_eq!(
            said(&[("pure-ftpd.conf", &file)]),
            [format!("{tls} (Pure-FTPd, pure-ftpd.conf:3)")]
        );
        let folder = format!("\n{value}\n");
        assert_eq!(
            said(&[
                ("conf/PassivePortRange", "50000 50100\n"),
                ("conf/TLS", &folder)
            ]),
            [format!("{tls} (Pure-FTPd, conf/TLS:2)")]
        );
    }
    assert_eq!(
        said(&[("pure-ftpd.conf", "PassivePortRange 50000 50100\n")]),
        ["off (Pure-FTPd, pure-ftpd.conf)"]
    );
    assert_eq!(
        said(&[("conf/PassivePortRange", "50000 50100\n")]),
        ["off (Pure-FTPd, conf/TLS)"]
    );
    assert_eq!(
        said(&[("conf/TLS", "yes\n"), ("conf/PassivePortRange", "1 2\n")]),
        ["conf/TLS:1:1: TLS must be 0, 1, 2 or 3, not \"yes\""]
    );
}

#[test]
fn what_is_said_of_tls_decides_nothing_about_ports() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("PassivePortRange"), "50000 50100\n").unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("TLS")).unwrap();
    let examined = examine(folder.path());
    assert!(examined.problems.is_empty(), "{examined:?}");
    assert_eq!(examined.tls_problems.len(), 1, "{examined:?}");
    assert_eq!(examined.origins.len(), 1);
}
