//! A router in front of the server.

use anyhow::{Context, Result};

use super::{Addresses, End, Host, Lab, SERVER, Site, accounts, segment::Segment};

/// Four hosts: a client and a stranger on an outer segment, the server behind a router.
///
/// ```text
///   client   10.232.0.2 --+
///                         |-- switch -- outer 10.232.0.1  router  inner 10.231.0.254 -- eth0 10.231.0.1  server
///   stranger 10.232.0.3 --+             ^ the guard
/// ```
///
/// and the same numbers below fd00:232:: and fd00:231::.
pub struct Router {
    /// The lab that the hosts are in.
    pub lab: Lab,
    /// Where the FTP server runs.
    pub server: Host,
    /// Where the guard runs.
    pub router: Host,
    /// The client that suites put on the allowlist.
    pub client: Host,
    /// The other host outside.
    pub stranger: Host,
    _switch: Segment,
}

impl Router {
    /// The router's interface towards the clients.
    pub const OUTER: &str = "outer";
    /// The client's addresses.
    pub const CLIENT: Addresses = Addresses::outside(2);
    /// The stranger's addresses.
    pub const STRANGER: Addresses = Addresses::outside(3);

    const INNER: &str = "inner";
    const OUTSIDE: Addresses = Addresses::outside(1);
    const INSIDE: Addresses = Addresses::number(254);

    /// Makes the hosts, the cables and the routes, and the accounts that FTP servers need.
    ///
    /// # Errors
    /// When the kernel or `ip` refuse; root is needed.
    pub fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let host = |name| lab.host(name);
        let (server, router) = (host("server")?, host("router")?);
        let (client, stranger) = (host("client")?, host("stranger")?);
        let switch = Segment::new(&lab)?;
        for (host, interface, addresses) in [
            (&router, Self::OUTER, &Self::OUTSIDE),
            (&client, Site::INTERFACE, &Self::CLIENT),
            (&stranger, Site::INTERFACE, &Self::STRANGER),
        ] {
            switch.plug(&lab, End { host, interface }, addresses)?;
        }
        let (near, far) = (
            End {
                host: &router,
                interface: Self::INNER,
            },
            End {
                host: &server,
                interface: Site::INTERFACE,
            },
        );
        lab.connect(near, far)?;
        router.configure(Self::INNER, &Self::INSIDE)?;
        server.configure(Site::INTERFACE, &SERVER)?;
        for name in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            router.sysctl(name, "1")?;
        }
        for (host, by) in [
            (&server, &Self::INSIDE),
            (&client, &Self::OUTSIDE),
            (&stranger, &Self::OUTSIDE),
        ] {
            host.ip(&[
                format!("route add 0.0.0.0/0 via {}", by.v4),
                format!("route add ::/0 via {}", by.v6),
            ])
            .with_context(|| format!("no route from {}", host.name()))?;
        }
        accounts::install(&lab)?;
        Ok(Self {
            lab,
            server,
            router,
            client,
            stranger,
            _switch: switch,
        })
    }

    /// Runs a test at a new router. When it fails, the logs of every program are printed.
    ///
    /// # Panics
    /// When the test returns an error or panics.
    pub fn test(body: impl FnOnce(&Self) -> Result<()>) {
        let router = Self::new().expect("cannot make the router");
        router.lab.judge(|| body(&router));
    }
}
