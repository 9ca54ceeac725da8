//! The combinations of the matrix, and which of them do not work even without a guard.

use std::fmt;

use ftp_guard_tests::lab::{
    Family, Tls,
    clients::{Client, Direction, Negotiation, Transfer},
    servers::Make,
};

/// One cell of the matrix: everything but the server and the direction.
#[derive(Clone, Copy, Debug)]
pub struct Combination {
    /// The client.
    pub client: Client,
    /// How it is encrypted.
    pub tls: Tls,
    /// Over which IP version.
    pub family: Family,
    /// How the data connection is negotiated.
    pub negotiation: Negotiation,
}

impl Combination {
    /// All that client and server can be told, whether it works or not.
    pub fn all(make: Make) -> Vec<Self> {
        let mut all = Vec::new();
        for client in Client::ALL {
            for tls in Tls::ALL {
                for family in Family::BOTH {
                    for negotiation in Negotiation::ALL {
                        let told = client.speaks(family, negotiation)
                            && client.encrypts(tls)
                            && make.offers(tls);
                        if told {
                            all.push(Self {
                                client,
                                tls,
                                family,
                                negotiation,
                            });
                        }
                    }
                }
            }
        }
        all
    }

    /// The transfer of this combination in one direction.
    pub fn transfer(self, direction: Direction) -> Transfer {
        let Self {
            client,
            tls,
            family,
            negotiation,
        } = self;
        Transfer {
            tls,
            // The thief holds its data connection, for a moment.
            patience_s: 20,
            ..Transfer::new(client, family, negotiation, direction)
        }
    }

    /// What is known to be wrong with this combination, guard or not; none when it works.
    pub fn flaw(self, make: Make) -> Option<Flaw> {
        let active = self.negotiation.is_active();
        if self.client != Client::Curl || self.tls == Tls::Clear {
            None
        } else if active {
            let why = "curl before 8.0 hangs in active mode with TLS (curl issue 10666)";
            Some(Flaw::Fails(why))
        } else if make == Make::Pyftpdlib {
            let why = "pyftpdlib 1.5.7 closes a data connection on which the client speaks before \
                       the server has said 1xx, as curl does under TLS; it works when curl is late";
            Some(Flaw::Races(why))
        } else {
            None
        }
    }
}

/// Why a combination does not work without a guard.
#[derive(Clone, Copy, Debug)]
pub enum Flaw {
    /// It never works.
    Fails(&'static str),
    /// It works by chance, which proves nothing.
    Races(&'static str),
}

impl Flaw {
    /// The reason, for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::Fails(why) | Self::Races(why) => why,
        }
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            tls,
            family,
            negotiation,
        } = self;
        write!(f, "{client}, {tls}, {family}, {}", negotiation.verb())
    }
}
