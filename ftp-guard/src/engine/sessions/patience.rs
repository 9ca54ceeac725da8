//! How long clients may take.

/// The times of a profile, in nanoseconds; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Time to log in, once before the server's greeting and once after it.
    pub login_ns: Option<u64>,
    /// Time that a session may be without a packet.
    pub idle_ns: Option<u64>,
    /// Time that a data connection may carry nothing.
    pub data_idle_ns: Option<u64>,
}

impl Patience {
    /// The shortest time of each kind: who is within these is within those of any profile.
    #[must_use]
    pub fn shortest(all: &[Self]) -> Self {
        let least = |time: fn(&Self) -> Option<u64>| all.iter().filter_map(time).min();
        Self {
            login_ns: least(|patience| patience.login_ns),
            idle_ns: least(|patience| patience.idle_ns),
            data_idle_ns: least(|patience| patience.data_idle_ns),
        }
    }
}
