//! The table of rules: what is detected, how much it matters, what it means and what to do about it.
//!
//! `docs/detections.md`, the names in the configuration and those of metrics come from it. Names are
//! append-only, as those of reasons are.

use crate::engine::events::Severity;

/// Whether a rule can ban, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Banning {
    /// Its sources have proven their address.
    Possible,
    /// It is about a server.
    NoSource,
    /// It is seen in packets whose source may be forged.
    Unproven,
}

impl Banning {
    /// Why a rule cannot ban, as the end of a sentence; `None`: it can.
    #[must_use]
    pub const fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Possible => None,
            Self::NoSource => Some("it is about a server, and has no source to ban"),
            Self::Unproven => {
                Some("it is seen in connection requests, whose source anybody can forge")
            }
        }
    }
}

macro_rules! rules {
    ($($rule:ident = $name:literal, $severity:ident, $banning:ident;
        $means:literal; $advice:literal)*) => {
        /// A rule of detection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $means] $rule,)*
        }

        impl Rule {
            /// All rules, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in events, metrics and the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// How much it matters at most; single findings may matter less, never more.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity,)* }
            }

            /// Whether it can ban.
            #[must_use]
            pub const fn banning(self) -> Banning {
                match self { $(Self::$rule => Banning::$banning,)* }
            }

            /// What is seen, and what it means. Markdown, one paragraph.
            #[must_use]
            pub const fn means(self) -> &'static str {
                match self { $(Self::$rule => $means,)* }
            }

            /// What to do about it. Markdown, one paragraph.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$rule => $advice,)* }
            }
        }
    };
}

rules! {
    LoginFailures = "login_failures", High, Possible;
        "A source has sent `detect.max_failures` passwords that a server refused, within \
         `detect.window`: somebody guesses, or a program has an old password. A login that is accepted \
         in between does not begin the count anew, so that a partner's own account is no cover for \
         guessing at others. Answers that say try later (4xx) do not count, nor does a name that is \
         refused before a password was sent.";
        "By default the source is banned. Ask whoever it is; put partners whose programs often fail \
         into `bans.never_ban`, and take a ban back with `ftp-guard ban remove`."
    LoginFailuresSpread = "login_failures_spread", High, Possible;
        "`detect.max_failures_all` passwords for one user, or at one server, were refused within \
         `detect.window`, and they came from at least three sources: guessing that is spread so that no \
         source fails often.";
        "See with `ftp-guard events --reason login_failures_spread` which user or server it is. When \
         the rule is listed in `detect.ban`, all sources that failed within the window are banned, the \
         last 256 of them, partners with a typing mistake included."
    TlsLoginFailures = "tls_login_failures", Low, Possible;
        "`detect.max_tls_failures` sessions under TLS of one source ended within ten seconds and \
         without a data connection, within `detect.window`. Logins under TLS cannot be read; this is what \
         guessing looks like from outside, but also a program that looks every few seconds whether the \
         server is there.";
        "Look into the server's own log. List the rule in `detect.ban` only when no partner's monitoring \
         does the same."
    AnonymousLogin = "anonymous_login", Medium, Possible;
        "A server has accepted a login as `anonymous` or `ftp`: it gives files to everybody who is on \
         the allowlist.";
        "Turn it off in the server, or refuse it with `anonymous = false` in the profile."
    CleartextLogin = "cleartext_login", Medium, Possible;
        "A name and a password have crossed the network without TLS, where whoever is on the way can \
         read them. One that the server refused matters less (low) than one that it accepted (medium).";
        "Have the partner use TLS, then refuse the rest with `require_tls` in the profile. Passwords that \
         were sent in clear should be changed."
    BounceAttempt = "bounce_attempt", High, Possible;
        "PORT or EPRT named a host other than the client (RFC 2577 section 3), a port below 1024, or the \
         server tried to open a data connection to one. A private address may be that of a client behind \
         NAT with a wrong setting, and matters less (medium). With `ftp.fxp` only what the guard drops \
         counts.";
        "The guard drops these connections. Ask the partner; a client behind NAT should use passive mode."
    PasvTheft = "pasv_theft", High, Unproven;
        "A source tried to connect to a passive port that a session of somebody else has negotiated \
         (RFC 2577 section 8). The guard has dropped it.";
        "Nothing is lost. A partner whose data connections come from another address than its control \
         connection (several uplinks, a proxy) looks the same, and has to be told."
    PortExhaustion = "port_exhaustion", High, Possible;
        "A source has negotiated passive ports without using them, or opened more data connections than \
         its profile permits (medium); or a table of data connections or ports is full (high).";
        "See `ftp-guard sessions --sources` for who holds them. Raise `sessions.max_data` if the load is \
         legitimate; else lower `max_sessions` and `max_data_connections` of the profile. A ban follows \
         only from what a session did, not from connection requests, which can be forged."
    DangerousCommand = "dangerous_command", Critical, Possible;
        "A command that has no use but to break into a server, or that gave away servers in the past. \
         What is looked for is in the table below.";
        "Find out who it is and whether the server answered with 2xx. A scanner that was ordered does \
         the same."
    PathTraversal = "path_traversal", High, Possible;
        "A path that tries to leave the user's folder: `..` above the root, four or more levels up, \
         encoded (`%2e%2e`), with backslashes, or components of three and more dots.";
        "Servers that keep users in their folder refuse it. Check that yours does (`chroot_local_user` of \
         vsftpd, `DefaultRoot` of ProFTPD)."
    MassDelete = "mass_delete", High, Possible;
        "A source has deleted `detect.max_deletes` files or folders within `detect.window`.";
        "If nobody cleans up, end the session with `ftp-guard kill` and look at the backup. A partner \
         who deletes what he has fetched needs a higher number."
    MassRename = "mass_rename", High, Possible;
        "A source has renamed `detect.max_renames` files or folders within `detect.window`: what \
         ransomware does when it has encrypted them.";
        "As with `mass_delete`. A partner who uploads under temporary names needs a higher number."
    CommandFlood = "command_flood", Medium, Possible;
        "A source has sent more than `detect.max_commands` commands a second over ten seconds.";
        "The profile's `control_packets_per_second` bounds what reaches the server."
    OverlongLine = "overlong_line", Medium, Possible;
        "A line on a control connection was longer than any that FTP has: an attempt at a buffer \
         overflow, or no FTP. From a server it matters less (low).";
        "Find out what the client is. Keep the server up to date."
    BinaryJunk = "binary_junk", Low, Possible;
        "Bytes that are no text on a control connection: no FTP, a broken client, or an attempt at \
         something.";
        "Find out what the client is."
    ForeignProtocol = "foreign_protocol", Medium, Possible;
        "One side speaks something else than FTP on an FTP port: SSH, HTTP, SMB, SMTP, or TLS where clear \
         text belongs (low: most often a client that is set to implicit TLS).";
        "A client: a scanner, a browser, or a wrong setting. A server: the port should not be in \
         `ftp.control_ports`, or something runs there that should not."
    OddPort = "odd_port", Medium, NoSource;
        "A server on a port that is not in `ftp.control_ports` speaks FTP: the guard does not guard it. \
         Told once a day for each server.";
        "Stop it, or add the port to `ftp.control_ports`."
    VulnerableSoftware = "vulnerable_software", Critical, NoSource;
        "A server calls itself by a version that the table of known vulnerabilities has. Its severity \
         is that of the worst; those that nobody has rated count as medium. Told once a day for each \
         server and version.";
        "Update the server. Distributions mend holes without a new version number: see their security \
         notices for the CVE numbers in the message, and list the rule in `detect.disable` when all \
         are mended. `detect.cve_file` names a newer table."
    PolicyRefusal = "policy_refusal", Low, Possible;
        "The guard has refused what the profile forbids: a login without TLS (`tls_required`), an \
         anonymous login (`anonymous_refused`), a change (`read_only`) or a command \
         (`command_denied`).";
        "Tell the partner, or change the profile."
}

impl Rule {
    /// The rule of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.as_str() == name)
    }

    /// Whether what it tells holds until somebody changes it, so that it is told once a day.
    #[must_use]
    pub const fn daily(self) -> bool {
        matches!(self, Self::OddPort | Self::VulnerableSoftware)
    }
}

/// Some of the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSet(u32);

impl RuleSet {
    /// Whether a rule is among them.
    #[must_use]
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }

    /// The rules, in the order of [`Rule::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Rule> {
        let rules = Rule::ALL.iter().copied();
        rules.filter(move |rule| self.has(*rule))
    }
}

impl FromIterator<Rule> for RuleSet {
    fn from_iter<T: IntoIterator<Item = Rule>>(rules: T) -> Self {
        Self(
            rules
                .into_iter()
                .fold(0, |set, rule| set | 1 << rule as u32),
        )
    }
}

const _: () = assert!(Rule::COUNT <= 32, "a set of rules is a number of 32 bits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_names_of_their_own() {
        for rule in Rule::ALL {
            let name = rule.as_str();
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
            assert_eq!(Rule::from_name(name), Some(*rule));
        }
        assert_eq!(Rule::from_name("login"), None);
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let set: RuleSet = [Rule::PasvTheft, Rule::LoginFailures].into_iter().collect();
        assert!(set.has(Rule::LoginFailures) && !set.has(Rule::OddPort));
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [Rule::LoginFailures, Rule::PasvTheft]
        );
        assert_eq!(RuleSet::default().iter().count(), 0);
    }
}
