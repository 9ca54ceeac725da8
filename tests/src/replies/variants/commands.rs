use super::{Variant, variant};

/// Commands: `other`, `tls`, `passive`, a destination, or `no destination`; one for each line.
pub const COMMANDS: &[Variant] = &[
    variant("port", r"PORT 10,231,0,2,195,85\r\n", "10.231.0.2:50005"),
    variant(
        "port-lower",
        r"port 10,231,0,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-two-spaces",
        r"PORT  10,231,0,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-spaces",
        r"PORT 10, 231, 0, 2, 195, 85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-padded",
        r"PORT 010,231,000,002,195,085\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-plus",
        r"PORT +10,231,0,2,195,+85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-behind",
        r"PORT 10,231,0,2,195,85,7 x\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-other-host",
        r"PORT 10,231,0,99,195,85\r\n",
        "10.231.0.99:50005",
    ),
    variant("port-22", r"PORT 10,231,0,2,0,22\r\n", "10.231.0.2:22"),
    variant("port-0", r"PORT 10,231,0,2,0,0\r\n", "no destination"),
    variant("port-451", r"PORT 10,231,0,2,451,85\r\n", "no destination"),
    variant("port-256", r"PORT 256,231,0,2,195,85\r\n", "no destination"),
    variant("port-five", r"PORT 10,231,0,2,195\r\n", "no destination"),
    variant("port-none", r"PORT\r\n", "no destination"),
    variant("port-lf", r"PORT 10,231,0,2,195,85\n", "10.231.0.2:50005"),
    variant(
        "port-tab",
        r"PORT\t10,231,0,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-trailing",
        r"PORT 10,231,0,2,195,85 \r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-leading",
        r"  PORT 10,231,0,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-second",
        r"TYPE I\r\nPORT 10,231,0,2,195,85\r\n",
        "other, 10.231.0.2:50005",
    ),
    variant(
        "port-telnet",
        r"\xff\xf4\xff\xf2PORT 10,231,0,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-telnet-option",
        r"PO\xff\xfb\x01RT 10,231,0,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "port-split",
        r"PORT 10,231,0,2,1{split}95,85\r\n",
        "10.231.0.2:50005",
    ),
    variant("eprt", r"EPRT |1|10.231.0.2|50005|\r\n", "10.231.0.2:50005"),
    variant(
        "eprt-v6",
        r"EPRT |2|fd00:231::2|50005|\r\n",
        "[fd00:231::2]:50005",
    ),
    variant(
        "eprt-mapped",
        r"EPRT |2|::ffff:10.231.0.2|50005|\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "eprt-bang",
        r"EPRT !1!10.231.0.2!50005!\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "eprt-no-last",
        r"EPRT |1|10.231.0.2|50005\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "eprt-65537",
        r"EPRT |1|10.231.0.2|65537|\r\n",
        "no destination",
    ),
    variant(
        "eprt-115541",
        r"EPRT |1|10.231.0.2|115541|\r\n",
        "no destination",
    ),
    variant("eprt-22", r"EPRT |1|10.231.0.2|22|\r\n", "10.231.0.2:22"),
    variant(
        "eprt-other-host",
        r"EPRT |1|10.231.0.99|50005|\r\n",
        "10.231.0.99:50005",
    ),
    variant(
        "eprt-v6-on-v4",
        r"EPRT |2|fd00:231::2|50005|\r\n",
        "[fd00:231::2]:50005",
    ),
    variant(
        "eprt-family",
        r"EPRT |1|fd00:231::2|50005|\r\n",
        "no destination",
    ),
    variant("eprt-no-space", r"EPRT|1|10.231.0.2|50005|\r\n", "other"),
    variant(
        "eprt-padded",
        r"EPRT |1|10.231.0.2|050005|\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "eprt-octal",
        r"EPRT |1|010.231.0.2|50005|\r\n",
        "no destination",
    ),
    variant(
        "lprt",
        r"LPRT 4,4,10,231,0,2,2,195,85\r\n",
        "10.231.0.2:50005",
    ),
    variant(
        "lprt-v6",
        r"LPRT 6,16,253,0,2,49,0,0,0,0,0,0,0,0,0,0,0,2,2,195,85\r\n",
        "[fd00:231::2]:50005",
    ),
    variant(
        "lprt-mixed",
        r"LPRT 6,4,10,231,0,2,2,195,85\r\n",
        "no destination",
    ),
    variant(
        "http-post",
        r"POST / HTTP/1.1\r\nHost: x\r\n\r\nPORT 10,231,0,2,195,85\r\n",
        "other, other, 10.231.0.2:50005",
    ),
    variant("pasv", r"PASV\r\n", "passive"),
    variant("pasv-trailing", r"pasv \r\n", "passive"),
    variant("epsv", r"EPSV\r\n", "passive"),
    variant("epsv-protocol", r"EPSV 1\r\nEPSV 2\r\n", "passive, passive"),
    variant("epsv-all", r"EPSV ALL\r\n", "other"),
    variant("p@sw", r"P@SW\r\n", "passive"),
    variant(
        "lpsv-spsv-cpsv",
        r"LPSV\r\nSPSV\r\nCPSV\r\n",
        "passive, passive, passive",
    ),
    variant(
        "auth",
        r"AUTH TLS\r\nauth ssl\r\nAUTH TLS-C\r\nAUTH TLS-P \r\n",
        "tls, tls, tls, tls",
    ),
    variant(
        "auth-gssapi",
        r"AUTH GSSAPI\r\nAUTH\r\nAUTH TLS 1\r\n",
        "other, other, other",
    ),
    variant("empty", r"\r\n\n", ""),
];
