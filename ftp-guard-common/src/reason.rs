//! The verdict table: every reason for which a hook passes or drops a packet.

/// What a hook does with a packet.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The packet goes on to the stack.
    Pass = 0,
    /// The packet is discarded.
    Drop = 1,
    /// Monitor mode: enforce mode would have discarded the packet; it went on to the stack.
    WouldDrop = 2,
    /// The guard answers the packet itself, on the interface that it came from.
    Answer = 3,
}

impl Verdict {
    /// All verdicts, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Drop, Self::WouldDrop, Self::Answer];

    /// The name in metrics, JSON and text: `pass`, `drop`, `would_drop` or `answer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::WouldDrop => "would_drop",
            Self::Answer => "answer",
        }
    }
}

/// Declares [`Reason`] as one table of number, name and verdict, so that a rule's consequence is
/// read and changed in one place.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $verdict:ident;)+) => {
        /// Why a packet got its verdict. Numbers and names are append-only: a retired one is
        /// never used again.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant = $number,)+
        }

        impl Reason {
            /// All reasons, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in metrics, JSON and text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What enforce mode does with a packet of this reason: [`Verdict::Pass`],
            /// [`Verdict::Drop`] or [`Verdict::Answer`].
            #[inline(always)]
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict,)+ }
            }

            /// The explanation of the reason, one paragraph.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }

            /// The reason of a number as the kernel counted it.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

reasons! {
    /// Neither IPv4 nor IPv6: ARP, LLDP, MPLS and so on.
    NotIp = 0, "not_ip", Pass;
    /// IP, but not TCP (tunnels and encrypted payload included).
    NotTcp = 1, "not_tcp", Pass;
    /// TCP to a port that is no FTP port of this guard.
    NotFtp = 2, "not_ftp", Pass;
    /// A fragment that does not begin the packet. Nothing reassembles without an accepted first one.
    LaterFragment = 3, "later_fragment", Pass;
    /// The frame or the IP packet ends before the headers do; the stack discards it.
    Truncated = 4, "truncated", Pass;
    /// Impossible IP version, header length or total length; the stack discards it.
    BadIpHeader = 5, "bad_ip_header", Pass;
    /// The source is on the allowlist, and the control connection is no session yet.
    Listed = 6, "listed", Pass;
    /// The control connection of a session.
    Session = 7, "session", Pass;
    /// A data connection that belongs to a session.
    DataFlow = 8, "data_flow", Pass;
    /// The handshake of a passive data connection, to a port that a session of this client has
    /// negotiated.
    Pinhole = 9, "pinhole", Pass;
    /// The handshake of a passive data connection of a client with an encrypted session, to a port that
    /// listens.
    TlsListening = 10, "tls_listening", Pass;
    /// A connection that this host opened itself, from a port that happens to be one of FTP.
    Outgoing = 11, "outgoing", Pass;
    /// A data connection from before the guard came, in its first moments.
    Adopting = 12, "adopting", Pass;
    /// Egress: the server opens the data connection that PORT or EPRT named.
    ActiveNamed = 13, "active_named", Pass;
    /// Egress: the server opens a data connection from an active data port to the client of a live
    /// session.
    ActiveClient = 14, "active_client", Pass;
    /// Egress: the server's segment outside any session or data connection: a handshake, a reset.
    ServerAnswer = 15, "server_answer", Pass;

    /// The source is not on the allowlist.
    NotListed = 16, "not_listed", Drop;
    /// The most specific allowlist entry that covers the source is an exclusion (`!`).
    Excluded = 17, "excluded", Drop;
    /// The allowlist entry that covered the source has expired, and no other one covers it.
    Expired = 18, "expired", Drop;
    /// A SYN from outside to an active data port, where only the server opens connections.
    ActiveDataSyn = 19, "active_data_syn", Drop;
    /// More VLAN tags than the guard looks behind.
    VlanTooDeep = 20, "vlan_too_deep", Drop;
    /// More IPv6 extension headers than the guard follows.
    ExtensionsTooDeep = 21, "extensions_too_deep", Drop;
    /// A first fragment that ends before its TCP header does, towards an FTP port or one that is
    /// hidden (RFC 1858, RFC 7112).
    FragmentedHeader = 22, "fragmented_header", Drop;
    /// An unfragmented packet to an FTP port that ends before its TCP header does.
    TcpTruncated = 23, "tcp_truncated", Drop;
    /// A TCP data offset below five words or beyond the end of the packet.
    TcpBadOffset = 24, "tcp_bad_offset", Drop;
    /// A TCP segment with none of the six flags of RFC 793.
    TcpNull = 25, "tcp_null", Drop;
    /// A TCP segment with FIN, PSH and URG together.
    TcpXmas = 26, "tcp_xmas", Drop;
    /// A TCP segment with SYN and FIN together.
    TcpSynFin = 27, "tcp_syn_fin", Drop;
    /// A TCP segment with SYN and RST together.
    TcpSynRst = 28, "tcp_syn_rst", Drop;
    /// A connection request (SYN without ACK) that carries payload.
    TcpSynData = 29, "tcp_syn_data", Drop;
    /// A SYN to a passive port from a client that has a session, but has not negotiated this port.
    NoPinhole = 30, "no_pinhole", Drop;
    /// A SYN to a passive port that another client has negotiated (RFC 2577, "PASV theft").
    PasvTheft = 31, "pasv_theft", Drop;
    /// A SYN of a client with an encrypted session to a passive port that does not listen, or whose
    /// listener is younger than the server's last word to this client.
    NotListening = 32, "not_listening", Drop;
    /// A segment to a data port that belongs to no data connection and begins none.
    NoFlow = 33, "no_flow", Drop;
    /// A connection that `kill` ended.
    Killed = 34, "killed", Drop;
    /// Egress: the greeting of a new session, and the table of sessions is full.
    SessionTableFull = 35, "session_table_full", Drop;
    /// The handshake of a data connection, and the table of data connections is full.
    FlowTableFull = 36, "flow_table_full", Drop;
    /// Egress: the session negotiates passive ports and leaves too many of them unused.
    PinholeLimit = 37, "pinhole_limit", Drop;
    /// Egress: a session negotiates a passive port, and the table of pinholes is full.
    PinholeTableFull = 38, "pinhole_table_full", Drop;
    /// Egress: a data connection to an address that is not the client of a live session (RFC 2577, FTP
    /// bounce).
    Bounce = 39, "bounce", Drop;
    /// Egress: a data connection to a port below 1024 (RFC 2577 section 3).
    ActiveLowPort = 40, "active_low_port", Drop;
    /// A segment of a control connection beyond bytes that are still missing; for a profile with a policy also
    /// one before the greeting or behind the end, and a fragment. The sender sends it again; so the guard and the
    /// receiver read the same bytes in the same order.
    ControlGap = 41, "control_gap", Drop;
    /// A SYN to a passive port from a listed source that has no session.
    NoSession = 42, "no_session", Drop;
    /// Egress: a session names a passive port outside the configured ranges.
    OutsideRange = 43, "outside_range", Pass;
    /// PORT or EPRT in a form that the guard cannot read and some server may (RFC 959, RFC 2428): where
    /// the server would connect to could not be judged.
    ActiveUnreadable = 44, "active_unreadable", Drop;
    /// The source is banned.
    Banned = 45, "banned", Drop;
    /// A SYN to a control port is answered by the guard itself with a SYN cookie (RFC 4987 section 3.6):
    /// during an attack, or where a limit would refuse a source that has proven nothing. Monitor mode lets
    /// it pass.
    SynCookie = 46, "syn_cookie", Answer;
    /// The acknowledgement of a SYN cookie of this host: the source is proven.
    CookieAccepted = 47, "cookie_accepted", Pass;
    /// A SYN beyond the rate of new connections that the source's profile permits; to a passive port,
    /// more handshakes to one port than a client needs.
    SourceRate = 48, "source_rate", Drop;
    /// A SYN beyond the rate of new connections of its network, /24 or /48.
    NetworkRate = 49, "network_rate", Drop;
    /// A SYN beyond the rate of new connections of all sources together.
    TotalRate = 50, "total_rate", Drop;
    /// A new control connection of a source that has as many as its profile permits.
    SessionLimit = 51, "session_limit", Drop;
    /// A new data connection of a source that has as many as its profile permits for its sessions.
    DataLimit = 52, "data_limit", Drop;
    /// A segment beyond the rate that the profile permits on a control connection.
    ControlRate = 53, "control_rate", Drop;
    /// ACK without payload to a control port, of no connection, beyond the rate of such.
    StrayAck = 54, "stray_ack", Drop;
    /// RST to a control port, of no connection, beyond the rate of such.
    StrayRst = 55, "stray_rst", Drop;
    /// FIN to a control port, of no connection, beyond the rate of such.
    StrayFin = 56, "stray_fin", Drop;
    /// Payload to a control port, of no connection, beyond the rate of such.
    StrayData = 57, "stray_data", Drop;
    /// The end of a handshake, and the table of sources is full.
    SourceTableFull = 58, "source_table_full", Drop;
    /// The end of a handshake, and the table of connections that wait for their greeting is full.
    OpeningTableFull = 59, "opening_table_full", Drop;
    /// A SYN that was to be answered with a SYN cookie, which could not be made; or that was to pass so that the
    /// server's stack makes one, and its checksum is wrong.
    CookieFailed = 60, "cookie_failed", Drop;
    /// USER, PASS or ACCT in clear text, which the client's profile permits under TLS only (`require_tls`). The
    /// session is over.
    TlsRequired = 61, "tls_required", Drop;
    /// USER with the name anonymous or ftp, which the client's profile does not permit (`anonymous = false`). The
    /// session is over.
    AnonymousRefused = 62, "anonymous_refused", Drop;
    /// A command in clear text that changes files, which the client's profile does not permit (`read_only`). The
    /// session is over.
    ReadOnly = 63, "read_only", Drop;
    /// A command in clear text that the client's profile does not permit (`deny_commands`). The session is over.
    CommandDenied = 64, "command_denied", Drop;
}

impl Reason {
    /// The reason of a number, if it is one for which a command is refused and its session ends.
    #[inline(always)]
    #[must_use]
    pub const fn refusal(number: u8) -> Option<Self> {
        match number {
            61 => Some(Self::TlsRequired),
            62 => Some(Self::AnonymousRefused),
            63 => Some(Self::ReadOnly),
            64 => Some(Self::CommandDenied),
            _ => None,
        }
    }

    /// Whether a command is refused for it, and its session ends.
    #[inline(always)]
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::TlsRequired | Self::AnonymousRefused | Self::ReadOnly | Self::CommandDenied
        )
    }
}

/// Room for reason numbers in the counter table: numbers are below this.
pub const REASON_SLOTS: u32 = 128;

const _: () = {
    let mut i = 0;
    while i < Reason::ALL.len() {
        assert!((Reason::ALL[i] as u32) < REASON_SLOTS);
        assert!(i == 0 || (Reason::ALL[i - 1] as u8) < Reason::ALL[i] as u8);
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for number in 0..=u8::MAX {
            match Reason::from_number(number) {
                Some(reason) => assert_eq!(reason as u8, number),
                None => assert!(Reason::ALL.iter().all(|r| *r as u8 != number)),
            }
        }
    }

    #[test]
    fn refusals_are_those_of_policies() {
        for reason in Reason::ALL {
            let by_number = Reason::refusal(*reason as u8);
            assert_eq!(by_number, reason.is_refusal().then_some(*reason));
        }
    }

    #[test]
    fn published_numbers_and_names_do_not_move() {
        for (number, name) in [
            (0, "not_ip"),
            (1, "not_tcp"),
            (2, "not_ftp"),
            (3, "later_fragment"),
            (4, "truncated"),
            (5, "bad_ip_header"),
            (6, "listed"),
            (16, "not_listed"),
            (17, "excluded"),
            (18, "expired"),
            (19, "active_data_syn"),
            (20, "vlan_too_deep"),
            (21, "extensions_too_deep"),
            (22, "fragmented_header"),
            (23, "tcp_truncated"),
            (24, "tcp_bad_offset"),
            (25, "tcp_null"),
            (26, "tcp_xmas"),
            (27, "tcp_syn_fin"),
            (28, "tcp_syn_rst"),
            (29, "tcp_syn_data"),
            (7, "session"),
            (8, "data_flow"),
            (9, "pinhole"),
            (10, "tls_listening"),
            (11, "outgoing"),
            (12, "adopting"),
            (13, "active_named"),
            (14, "active_client"),
            (15, "server_answer"),
            (30, "no_pinhole"),
            (31, "pasv_theft"),
            (32, "not_listening"),
            (33, "no_flow"),
            (34, "killed"),
            (35, "session_table_full"),
            (36, "flow_table_full"),
            (37, "pinhole_limit"),
            (38, "pinhole_table_full"),
            (39, "bounce"),
            (40, "active_low_port"),
            (41, "control_gap"),
            (42, "no_session"),
            (43, "outside_range"),
            (44, "active_unreadable"),
            (45, "banned"),
            (46, "syn_cookie"),
            (47, "cookie_accepted"),
            (48, "source_rate"),
            (49, "network_rate"),
            (50, "total_rate"),
            (51, "session_limit"),
            (52, "data_limit"),
            (53, "control_rate"),
            (54, "stray_ack"),
            (55, "stray_rst"),
            (56, "stray_fin"),
            (57, "stray_data"),
            (58, "source_table_full"),
            (59, "opening_table_full"),
            (60, "cookie_failed"),
            (61, "tls_required"),
            (62, "anonymous_refused"),
            (63, "read_only"),
            (64, "command_denied"),
        ] {
            assert_eq!(Reason::from_number(number).map(Reason::as_str), Some(name));
        }
    }
}
