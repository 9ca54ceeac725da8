//! The keys of `[limits]`: what holds for all profiles together.

use super::{Default, Key};

pub(in crate::config) const IPV6_SOURCE_PREFIX: Key = Key {
    table: "limits",
    name: "ipv6_source_prefix",
    kind: "integer from 16 to 128",
    default: Default::Value("64"),
    doc: "Length of the IPv6 prefix that limits count as one source: a client has a whole \
          prefix of addresses to itself. It should be no shorter than 48, the networks of the \
          next keys. An IPv4 source is one address.",
};

pub(in crate::config) const NETWORK_CONNECTIONS_PER_SECOND: Key = Key {
    table: "limits",
    name: "network_connections_per_second",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("1000"),
    doc: "New control connections each second of a whole network, the /24 of an IPv4 and the \
          /48 of an IPv6 source, so that many sources together cannot do what one may not. One \
          more is dropped (`network_rate`), or answered with a SYN cookie.",
};

pub(in crate::config) const NETWORK_CONNECTIONS_BURST: Key = Key {
    table: "limits",
    name: "network_connections_burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("5000"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const TOTAL_CONNECTIONS_PER_SECOND: Key = Key {
    table: "limits",
    name: "total_connections_per_second",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("5000"),
    doc: "New control connections each second of all sources together. One more is dropped \
          (`total_rate`), or answered with a SYN cookie.",
};

pub(in crate::config) const TOTAL_CONNECTIONS_BURST: Key = Key {
    table: "limits",
    name: "total_connections_burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("20000"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const STRAY_PACKETS_PER_SECOND: Key = Key {
    table: "limits",
    name: "stray_packets_per_second",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("100"),
    doc: "Segments of a listed source to control ports each second that belong to no \
          connection. Within the rate they reach the server's TCP stack, which answers them \
          with a reset; beyond it they are dropped (`stray_ack`, `stray_rst`, `stray_fin`, \
          `stray_data`).",
};

pub(in crate::config) const STRAY_PACKETS_BURST: Key = Key {
    table: "limits",
    name: "stray_packets_burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("500"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const TOTAL_STRAY_PACKETS_PER_SECOND: Key = Key {
    table: "limits",
    name: "total_stray_packets_per_second",
    kind: "integer from 0 to 1000000; `0`: no limit",
    default: Default::Value("1000"),
    doc: "The same for all sources together.",
};

pub(in crate::config) const TOTAL_STRAY_PACKETS_BURST: Key = Key {
    table: "limits",
    name: "total_stray_packets_burst",
    kind: "integer from 1 to 1000000",
    default: Default::Value("5000"),
    doc: "How many of them may come at once after a pause.",
};

pub(in crate::config) const SYN_COOKIES: Key = Key {
    table: "limits",
    name: "syn_cookies",
    kind: "`\"auto\"`, `\"always\"` or `\"off\"`",
    default: Default::Value(r#""auto""#),
    doc: "When the guard itself answers connection requests of listed sources with SYN cookies, \
          so that requests with forged sources cost the server nothing. `auto`: during an \
          attack, and where a rate would refuse a request. They need the sysctls \
          `net.ipv4.tcp_syncookies` and `net.ipv4.tcp_timestamps` at 2, which the daemon sets \
          while cookies are in use (with `always`: as long as it is in force) and then sets \
          back; `ftp-guard detach` does so too. On a router there are none, since only the \
          server's own kernel can tell a cookie that it was sent; `ftp-guard status` says so.",
};

pub(in crate::config) const ATTACK_RATE: Key = Key {
    table: "limits",
    name: "attack_rate",
    kind: "integer from 0 to 10000000; `0`: nothing is an attack",
    default: Default::Value("1000"),
    doc: "An attack begins when listed sources send so many connection requests and segments of \
          no connection in a second; it is measured over a tenth of one.",
};

pub(in crate::config) const ATTACK_HOLD: Key = Key {
    table: "limits",
    name: "attack_hold",
    kind: "duration from `\"1s\"` to `\"1h\"`",
    default: Default::Value(r#""10s""#),
    doc: "An attack is over when for so long it was less than half of that.",
};
