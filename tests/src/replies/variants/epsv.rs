use super::{Variant, variant};

/// Answers to EPSV, likewise.
pub const EPSV_REPLIES: &[Variant] = &[
    variant(
        "std",
        r"229 Entering Extended Passive Mode (|||50005|)\r\n",
        "port 50005",
    ),
    variant(
        "std-dot",
        r"229 Entering Extended Passive Mode (|||50005|).\r\n",
        "port 50005",
    ),
    variant(
        "bang-ibm",
        r"229 Entering Extended Passive Mode (!!!50005!).\r\n",
        "port 50005",
    ),
    variant(
        "noparen",
        r"229 Entering Extended Passive Mode |||50005|\r\n",
        "port 50005",
    ),
    variant("bare", r"229 |||50005|\r\n", "port 50005"),
    variant(
        "proto-addr",
        r"229 Entering Extended Passive Mode (|1|10.231.0.1|50005|)\r\n",
        "none",
    ),
    variant(
        "addr-only",
        r"229 Entering Extended Passive Mode (||10.231.0.1|50005|)\r\n",
        "none",
    ),
    variant(
        "addr-other",
        r"229 Entering Extended Passive Mode (|1|10.231.0.99|50005|)\r\n",
        "none",
    ),
    variant(
        "missing-delim",
        r"229 Entering Extended Passive Mode (||50005|)\r\n",
        "port 50005",
    ),
    variant(
        "missing-two",
        r"229 Entering Extended Passive Mode (||50005)\r\n",
        "none",
    ),
    variant(
        "no-trail",
        r"229 Entering Extended Passive Mode (|||50005)\r\n",
        "port 50005",
    ),
    variant(
        "paren-before",
        r"229 Entering (extended) passive mode (|||50005|)\r\n",
        "port 50005",
    ),
    variant(
        "space-port",
        r"229 Entering Extended Passive Mode (||| 50005 |)\r\n",
        "port 50005",
    ),
    variant(
        "wrap",
        r"229 Entering Extended Passive Mode (|||115541|)\r\n",
        "none",
    ),
    variant(
        "lead-zero",
        r"229 Entering Extended Passive Mode (|||050005|)\r\n",
        "port 50005",
    ),
    variant(
        "comma",
        r"229 Entering Extended Passive Mode (,,,50005,)\r\n",
        "port 50005",
    ),
    variant(
        "four-delims",
        r"229 Entering Extended Passive Mode (||||50005|)\r\n",
        "none",
    ),
    variant(
        "digit-delim",
        r"229 Entering Extended Passive Mode (111500051)\r\n",
        "none",
    ),
    variant(
        "split-port",
        r"229 Entering Extended Passive Mode (|||500{split}05|)\r\n",
        "port 50005",
    ),
    variant(
        "ml-last",
        r"229-listen\r\n229 (|||50005|)\r\n",
        "port 50005",
    ),
    variant(
        "ml-first",
        r"229-Entering Extended Passive Mode (|||50005|)\r\n229 ok\r\n",
        "port 50005",
    ),
    variant(
        "227-reply",
        r"227 Entering Passive Mode (10,231,0,1,195,85)\r\n",
        "port 50005",
    ),
    variant(
        "lf-only",
        r"229 Entering Extended Passive Mode (|||50005|)\n",
        "port 50005",
    ),
    variant(
        "port0",
        r"229 Entering Extended Passive Mode (|||0|)\r\n",
        "none",
    ),
];
