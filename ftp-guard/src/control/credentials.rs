//! Who may speak to the daemon: root, the daemon's own user, and members of the socket's group.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use nix::unistd::{Gid, Uid};

/// The rights that the kernel recorded when the peer connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Reads the credentials of a connected Unix socket.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell them.
    pub fn of(socket: &tokio::net::UnixStream) -> io::Result<Self> {
        let credentials = socket.peer_cred()?;
        Ok(Self {
            uid: credentials.uid(),
            gid: credentials.gid(),
            groups: peer_groups(socket)?,
        })
    }

    /// Whether the peer may use the socket.
    ///
    /// The file's permissions say the same; this holds when someone changed them.
    #[must_use]
    pub fn permitted(&self, own_uid: Uid, socket_group: Option<Gid>) -> bool {
        self.uid == 0
            || self.uid == own_uid.as_raw()
            || socket_group.is_some_and(|group| {
                self.gid == group.as_raw() || self.groups.contains(&group.as_raw())
            })
    }
}

/// Supplementary groups of the peer: `SO_PEERGROUPS`, Linux 4.13.
fn peer_groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups: Vec<u32> = vec![0; 64];
    loop {
        let mut bytes =
            libc::socklen_t::try_from(groups.len() * size_of::<u32>()).map_err(io::Error::other)?;
        // SAFETY: `groups` has room for `bytes` bytes, the kernel writes at most that many, and
        // both pointers live through the call.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let error = io::Error::last_os_error();
        let needed = bytes as usize / size_of::<u32>();
        if result == 0 {
            groups.truncate(needed);
            return Ok(groups);
        }
        // ERANGE tells the size that is needed; a process has at most 65536 groups.
        if error.raw_os_error() != Some(libc::ERANGE) || needed <= groups.len() {
            return Err(error);
        }
        groups.resize(needed, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32, groups: &[u32]) -> Peer {
        Peer {
            uid,
            gid,
            groups: groups.to_vec(),
        }
    }

    #[test]
    fn root_the_daemon_and_the_group_may_others_may_not() {
        let own = Uid::from_raw(500);
        let group = Some(Gid::from_raw(77));
        assert!(peer(0, 0, &[]).permitted(own, group));
        assert!(peer(500, 1, &[]).permitted(own, group));
        assert!(peer(1000, 77, &[]).permitted(own, group));
        assert!(peer(1000, 1000, &[4, 77]).permitted(own, group));
        assert!(!peer(1000, 1000, &[4]).permitted(own, group));
        assert!(!peer(1000, 77, &[77]).permitted(own, None));
        assert!(!peer(1000, 0, &[0]).permitted(own, None));
    }

    #[tokio::test]
    async fn a_socket_tells_our_own_credentials() {
        let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
        let peer = Peer::of(&ours).unwrap();
        assert_eq!(peer.uid, Uid::effective().as_raw());
        assert_eq!(peer.gid, Gid::effective().as_raw());
        let mut own: Vec<u32> = nix::unistd::getgroups()
            .unwrap()
            .iter()
            .map(|gid| gid.as_raw())
            .collect();
        let mut groups = peer.groups;
        own.sort_unstable();
        groups.sort_unstable();
        assert_eq!(groups, own);
    }
}
