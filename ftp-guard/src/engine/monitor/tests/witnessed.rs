//! Sessions of clients that may not be here, as monitor mode follows them.

use ftp_guard_common::{reason::Reason, session::Tls};

use super::{
    super::{
        record::SessionRecord,
        told::{Totals, What},
    },
    stage::Stage,
};

#[test]
fn who_may_not_be_here_is_noted_until_the_client_is_listed() {
    let end = |began, ended| {
        let mut stage = Stage::new();
        stage.tell(What::Began(Tls::Clear, began));
        let lived = stage.record().would_drop.clone();
        let record = stage.end_with(Totals {
            witnessed: ended,
            ..Totals::default()
        });
        (lived, record.would_drop)
    };
    let name = |reason: &str| Some(reason.to_owned());
    let (stranger, banned) = (Some(Reason::NotListed), Some(Reason::Banned));
    assert_eq!(end(None, None), (None, None));
    assert_eq!(
        end(stranger, stranger),
        (name("not_listed"), name("not_listed"))
    );
    assert_eq!(end(stranger, banned), (name("not_listed"), name("banned")));
    assert_eq!(end(stranger, None), (name("not_listed"), None));
    assert_eq!(end(None, banned), (None, name("banned")));
}

#[test]
fn records_from_before_say_nothing_of_who_would_be_dropped() {
    let mut stage = Stage::logged_in();
    let record = stage.end();
    let text = serde_json::to_string(&record).unwrap();
    assert!(!text.contains("would_drop"), "{text}");
    let read: SessionRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(read, record);
}
