//! Formats by content.

use super::*;

#[test]
fn formats_are_told_by_their_content() {
    for (text, format) in [
        ("", Format::List),
        ("# nothing\n", Format::List),
        ("192.0.2.1\n192.0.2.0/24 label=\"a;b\"\n", Format::List),
        ("!192.0.2.1\n", Format::List),
        ("garbage in\n", Format::List),
        ("192.0.2.1 profile=x\n192.0.2.2 colour=red\n", Format::List),
        ("192.0.2.1\n192.0.2.2 colour=red\n", Format::List),
        ("host:partner.example.net\n192.0.2.1\n", Format::List),
        ("2001:db8::/32\n::1\n", Format::List),
        ("192.0.2.0/24 ; DE\n", Format::Cidr),
        ("192.0.2.1\n10.0.0.1-10.0.0.9\n", Format::Cidr),
        ("1.0.0.0/24 DE Germany\n", Format::Cidr),
        ("table inet t {\n set a {\n", Format::Nft),
        ("add table inet ftp_guard\n", Format::Nft),
        ("add element inet t s { 1.2.3.4 }\n", Format::Nft),
        ("{\"nftables\": []}", Format::NftJson),
        (
            "create x hash:net family inet\nadd x 1.2.3.4\n",
            Format::Ipset,
        ),
        ("add x 1.2.3.4\n", Format::Ipset),
        ("# hosts.allow\nvsftpd: 192.168.1.\n", Format::HostsAllow),
        ("ALL : .example.org\n", Format::HostsAllow),
        ("{\"prefixes\": []}", Format::Json),
        ("[\"192.0.2.0/24\"]", Format::Json),
        ("network,geoname_id\n1.0.0.0/24,1\n", Format::Csv),
        ("prefix,kind,profile,expires,label\n", Format::Csv),
        ("1.0.0.0,1.0.0.255,AU\n", Format::Csv),
        ("\"16777216\",\"16777471\",\"AU\"\n", Format::Csv),
        (
            "2|ripencc|20261121|5|19830705|20261120|+0100\n",
            Format::Rir,
        ),
        (
            "ripencc|DE|ipv4|193.0.0.0|768|19930901|allocated\n",
            Format::Rir,
        ),
    ] {
        assert_eq!(detect(text), format, "{text}");
    }
}
