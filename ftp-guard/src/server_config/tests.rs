//! Configurations as administrators write them, and the mistakes in them.

use std::{os::unix::fs::symlink, path::Path};

use super::*;

/// A folder with configurations.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file; `@` in its text is the folder.
    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let folder = self.0.path().to_str().unwrap();
        std::fs::write(path, text.replace('@', folder)).unwrap();
    }

    fn look(&self, names: &[&str], named: bool) -> Look {
        let text = "interfaces = [\"eth0\"]\n[ftp]\npassive_ports = \"auto\"\n";
        let config = Config::parse(Path::new("/guard.toml"), text).unwrap();
        let paths: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        look_at(&config, &paths, named)
    }

    /// The ranges, in one line.
    #[track_caller]
    fn ranges(&self, names: &[&str]) -> String {
        match self.look(names, true).ranges {
            Ok(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
                ranges.join(" ")
            }
            Err(diagnostics) => panic!("{diagnostics}"),
        }
    }

    /// The mistakes, the folder's own name taken out.
    #[track_caller]
    fn mistakes(&self, names: &[&str]) -> Vec<String> {
        let diagnostics = self.look(names, true).ranges.unwrap_err();
        let folder = format!("{}/", self.0.path().display());
        let texts = diagnostics.0.iter();
        texts
            .map(|diagnostic| diagnostic.to_string().replace(&folder, ""))
            .collect()
    }

    #[track_caller]
    fn one_mistake(&self, names: &[&str], begins: &str, part: &str) {
        let found = self.mistakes(names);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(begins), "{}", found[0]);
        assert!(found[0].contains(part), "{}", found[0]);
    }
}

#[test]
fn vsftpd_has_one_range() {
    let lab = Lab::new();
    lab.write(
        "vsftpd.conf",
        "# Example config file\n#pasv_min_port=1\nlisten=NO\nlisten_ipv6=YES\n\n\
         pasv_enable=YES\npasv_max_port=50100\r\npasv_min_port=1024\npasv_min_port=50000\n",
    );
    assert_eq!(lab.ranges(&["vsftpd.conf"]), "50000-50100");
    let look = lab.look(&["vsftpd.conf"], true);
    assert_eq!(look.origins[0].line, 9, "the last of equal settings counts");
    let shown = look.origins[0].to_string();
    assert!(shown.starts_with("50000-50100 (vsftpd, /"), "{shown}");
    assert!(shown.ends_with("vsftpd.conf:9)"), "{shown}");
}

#[test]
fn vsftpd_without_a_range_cannot_be_guarded() {
    let lab = Lab::new();
    for (text, begins, part) in [
        (
            "listen=YES\n",
            "v.conf: pasv_min_port and pasv_max_port",
            "",
        ),
        (
            "pasv_min_port=0\npasv_max_port=0\n",
            "v.conf: pasv_min_port and",
            "",
        ),
        (
            "listen=YES\npasv_min_port=50000\n",
            "v.conf:2:1: pasv_min_port",
            "without",
        ),
        (
            "listen=YES\npasv_max_port=50000\n",
            "v.conf:2:1: pasv_max_port",
            "without",
        ),
    ] {
        lab.write("v.conf", text);
        std::fs::rename(lab.path("v.conf"), lab.path("vsftpd-v.conf")).unwrap();
        lab.one_mistake(&["vsftpd-v.conf"], &format!("vsftpd-{begins}"), part);
        let found = lab.mistakes(&["vsftpd-v.conf"]);
        assert!(found[0].contains("pasv_min_port=50000 and"), "{}", found[0]);
    }
}

#[test]
fn vsftpd_mistakes_have_a_place() {
    let lab = Lab::new();
    for (text, begins, part) in [
        (
            "pasv_min_port = 50000\n",
            ":1:1: ",
            "no spaces around =; write pasv_min_port=50000",
        ),
        ("x=1\npasv_max_port= 50000\n", ":2:1: ", "no spaces"),
        (
            "pasv_min_port=50100\npasv_max_port=50000\n",
            ":1:1: ",
            "runs backwards",
        ),
        (
            "pasv_min_port=50000\npasv_max_port=70000\n",
            ":1:1: ",
            "\"70000\" is no port",
        ),
        (
            "pasv_min_port=050000\npasv_max_port=50100\n",
            ":1:1: ",
            "no port",
        ),
        ("pasv_min_port=\npasv_max_port=50100\n", ":1:1: ", "no port"),
        (
            "pasv_min_port=900\npasv_max_port=1000\n",
            ":1:1: ",
            "port 990 is in ftp.control_ports",
        ),
        (
            "pasv_min_port=22\npasv_max_port=30\n",
            ":1:1: ",
            "does not cut SSH",
        ),
    ] {
        lab.write("vsftpd.conf", text);
        lab.one_mistake(&["vsftpd.conf"], &format!("vsftpd.conf{begins}"), part);
    }
}

#[test]
fn vsftpd_without_passive_mode_needs_no_range() {
    let lab = Lab::new();
    lab.write("vsftpd.conf", "pasv_enable=no\n");
    assert_eq!(lab.ranges(&["vsftpd.conf"]), "");
    let look = lab.look(&["vsftpd.conf"], true);
    assert!(look.origins[0].to_string().contains("without passive mode"));
}

const PROFTPD: &str = "\
# /etc/proftpd/proftpd.conf
Include @/modules.conf
UseIPv6 on
ServerName \"Debian # 1\"
ServerType standalone
<IfModule mod_dynmasq.c>
  # DynMasqRefresh 28800
</IfModule>
Port 21
  passiveports   50000 \\
     50010   # the firewall knows these
<VirtualHost ftp.example.org>
  ServerName \"customers\"
  PassivePorts 51000 51010
  <Limit LOGIN>
    AllowAll
  </Limit>
  MaxInstances 30
</VirtualHost>
Include @/conf.d/
Include @/extra-*.conf
";

#[test]
fn proftpd_has_ranges_in_hosts_and_in_what_is_included() {
    let lab = Lab::new();
    lab.write("proftpd.conf", PROFTPD);
    lab.write("modules.conf", "LoadModule mod_tls.c\n");
    lab.write(
        "conf.d/one.conf",
        "<VirtualHost 10.0.0.1>\nInclude \"@/shared ranges\"\n</VirtualHost>\n",
    );
    lab.write("conf.d/.one.conf.swp", "PassivePorts 1 2\n");
    lab.write("conf.d/more/x.conf", "PassivePorts 3 4\n");
    lab.write("shared ranges", "PassivePorts 50011 50020\n");
    lab.write(
        "extra-a.conf",
        "<IfDefine X>\nPassivePorts 60000 60000\n</IfDefine>\n",
    );
    assert_eq!(
        lab.ranges(&["proftpd.conf"]),
        "50000-50020 51000-51010 60000"
    );
    let look = lab.look(&["proftpd.conf"], true);
    let places: Vec<_> = look
        .origins
        .iter()
        .map(|origin| {
            let name = origin.file.file_name().unwrap().to_str().unwrap();
            format!("{name}:{}", origin.line)
        })
        .collect();
    assert_eq!(
        places,
        [
            "proftpd.conf:10",
            "proftpd.conf:14",
            "shared ranges:1",
            "extra-a.conf:2"
        ]
    );
    let files: Vec<_> = look
        .places
        .files
        .keys()
        .map(|path| path.file_name().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "one.conf",
            "extra-a.conf",
            "modules.conf",
            "proftpd.conf",
            "shared ranges"
        ]
    );
    let folder = lab.0.path().display();
    assert!(look.places.patterns.contains(&format!("{folder}/conf.d/*")));
    assert!(
        look.places
            .patterns
            .contains(&format!("{folder}/extra-*.conf"))
    );
}

#[test]
fn proftpd_gives_all_servers_what_is_global() {
    let lab = Lab::new();
    lab.write(
        "proftpd.conf",
        "<VirtualHost a>\n</VirtualHost>\n<Global>\nPassivePorts 50000 50010\n</Global>\n",
    );
    assert_eq!(lab.ranges(&["proftpd.conf"]), "50000-50010");
}

#[test]
fn each_server_of_proftpd_needs_a_range() {
    let lab = Lab::new();
    lab.write("proftpd.conf", "ServerName x\n# PassivePorts 49152 65534\n");
    lab.one_mistake(
        &["proftpd.conf"],
        "proftpd.conf: no PassivePorts for the main server",
        "write PassivePorts 50000 50100",
    );
    // The main server's range is not inherited.
    lab.write(
        "proftpd.conf",
        "PassivePorts 50000 50010\n<VirtualHost a>\nPort 2121\n</VirtualHost>\n",
    );
    lab.one_mistake(
        &["proftpd.conf"],
        "proftpd.conf:2:1: no PassivePorts in this server",
        "any port",
    );
    // Servers that are none: turned off, and one of SFTP.
    lab.write(
        "proftpd.conf",
        "Port 0\n<VirtualHost a>\nPort 2222\nSFTPEngine On\n</VirtualHost>\n\
         <VirtualHost b>\nPassivePorts 50000 50010\n</VirtualHost>\n",
    );
    assert_eq!(lab.ranges(&["proftpd.conf"]), "50000-50010");
}

#[test]
fn proftpd_mistakes_have_a_place() {
    let lab = Lab::new();
    for (text, begins, part) in [
        ("PassivePorts 50000-50010\n", ":1:1: ", "must be two ports"),
        ("\nPassivePorts 50010 50000\n", ":2:1: ", "runs backwards"),
        ("PassivePorts 0 50000\n", ":1:1: ", "\"0\" is no port"),
        ("Include conf.d/x.conf\n", ":1:1: ", "absolute path"),
        ("Include @/none.conf\n", ":1:1: ", "none.conf: cannot read"),
        ("\nInclude @/proftpd.conf\n", ":2:1: ", "includes itself"),
        ("Include @/***\n", ":1:1: ", "bad pattern"),
    ] {
        lab.write("proftpd.conf", text);
        lab.one_mistake(&["proftpd.conf"], &format!("proftpd.conf{begins}"), part);
    }
}

#[test]
fn proftpd_may_lack_what_a_condition_excludes() {
    let lab = Lab::new();
    lab.write(
        "proftpd.conf",
        "PassivePorts 50000 50010\n<IfModule mod_sql.c>\nInclude @/sql.conf\n</IfModule>\n",
    );
    assert_eq!(lab.ranges(&["proftpd.conf"]), "50000-50010");
    let look = lab.look(&["proftpd.conf"], true);
    assert_eq!(look.places.files[&lab.path("sql.conf")], None, "watched");
}

#[test]
fn loops_of_includes_end() {
    let lab = Lab::new();
    lab.write(
        "proftpd.conf",
        "PassivePorts 50000 50010\nInclude @/a.conf\n",
    );
    lab.write("a.conf", "Include @/b.conf\n");
    symlink(lab.path("a.conf"), lab.path("b.conf")).unwrap();
    lab.one_mistake(&["proftpd.conf"], "a.conf:1:1: ", "b.conf includes itself");
    // Twice is no loop.
    lab.write("a.conf", "Include @/c.conf\nInclude @/c.conf\n");
    lab.write("c.conf", "");
    assert_eq!(lab.ranges(&["proftpd.conf"]), "50000-50010");
    // What doubles with every level is bounded.
    for level in 0..30 {
        let next = format!("Include @/l{}.conf\n", level + 1);
        lab.write(&format!("l{level}.conf"), &next.repeat(2));
    }
    lab.write("l30.conf", "");
    lab.write("a.conf", "Include @/l0.conf\n");
    let found = lab.mistakes(&["proftpd.conf"]);
    assert!(found[0].contains("more than 1000 files"), "{}", found[0]);
}

#[test]
fn pure_ftpd_has_a_folder_or_a_file() {
    let lab = Lab::new();
    lab.write("pure-ftpd/conf/PassivePortRange", "50000 50100\n");
    lab.write("pure-ftpd/conf/MinUID", "1000\n");
    assert_eq!(lab.ranges(&["pure-ftpd/conf"]), "50000-50100");
    assert_eq!(lab.ranges(&["pure-ftpd"]), "50000-50100");
    lab.write("pure-ftpd/conf/PassivePortRange", "\n# FTP\n 50000:50100\n");
    assert_eq!(lab.ranges(&["pure-ftpd/conf"]), "50000-50100");
    lab.write(
        "pure-ftpd.conf",
        "# PassivePortRange 1 2\nMaxClientsNumber 50\npassiveportrange\t\t30000 30009 # ok\n",
    );
    assert_eq!(lab.ranges(&["pure-ftpd.conf"]), "30000-30009");
    std::fs::create_dir(lab.path("other")).unwrap();
    std::fs::rename(lab.path("pure-ftpd.conf"), lab.path("other/pure-ftpd.conf")).unwrap();
    assert_eq!(lab.ranges(&["other"]), "30000-30009");
}

#[test]
fn pure_ftpd_mistakes_have_a_place() {
    let lab = Lab::new();
    lab.write("conf/MinUID", "1000\n");
    lab.one_mistake(
        &["conf"],
        "conf/PassivePortRange: this file is missing",
        "50000 50100",
    );
    assert_eq!(
        lab.look(&["conf"], true).places.files[&lab.path("conf/PassivePortRange")],
        None
    );
    lab.write("conf/PassivePortRange", "# none\n\n");
    lab.one_mistake(
        &["conf"],
        "conf/PassivePortRange: it is empty",
        "50000 50100",
    );
    lab.write("conf/PassivePortRange", "\n50000\n");
    lab.one_mistake(&["conf"], "conf/PassivePortRange:2:1: ", "two ports");
    lab.write("pure-ftpd.conf", "MaxIdleTime 15\n");
    lab.one_mistake(
        &["pure-ftpd.conf"],
        "pure-ftpd.conf: PassivePortRange is not set",
        "write",
    );
}

#[test]
fn several_servers_are_joined() {
    let lab = Lab::new();
    lab.write("vsftpd.conf", "pasv_min_port=50000\npasv_max_port=50100\n");
    lab.write("proftpd.conf", "PassivePorts 50050 50200\n");
    lab.write("pure-ftpd.conf", "PassivePortRange 40000 40010\n");
    assert_eq!(
        lab.ranges(&["vsftpd.conf", "proftpd.conf", "pure-ftpd.conf"]),
        "40000-40010 50000-50200"
    );
}

#[test]
fn a_file_of_another_name_is_known_by_its_content() {
    let lab = Lab::new();
    for (text, ranges) in [
        (
            "listen=YES\npasv_min_port=50000\npasv_max_port=50001\n",
            "50000-50001",
        ),
        ("ServerName x\nPassivePorts 50002 50003\n", "50002-50003"),
        ("PassivePortRange 50004 50005\n", "50004-50005"),
    ] {
        lab.write("ftp.conf", text);
        assert_eq!(lab.ranges(&["ftp.conf"]), ranges);
    }
    lab.write("ftp.conf", "colour=blue\n");
    lab.one_mistake(&["ftp.conf"], "ftp.conf: no telling which", "vsftpd*.conf");
}

#[test]
fn what_is_named_must_exist_and_what_is_usual_need_not() {
    let lab = Lab::new();
    lab.write("vsftpd.conf", "pasv_min_port=50000\npasv_max_port=50100\n");
    let names = ["vsftpd.conf", "proftpd/proftpd.conf", "pure-ftpd/conf"];
    assert_eq!(
        lab.mistakes(&names[..2]),
        ["proftpd/proftpd.conf: cannot read: No such file or directory (os error 2)"]
    );
    let usual = lab.look(&names, false);
    assert_eq!(usual.ranges.unwrap().len(), 1);
    assert_eq!(usual.places.files.len(), 3, "the others are watched");
    let none = lab.look(&names[1..], false).ranges.unwrap_err().to_string();
    assert!(none.starts_with("/guard.toml: ftp.passive_ports is \"auto\", and none of /"));
    assert!(none.contains("pure-ftpd/conf exists: name the"), "{none}");
}

#[test]
fn what_is_no_file_is_not_read() {
    let lab = Lab::new();
    symlink("/dev/zero", lab.path("vsftpd.conf")).unwrap();
    lab.one_mistake(&["vsftpd.conf"], "vsftpd.conf: not a regular file", "");
    lab.write("vsftpd-big.conf", &"#\n".repeat(600_000));
    lab.one_mistake(&["vsftpd-big.conf"], "vsftpd-big.conf: larger than", "");
    std::fs::write(
        lab.path("vsftpd-old.conf"),
        b"# f\xfcr Kunden\npasv_min_port=50000\npasv_max_port=50001\n",
    )
    .unwrap();
    assert_eq!(lab.ranges(&["vsftpd-old.conf"]), "50000-50001");
}
