use super::{Variant, variant};

/// Answers to PASV, by what they name: `port N`, or `none`.
pub const PASV_REPLIES: &[Variant] = &[
    variant(
        "std-dot",
        r"227 Entering Passive Mode (10,231,0,1,195,85).\r\n",
        "port 50005",
    ),
    variant(
        "std-nodot",
        r"227 Entering Passive Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "lowercase",
        r"227 entering passive mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "noparen-text",
        r"227 Entering Passive Mode 10,231,0,1,195,85\r\n",
        "port 50005",
    ),
    variant("publicfile-eq", r"227 =10,231,0,1,195,85\r\n", "port 50005"),
    variant("bare", r"227 10,231,0,1,195,85\r\n", "port 50005"),
    variant(
        "listen-to",
        r"227 Data transfer will passively listen to 10,231,0,1,195,85\r\n",
        "port 50005",
    ),
    variant(
        "dot-bare",
        r"227 Entering passive mode. 10,231,0,1,195,85\r\n",
        "port 50005",
    ),
    variant(
        "spaces",
        r"227 Entering Passive Mode( 10, 231, 0, 1, 195,85).\r\n",
        "port 50005",
    ),
    variant(
        "ml-last",
        r"227-listen socket created\r\n227 (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "ml-first",
        r"227-Entering Passive Mode (10,231,0,1,195,85)\r\n227 ok\r\n",
        "port 50005",
    ),
    variant(
        "ml-mid",
        r"227-hello\r\n Entering Passive Mode (10,231,0,1,195,85)\r\n227 ok\r\n",
        "port 50005",
    ),
    variant(
        "digit-before",
        r"227 Entering Passive Mode 2 (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "digit-before-noparen",
        r"227 PASV mode 1 10,231,0,1,195,85\r\n",
        "port 50005",
    ),
    variant(
        "two-tuples",
        r"227 ok (10,231,0,1,195,85) (10,231,0,1,195,86)\r\n",
        "port 50005",
    ),
    variant(
        "seven",
        r"227 Entering Passive Mode (10,231,0,1,195,85,0)\r\n",
        "port 50005",
    ),
    variant(
        "p1-wrap451",
        r"227 Entering Passive Mode (10,231,0,1,451,85)\r\n",
        "none",
    ),
    variant(
        "p2-341",
        r"227 Entering Passive Mode (10,231,0,1,194,341)\r\n",
        "none",
    ),
    variant(
        "lead-zero",
        r"227 Entering Passive Mode (010,231,000,001,195,085)\r\n",
        "port 50005",
    ),
    variant(
        "host-0000",
        r"227 Entering Passive Mode (0,0,0,0,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "host-other",
        r"227 Entering Passive Mode (10,231,0,99,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "host-loop",
        r"227 Entering Passive Mode (127,0,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "lf-only",
        r"227 Entering Passive Mode (10,231,0,1,195,85)\n",
        "port 50005",
    ),
    variant(
        "split-mid",
        r"227 Entering Passive Mode (10,231,0{split},1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "split-code",
        r"22{split}7 Entering Passive Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "split-port",
        r"227 Entering Passive Mode (10,231,0,1,195,8{split}5)\r\n",
        "port 50005",
    ),
    variant(
        "split-noparen",
        r"227 Entering Passive Mode 10,231,0,1,195,8{split}5\r\n",
        "port 50005",
    ),
    variant(
        "no-close",
        r"227 Entering Passive Mode (10,231,0,1,195,85\r\n",
        "port 50005",
    ),
    variant(
        "no-close-lf",
        r"227 Entering Passive Mode (10,231,0,1,195,85\n",
        "port 50005",
    ),
    variant(
        "brackets",
        r"227 Entering Passive Mode [10,231,0,1,195,85]\r\n",
        "port 50005",
    ),
    variant(
        "tabs",
        r"227\tEntering Passive Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "two-spaces",
        r"227  Entering Passive Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant("no-space", r"227(10,231,0,1,195,85)\r\n", "port 50005"),
    variant(
        "proftpd-v6",
        r"227 Entering Passive Mode (1,195,87).\r\n",
        "none",
    ),
    variant(
        "pyftpd-v6",
        r"227 Entering passive mode (fd00:231::1,195,82).\r\n",
        "none",
    ),
    variant(
        "228-reply",
        r"228 Entering Long Passive Mode (4,4,10,231,0,1,2,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "228-v6",
        r"228 Entering Long Passive Mode (6,16,253,0,2,49,0,0,0,0,0,0,0,0,0,0,0,1,2,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "228-short",
        r"228 Entering Long Passive Mode (4,4,10,231,0,1,195,85)\r\n",
        "none",
    ),
    variant(
        "228-mixed",
        r"228 Entering Long Passive Mode (6,4,10,231,0,1,2,195,85)\r\n",
        "none",
    ),
    variant(
        "229-reply",
        r"229 Entering Extended Passive Mode (|||50005|)\r\n",
        "port 50005",
    ),
    variant(
        "code-200",
        r"200 Entering Passive Mode (10,231,0,1,195,85)\r\n",
        "none",
    ),
    variant(
        "prefixed-200",
        r"200 NOOP ok\r\n227 Entering Passive Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "long-text",
        r"227 {1400*A} (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "nul-text",
        r"227 Entering \x01 Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "port0",
        r"227 Entering Passive Mode (10,231,0,1,0,0)\r\n",
        "none",
    ),
    variant(
        "port10",
        r"227 Entering Passive Mode (10,231,0,1,0,10)\r\n",
        "port 10",
    ),
];
