//! A text of each format.

use super::*;

#[test]
fn plain_prefixes() {
    let text = "# zone\n192.0.2.0/24 DE some text\n; old\n198.51.100.7 # host\n\
                203.0.113.0-203.0.113.5\n203.0.113.16 - 203.0.113.31\n10.0.0.0/255.0.0.0\n2001:db8::/32\n";
    assert_eq!(
        taken(text, Format::Cidr, &options()),
        [
            "192.0.2.0/24",
            "198.51.100.7",
            "203.0.113.0/30",
            "203.0.113.4/31",
            "203.0.113.16/28",
            "10.0.0.0/8",
            "2001:db8::/32"
        ]
    );
    let wrong =
        "10.0.0.0 255.0.0.0\n\n10.0.0.9-10.0.0.1\nexample.org\n10.1.2.3/8\n10.0.0.0/255.0.255.0\n";
    let found = mistakes(wrong, Format::Cidr);
    let numbers: Vec<_> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6]);
    assert!(found[0].1.contains("10.0.0.0/255.0.0.0"), "{found:?}");
    assert!(found[1].1.contains("ends before it begins"), "{found:?}");
    assert!(found[3].1.contains("10.0.0.0/8"), "{found:?}");
}

#[test]
fn sets_of_nft() {
    let text = "table inet t {\n\tset a {\n\t\ttype ipv4_addr\n\t\tflags interval,timeout\n\
        \t\telements = { 10.0.0.1-10.0.0.7, 192.0.2.0/24 comment \"hello, world\",\n\
        \t\t\t     198.51.100.7 timeout 1d expires 23h59m57s996ms comment \"x \\\\ y\" }\n\t}\n\n\
        \tset b {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t\tcounter\n\
        \t\telements = { 2001:db8::/32 counter packets 0 bytes 0,\n\t\t\t     2001:dba:: }\n\t}\n}\n";
    assert_eq!(
        taken(text, Format::Nft, &options()),
        [
            "10.0.0.1",
            "10.0.0.2/31",
            "10.0.0.4/30",
            "192.0.2.0/24 label=\"hello, world\"",
            "198.51.100.7 expires=2026-11-23T11:59:58Z label=\"x \\\\\\\\ y\"",
            "2001:db8::/32",
            "2001:dba::"
        ]
    );
    let two = text
        .replace("ipv6_addr", "ipv4_addr")
        .replace("2001:db8::/32", "192.0.2.7")
        .replace("2001:dba::", "192.0.2.8");
    let refused = read(&two, Format::Nft, &options()).unwrap_err();
    assert!(refused.message.contains("--set"), "{refused}");
    let chosen = Options {
        sets: vec!["b".to_owned()],
        ..options()
    };
    assert_eq!(
        taken(&two, Format::Nft, &chosen),
        ["192.0.2.7", "192.0.2.8"]
    );
    let missing = Options {
        sets: vec!["c".to_owned()],
        ..options()
    };
    let refused = read(&two, Format::Nft, &missing).unwrap_err();
    assert!(refused.message.contains("it has: a, b"), "{refused}");
    let joined = "table inet t {\n\tset c {\n\t\ttype ipv4_addr . inet_service\n\t\telements = { 1.2.3.4 . 80 }\n\t}\n}\n";
    let found = mistakes(joined, Format::Nft);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].0 == 4 && found[0].1.contains("concatenation"),
        "{found:?}"
    );
}

#[test]
fn sets_of_nft_in_json() {
    let text = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"family": "inet", "name": "a",
        "table": "t", "type": "ipv4_addr", "handle": 1, "elem": [{"range": ["10.0.0.1", "10.0.0.2"]},
        {"elem": {"val": {"prefix": {"addr": "192.0.2.0", "len": 24}}, "comment": "one"}},
        {"elem": {"val": "198.51.100.7", "timeout": 86400, "expires": 3600}}, "9.9.9.9"]}}]}"#;
    assert_eq!(
        taken(text, Format::NftJson, &options()),
        [
            "10.0.0.1",
            "10.0.0.2",
            "192.0.2.0/24 label=\"one\"",
            "198.51.100.7 expires=2026-11-22T13:00:00Z",
            "9.9.9.9"
        ]
    );
    let found = mistakes(
        &text.replace("\"9.9.9.9\"", "{\"concat\": [\"1.2.3.4\", 80]}"),
        Format::NftJson,
    );
    assert!(found[0].1.contains("set a, element 4"), "{found:?}");
}

#[test]
fn sets_of_ipset() {
    let text = "create x hash:net family inet hashsize 1024 maxelem 65536 timeout 0 comment bucketsize 12 initval 0x96c6c18e\n\
        add x 192.0.2.7 timeout 0 nomatch\nadd x 192.0.2.0/24 timeout 3599 comment \"hel lo\"\n\
        create y hash:net family inet6 hashsize 1024 maxelem 65536\nadd y 2001:db8::/32\n";
    assert_eq!(
        taken(text, Format::Ipset, &options()),
        [
            "!192.0.2.7",
            "192.0.2.0/24 expires=2026-11-22T12:59:59Z label=\"hel lo\"",
            "2001:db8::/32"
        ]
    );
    let masked = "create w hash:ip family inet netmask 24\nadd w 10.0.0.0\n";
    assert_eq!(taken(masked, Format::Ipset, &options()), ["10.0.0.0/24"]);
    let ports = "create z hash:ip,port family inet\nadd z 1.2.3.4,tcp:80\nadd q 1.2.3.4 wings\nadd q \"1.2\n";
    let found = mistakes(ports, Format::Ipset);
    assert_eq!(
        found.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [2, 3, 4]
    );
    assert!(found[0].1.contains("hash:ip,port"), "{found:?}");
}

#[test]
fn rules_of_tcp_wrappers() {
    let text = "# who\nvsftpd, sshd: 192.168.1. EXCEPT 192.168.1.7\nsshd: 10.0.0.1\n\
        proftpd : 131.155.72.0/255.255.254.0 \\\n  [2001:db8::]/32 : allow\nALL EXCEPT vsftpd: 10.9.9.9\n";
    let imported = read(text, Format::HostsAllow, &options()).unwrap();
    assert_eq!(imported.mistakes, []);
    // `ALL EXCEPT vsftpd` is a rule for other daemons.
    assert_eq!(imported.left_out, 2);
    let prefixes: Vec<_> = lines(&imported)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        prefixes,
        [
            "192.168.1.0/24",
            "!192.168.1.7",
            "131.155.72.0/23",
            "2001:db8::/32"
        ]
    );
}

#[test]
fn rules_that_mean_something_else_here_are_reported() {
    for (rule, why) in [
        ("vsftpd: ALL", "everybody"),
        ("vsftpd: LOCAL", "wildcard"),
        ("ALL: .example.org", "a name"),
        ("ALL: ftp.example.org", "a name"),
        ("ftpd: @group", "netgroup"),
        ("ftpd: joe@10.0.0.1", "user"),
        ("ftpd: 10.0.*", "pattern"),
        ("ftpd: 10.0.0.300.", "numbers"),
        ("ftpd: 1.2.3.4 : DENY", "denies"),
        ("ftpd", "DAEMONS : CLIENTS"),
        ("ftpd: 10.0.0.1 EXCEPT 10.0.0.", "leave it out"),
        ("ftpd: 10.0.0. EXCEPT 10.0.0.7\nALL: 10.", "by hand"),
        (
            "ftpd: 10. EXCEPT 10.0.0. EXCEPT 10.0.0.7",
            "exception of an exception",
        ),
    ] {
        let found = mistakes(rule, Format::HostsAllow);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(
            found[0].0 == 1 && found[0].1.contains(why),
            "{rule}: {found:?}"
        );
    }
}

const AWS: &str = r#"{"syncToken": "1", "prefixes": [
  {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "S3", "network_border_group": "x"},
  {"ip_prefix": "13.34.37.64/27", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "x"},
  {"ip_prefix": "52.94.0.0/22", "region": "eu-central-1", "service": "S3"}],
 "ipv6_prefixes": [{"ipv6_prefix": "2600:1f01::/47", "region": "eu-central-1", "service": "S3"}]}"#;

#[test]
fn ranges_of_providers() {
    assert_eq!(taken(AWS, Format::Json, &options()).len(), 4);
    let filter = |field: &str, value: &str| (field.to_owned(), value.to_owned());
    let chosen = Options {
        filters: vec![filter("service", "S3"), filter("region", "eu-central-1")],
        ..options()
    };
    assert_eq!(
        taken(AWS, Format::Json, &chosen),
        ["52.94.0.0/22", "2600:1f01::/47"]
    );
    let misspelt = Options {
        filters: vec![filter("servise", "S3")],
        ..options()
    };
    let refused = read(AWS, Format::Json, &misspelt).unwrap_err();
    assert!(refused.message.contains("servise"), "{refused}");

    let google = r#"{"prefixes": [{"ipv4Prefix": "34.1.208.0/20", "scope": "africa-south1"},
                     {"ipv6Prefix": "2600:1900:8000::/44"}]}"#;
    assert_eq!(
        taken(google, Format::Json, &options()),
        ["34.1.208.0/20", "2600:1900:8000::/44"]
    );
    let other = r#"{"hooks": ["192.0.2.0/24", "2001:db8::/32"], "web": ["198.51.100.0/24"]}"#;
    assert!(read(other, Format::Json, &options()).is_err());
    let keyed = Options {
        keys: vec!["hooks".to_owned()],
        ..options()
    };
    assert_eq!(
        taken(other, Format::Json, &keyed),
        ["192.0.2.0/24", "2001:db8::/32"]
    );
}

#[test]
fn mistakes_in_json_have_a_path_and_a_line() {
    let found = mistakes(
        &AWS.replace("13.34.37.64/27", "13.34.37.65/27"),
        Format::Json,
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].0 == 3 && found[0].1.starts_with("prefixes[1].ip_prefix: "),
        "{found:?}"
    );
    let refused = read("{\"prefixes\": [\n{]}", Format::Json, &options()).unwrap_err();
    assert_eq!(refused.line, 2);
}

#[test]
fn tables() {
    let blocks = "network,geoname_id,registered_country_geoname_id\n\
                  1.0.0.0/24,2077456,2077456\n1.0.1.0/24,2921044,\n2001:db8::/32,2921044,1\n";
    assert_eq!(taken(blocks, Format::Csv, &options()).len(), 3);
    let german = Options {
        countries: vec!["DE".to_owned()],
        ..options()
    };
    let refused = read(blocks, Format::Csv, &german).unwrap_err();
    assert!(refused.message.contains("--locations"), "{refused}");
    let places = "geoname_id,locale_code,country_iso_code\n2921044,en,DE\n2077456,en,AU\n";
    let numbered = Options {
        geonames: Some(geonames(places, &german.countries).unwrap()),
        ..german.clone()
    };
    let expected = ["1.0.1.0/24", "2001:db8::/32"];
    assert_eq!(taken(blocks, Format::Csv, &numbered), expected);
    let by_column = Options {
        filters: vec![("geoname_id".to_owned(), "2921044".to_owned())],
        ..options()
    };
    assert_eq!(taken(blocks, Format::Csv, &by_column), expected);

    let ranges = "\"16777216\",\"16777471\",\"AU\",\"Australia\"\n1.0.1.0,1.0.3.255,DE\n";
    assert_eq!(
        taken(ranges, Format::Csv, &options()),
        [
            "1.0.0.0/24 label=\"AU\"",
            "1.0.1.0/24 label=\"DE\"",
            "1.0.2.0/23 label=\"DE\""
        ]
    );
    assert_eq!(taken(ranges, Format::Csv, &german).len(), 2);
    let wrong = "start,end,country\n1.0.0.9,1.0.0.1,DE\n1.0.0.0,::1,DE\nx,y,DE\n1.0.0.0\n";
    let found = mistakes(wrong, Format::Csv);
    assert_eq!(
        found.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [2, 3, 4, 5]
    );
}

#[test]
fn statistics_of_registries() {
    let text = "2|ripencc|20261121|5|19830705|20261120|+0100\nripencc|*|ipv4|*|3|summary\n\
        ripencc|DE|ipv4|193.0.0.0|768|19930901|allocated|x\nripencc|FR|ipv4|2.0.0.0|1048576|20100712|allocated\n\
        ripencc|DE|asn|7|1|19930901|allocated\nripencc|DE|ipv6|2001:600::|29|19990826|allocated\n\
        ripencc||ipv4|5.0.0.0|256||available\n";
    let german = Options {
        countries: vec!["DE".to_owned()],
        ..options()
    };
    assert_eq!(
        taken(text, Format::Rir, &german),
        [
            "193.0.0.0/23 label=\"DE\"",
            "193.0.2.0/24 label=\"DE\"",
            "2001:600::/29 label=\"DE\""
        ]
    );
    assert_eq!(taken(text, Format::Rir, &options()).len(), 4);
}

#[test]
fn lists_say_all_that_they_say_in_a_file() {
    let text = "192.0.2.0/24 profile=bulk label=\"one\"\n!192.0.2.7\n2001:db8:: expires=2020-01-01T00:00:00Z\n";
    let keeping = Options {
        now: Timestamp::MIN,
        ..options()
    };
    assert_eq!(
        taken(text, Format::List, &keeping),
        text.lines().collect::<Vec<_>>()
    );
    let imported = read(
        "192.0.2.1\n192.0.2.2 colour=red\n192.0.2.3\n",
        Format::List,
        &keeping,
    )
    .unwrap();
    assert_eq!((imported.unknown, imported.items.len()), (1, 2));
    assert_eq!(
        (imported.mistakes[0].line, imported.mistakes[0].column),
        (2, 11)
    );
}

#[test]
fn names_of_hosts_are_taken_with_what_is_said_of_them() {
    let text = "192.0.2.1\nhost:partner.example.net profile=bulk label=\"one\"\nhost:other.example.net\n\
                host:gone.example.net expires=2020-01-01T00:00:00Z\n";
    let mut imported = read(text, Format::List, &options()).unwrap();
    assert_eq!((imported.read, imported.expired), (3, 1));
    assert_eq!(
        lines(&imported),
        [
            "192.0.2.1",
            "host:partner.example.net profile=bulk label=\"one\"",
            "host:other.example.net"
        ]
    );
    // What is said of all that is imported is said of names too.
    imported.change(|settings| settings.profile = "slow".into());
    assert_eq!(
        lines(&imported),
        [
            "192.0.2.1 profile=slow",
            "host:partner.example.net profile=slow label=\"one\"",
            "host:other.example.net profile=slow"
        ]
    );
    // Other formats have none.
    let found = mistakes("192.0.2.1\nhost:partner.example.net\n", Format::Cidr);
    assert_eq!(found.len(), 1, "{found:?}");
}
