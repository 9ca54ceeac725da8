//! An import's text, collected from the requests that carry its pieces.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    MAX_IMPORT,
    protocol::{Failure, Request},
};

/// Joins the pieces of an import. One import at a time collects, so that memory is bounded.
#[derive(Debug)]
pub struct Collector {
    turn: Arc<Semaphore>,
    begun: Option<(OwnedSemaphorePermit, PathBuf, String)>,
}

impl Collector {
    /// A collector that shares `turn`, of one permit, with those of other connections.
    pub fn new(turn: Arc<Semaphore>) -> Self {
        Self { turn, begun: None }
    }

    /// Takes the next request: nothing while pieces are missing, else the request to carry out.
    ///
    /// # Errors
    ///
    /// When the text grows beyond [`MAX_IMPORT`], another import is under way, or another
    /// request comes between the pieces.
    pub fn take(&mut self, request: Request) -> Result<Option<Request>, Failure> {
        let (name, text, more) = match request {
            Request::AllowImport { name, text, more } => (name, text, more),
            _ if self.begun.is_some() => {
                self.begun = None;
                return Err(Failure::usage(
                    "another request came before the last piece of an import",
                ));
            }
            request => return Ok(Some(request)),
        };
        let (permit, name, collected) = match self.begun.take() {
            Some((permit, name, mut collected)) => {
                if collected.len() + text.len() > MAX_IMPORT {
                    return Err(Failure::failed(format!(
                        "the import is longer than {MAX_IMPORT} bytes; put the file into the \
                         allowlist folder instead"
                    )));
                }
                collected.push_str(&text);
                (permit, name, collected)
            }
            None => {
                let permit = Arc::clone(&self.turn)
                    .try_acquire_owned()
                    .map_err(|_| Failure::failed("another import is under way; try again"))?;
                (permit, name, text)
            }
        };
        if more {
            self.begun = Some((permit, name, collected));
            return Ok(None);
        }
        Ok(Some(Request::AllowImport {
            name,
            text: collected,
            more: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, more: bool) -> Request {
        Request::AllowImport {
            name: "partners.list".into(),
            text: text.into(),
            more,
        }
    }

    #[test]
    fn pieces_become_one_request() {
        let mut collector = Collector::new(Arc::new(Semaphore::new(1)));
        assert_eq!(collector.take(piece("192.0.", true)), Ok(None));
        assert_eq!(
            collector.take(piece("2.1\n", false)),
            Ok(Some(piece("192.0.2.1\n", false)))
        );
        assert_eq!(
            collector.take(Request::Status),
            Ok(Some(Request::Status)),
            "the import is over"
        );
    }

    #[test]
    fn one_import_at_a_time_collects() {
        let turn = Arc::new(Semaphore::new(1));
        let mut first = Collector::new(Arc::clone(&turn));
        let mut second = Collector::new(turn);
        assert_eq!(first.take(piece("a", true)), Ok(None));
        assert!(second.take(piece("b", true)).is_err());
        assert!(first.take(piece("c", false)).is_ok());
        assert_eq!(second.take(piece("b", true)), Ok(None));
    }

    #[test]
    fn another_request_in_between_ends_the_import() {
        let mut collector = Collector::new(Arc::new(Semaphore::new(1)));
        assert_eq!(collector.take(piece("a", true)), Ok(None));
        assert!(collector.take(Request::Status).is_err());
    }

    #[test]
    fn the_text_is_bounded() {
        let mut collector = Collector::new(Arc::new(Semaphore::new(1)));
        let large = "#".repeat(MAX_IMPORT / 2 + 1);
        assert_eq!(collector.take(piece(&large, true)), Ok(None));
        let failure = collector.take(piece(&large, true)).unwrap_err();
        assert!(
            failure.message.contains("longer than"),
            "{}",
            failure.message
        );
    }
}
