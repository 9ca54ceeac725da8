//! The client side of the control socket, blocking: one command, one connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    ops::ControlFlow,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    MAX_REPLY_LINE,
    protocol::{EXIT_FAILED, EXIT_NOT_PERMITTED, Failure, Reply, Request, decode_reply, encode},
};

/// How long the daemon may take over a request. A million entries take it some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of text in one piece of an import: escaped as JSON it at most grows sixfold.
const IMPORT_PIECE: usize = 32 * 1024;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no daemon answers on {path} ({why}); is `ftp-guard run` running, with this control socket?", why = no_daemon(source)
    )]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket's permissions keep us out.
    #[error("{path}: not permitted; run as root or as a member of the group `{group}`", group = super::socket::GROUP)]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// The connection broke.
    #[error("{path}: {source}")]
    Connection {
        /// The socket.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
    /// The daemon answered with a failure.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl ClientError {
    /// What the command line exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoDaemon { .. } | Self::Connection { .. } => EXIT_FAILED,
            Self::NotPermitted { .. } => EXIT_NOT_PERMITTED,
            Self::Failure(failure) => failure.exit_code,
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the control socket at `path`.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoDaemon`] or [`ClientError::NotPermitted`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::NotPermitted {
                path: path.to_owned(),
            },
            _ => ClientError::NoDaemon {
                path: path.to_owned(),
                source,
            },
        })?;
        let client = Self {
            path: path.to_owned(),
            stream: BufReader::new(stream),
        };
        let socket = client.stream.get_ref();
        socket
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| socket.set_write_timeout(Some(PATIENCE)))
            .map_err(|source| client.broken(source))?;
        Ok(client)
    }

    /// Sends a request and waits for its result; members of a list go to `member` one by one.
    ///
    /// # Errors
    ///
    /// The daemon's failure, or a broken connection.
    pub fn call<R, M>(
        &mut self,
        request: &Request,
        mut member: impl FnMut(M),
    ) -> Result<R, ClientError>
    where
        R: DeserializeOwned,
        M: DeserializeOwned,
    {
        // The daemon may refuse and close before it has read all: its answer says more than the
        // broken write.
        let sent = self.send(request);
        loop {
            let line = match self.receive() {
                Ok(line) => line,
                Err(error) => {
                    sent?;
                    return Err(error);
                }
            };
            match decode_reply(&line)? {
                Reply::Part(members) => {
                    for value in members {
                        member(typed(value)?);
                    }
                }
                Reply::Result(value) => return typed(value),
                Reply::Error(failure) => return Err(failure.into()),
            }
        }
    }

    /// Sends a request whose parts come when they come: each member goes to `member`, until that says
    /// that it has enough; nothing is returned then.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn follow<R: DeserializeOwned>(
        &mut self,
        request: &Request,
        mut member: impl FnMut(serde_json::Value) -> ControlFlow<()>,
    ) -> Result<Option<R>, ClientError> {
        let socket = self.stream.get_ref();
        socket
            .set_read_timeout(None)
            .map_err(|source| self.broken(source))?;
        self.send(request)?;
        loop {
            match decode_reply(&self.receive()?)? {
                Reply::Part(members) => {
                    for value in members {
                        if member(value).is_break() {
                            return Ok(None);
                        }
                    }
                }
                Reply::Result(value) => return typed(value).map(Some),
                Reply::Error(failure) => return Err(failure.into()),
            }
        }
    }

    /// Sends a request whose answer is no list.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn ask<R: DeserializeOwned>(&mut self, request: &Request) -> Result<R, ClientError> {
        self.call(request, |_: serde_json::Value| {})
    }

    /// Sends the text of an import, in pieces that fit a request.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn import<R: DeserializeOwned>(
        &mut self,
        name: &Path,
        text: &str,
    ) -> Result<R, ClientError> {
        let mut rest = text;
        loop {
            let mut cut = rest.len().min(IMPORT_PIECE);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (piece, behind) = rest.split_at(cut);
            let request = Request::AllowImport {
                name: name.to_owned(),
                text: piece.to_owned(),
                more: !behind.is_empty(),
            };
            if behind.is_empty() {
                return self.ask(&request);
            }
            if self.send(&request).is_err() {
                // As in `call`: the answer says why.
                return match decode_reply(&self.receive()?)? {
                    Reply::Error(failure) => Err(failure.into()),
                    _ => Err(Failure::failed("the daemon's reply is out of order").into()),
                };
            }
            rest = behind;
        }
    }

    fn send(&mut self, body: &impl Serialize) -> Result<(), ClientError> {
        let line = encode(body)
            .map_err(|error| Failure::usage(format!("the request cannot be written: {error}")))?;
        self.stream
            .get_mut()
            .write_all((line + "\n").as_bytes())
            .map_err(|source| self.broken(source))
    }

    fn receive(&mut self) -> Result<String, ClientError> {
        let mut line = String::new();
        let limit = MAX_REPLY_LINE as u64 + 1;
        let read = Read::by_ref(&mut self.stream)
            .take(limit)
            .read_line(&mut line)
            .map_err(|source| self.broken(source))?;
        if !line.ends_with('\n') {
            return Err(self.broken(if read as u64 == limit {
                io::Error::other("the daemon's reply is too long")
            } else {
                io::Error::other("the daemon closed the connection without an answer")
            }));
        }
        Ok(line)
    }

    fn broken(&self, source: io::Error) -> ClientError {
        let source = match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::other(format!(
                "the daemon gave no answer within {} s",
                PATIENCE.as_secs()
            )),
            _ => source,
        };
        ClientError::Connection {
            path: self.path.clone(),
            source,
        }
    }
}

fn no_daemon(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there any more".to_owned(),
        _ => error.to_string(),
    }
}

fn typed<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ClientError> {
    serde_json::from_value(value).map_err(|error| {
        Failure::failed(format!("the daemon's reply is not as expected: {error}")).into()
    })
}
