use super::*;

fn found(line: &str) -> String {
    match software(line.as_bytes()) {
        None => "-".to_owned(),
        Some(Software { product, version }) => match version {
            Some(version) => format!("{product}/{version}"),
            None => product,
        },
    }
}

#[test]
fn servers_are_known_by_what_they_say() {
    for (line, wanted) in [
        ("(vsFTPd 3.0.3)", "vsftpd/3.0.3"),
        ("vsFTPd 2.0.1+ (ext.1) ready...", "vsftpd/2.0.1"),
        ("     vsFTPd 3.0.3 - secure, fast, stable", "vsftpd/3.0.3"),
        (
            "ProFTPD 1.3.5rc3 Server (Debian) [::ffff:192.0.2.1]",
            "proftpd/1.3.5rc3",
        ),
        ("ProFTPD Server (Debian) [192.0.2.1]", "proftpd"),
        (
            "---------- Welcome to Pure-FTPd [privsep] [TLS] ----------",
            "pure-ftpd",
        ),
        ("pyftpdlib 2.2.0 ready.", "pyftpdlib/2.2.0"),
        (
            "FileZilla Server version 0.9.60 beta",
            "filezilla server/0.9.60",
        ),
        ("FileZilla Server 1.9.1", "filezilla server/1.9.1"),
        ("UNIX emulated by FileZilla.", "filezilla server"),
        (
            "Microsoft FTP Service (Version 5.0).",
            "microsoft ftp service/5.0",
        ),
        ("Microsoft FTP Service", "microsoft ftp service"),
        (
            "host FTP server (Version wu-2.6.2(1) Mon Dec 3 15:26:19) ready.",
            "wu-ftpd/2.6.2",
        ),
        ("bftpd 4.4 at 192.0.2.1 ready.", "bftpd/4.4"),
        ("GuildFTPd FTP Server (c) 1997-2002", "guildftpd"),
        ("Serv-U FTP Server v6.4 for WinSock ready...", "serv-u/6.4"),
        (
            "Serv-U FTP-Server v2.5k for WinSock ready...",
            "serv-u/2.5k",
        ),
        (
            "Titan FTP Server 6.26.630 Ready.",
            "titan ftp server/6.26.630",
        ),
        (
            "Core FTP Server Version 1.2, build 505, 64-bit",
            "core ftp server/1.2",
        ),
        ("CrushFTP Server Ready!", "crushftp"),
        ("(glFTPd 2.01 Linux+TLS) ready.", "glftpd/2.01"),
        (
            "Wing FTP Server 7.4.3 ready... (UNREGISTERED)",
            "wing ftp server/7.4.3",
        ),
        ("Welcome to Cerberus FTP Server", "cerberus ftp server"),
        ("Xlight FTP Server 3.9 ready...", "xlight/3.9"),
        ("SlimFTPd 3.18, by WhitSoft Development", "slimftpd/3.18"),
        ("WarFTPd 1.65 Ready", "warftpd/1.65"),
        ("FreeFloat Ftp Server (Version 1.00).", "freefloat/1.00"),
        ("PCMan's FTP Server 2.0 Ready.", "pcman/2.0"),
        ("uftpd (2.15) ready.", "uftpd/2.15"),
        ("ftpd.py ready", "ftpd.py"),
        (
            "localhost FTP server (GNU inetutils 2.4) ready.",
            "inetutils-ftpd/2.4",
        ),
        (
            "host FTP server (Version 6.4/OpenBSD/Linux-ftpd-0.17) ready.",
            "linux-ftpd/0.17",
        ),
        (
            "UNIX Type: L8 Version: NetBSD-ftpd 20100320",
            "netbsd-ftpd/20100320",
        ),
        ("Welcome to unFTP", "unftp"),
        ("UNIX Type: L8", "-"),
        ("FTP Sandbox Ready.", "-"),
        ("Welcome", "-"),
        ("abftpd 1.0", "-"),
        ("", "-"),
    ] {
        assert_eq!(found(line), wanted, "{line}");
    }
}

#[test]
fn only_what_says_more_replaces_what_is_known() {
    let of = |product: &str, version: Option<&str>| Software {
        product: product.to_owned(),
        version: version.map(str::to_owned),
    };
    let known = of("proftpd", None);
    assert!(says_more(None, &known));
    assert!(says_more(Some(&known), &of("proftpd", Some("1.3.8"))));
    assert!(!says_more(Some(&known), &of("vsftpd", Some("3.0.3"))));
    assert!(!says_more(Some(&of("a", Some("1"))), &of("a", Some("2"))));
}

#[test]
fn a_version_has_an_end() {
    let long = format!("vsftpd 1{}", ".1".repeat(99));
    assert_eq!(
        software(long.as_bytes())
            .unwrap()
            .version
            .map(|text| text.len()),
        Some(MOST_VERSION)
    );
}
