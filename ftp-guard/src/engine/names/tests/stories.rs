//! What happens to a name, one thing after another.

use super::*;

#[test]
fn both_families_are_asked_and_make_the_addresses() {
    let mut book = book(&["a.example.net"]);
    assert_eq!(book.ask(START), [v4("a.example.net"), v6("a.example.net")]);
    assert_eq!(book.ask(START), [], "they are under way");
    let changed = book.answer(
        &v4("a.example.net"),
        answer(&["192.0.2.2", "192.0.2.1"], 60),
        START,
    );
    let changed = changed.unwrap();
    assert_eq!(changed.added, addresses(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(changed.removed, addresses(&[]));
    book.answer(&v6("a.example.net"), answer(&["2001:db8::1"], 60), START);
    assert_eq!(
        held(&book, "a.example.net"),
        addresses(&["192.0.2.1", "192.0.2.2", "2001:db8::1"])
    );
    let again = book.answer(
        &v4("a.example.net"),
        answer(&["192.0.2.1", "192.0.2.2"], 60),
        START,
    );
    assert_eq!(again, None, "the same in another order");
    assert_eq!(
        book.answer(&v4("b.example.net"), answer(&["192.0.2.9"], 60), START),
        None
    );
}

#[test]
fn a_question_is_asked_again_when_its_answer_no_longer_holds() {
    for (ttl, holds) in [(60, 60), (1, 30), (100_000, 3600)] {
        let mut book = book(&["a.example.net"]);
        book.ask(START);
        book.answer(&v4("a.example.net"), answer(&["192.0.2.1"], ttl), START);
        book.answer(
            &v6("a.example.net"),
            Outcome::Nothing {
                no_such_name: false,
                ttl: None,
            },
            START,
        );
        let due = |book: &mut NameBook, at| book.clone().ask(at).contains(&v4("a.example.net"));
        assert!(!due(&mut book, START + seconds(holds - 1)), "{ttl}");
        // A tenth later, so that a hundred names are not asked at once for ever.
        assert!(due(&mut book, START + seconds(holds + holds / 10)), "{ttl}");
    }
}

#[test]
fn an_address_that_answers_leave_out_stays_for_a_while() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    book.answer(&v4(a), answer(&["192.0.2.1", "192.0.2.2"], 60), START);
    let now = START + seconds(100_000);
    // However long the last answer held: it counts from the answer without it.
    assert_eq!(book.answer(&v4(a), answer(&["192.0.2.2"], 60), now), None);
    assert_eq!(held(&book, a), addresses(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(book.expire(now + seconds(599)), []);
    // It comes back, and goes again: the time begins anew.
    book.answer(&v4(a), answer(&["192.0.2.1"], 60), now + seconds(599));
    book.answer(&v4(a), answer(&["192.0.2.2"], 60), now + seconds(700));
    assert_eq!(book.expire(now + seconds(1299)), []);
    let gone = book.expire(now + seconds(1300));
    assert_eq!(gone[0].removed, addresses(&["192.0.2.1"]));
    assert_eq!(held(&book, a), addresses(&["192.0.2.2"]));
}

#[test]
fn without_an_answer_the_last_one_stays() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    book.answer(&v4(a), answer(&["192.0.2.1", "192.0.2.2"], 60), START);
    book.answer(&v4(a), answer(&["192.0.2.1"], 60), START + seconds(60));
    book.answer(&v4(a), failed(), START + seconds(120));
    // Not even the time of those that were left out goes on.
    assert_eq!(book.expire(START + seconds(80_000)), []);
    assert_eq!(held(&book, a), addresses(&["192.0.2.1", "192.0.2.2"]));
    let state = book.state(&name(a), START + seconds(180)).unwrap();
    assert_eq!(state.age, Some(seconds(120)));
    assert!(
        matches!(state.trouble, Some(Trouble::Failing { failures: 1, since, .. }) if since == seconds(60)),
        "{state:?}"
    );
    let over = book.expire(START + seconds(60 + 86_400));
    assert_eq!(over[0].removed, addresses(&["192.0.2.1", "192.0.2.2"]));
    // An answer after all.
    book.answer(&v4(a), answer(&["192.0.2.3"], 60), START + seconds(90_000));
    assert_eq!(held(&book, a), addresses(&["192.0.2.3"]));
    assert_eq!(
        book.state(&name(a), START + seconds(90_000))
            .unwrap()
            .trouble,
        None
    );
}

#[test]
fn failures_of_one_family_leave_the_other_alone() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    book.answer(&v4(a), answer(&["192.0.2.1"], 60), START);
    book.answer(&v6(a), answer(&["2001:db8::1"], 60), START);
    book.answer(&v6(a), failed(), START + seconds(60));
    book.answer(&v4(a), answer(&["192.0.2.2"], 60), START + seconds(60));
    book.expire(START + seconds(60 + 600));
    assert_eq!(held(&book, a), addresses(&["192.0.2.2", "2001:db8::1"]));
}

#[test]
fn retries_come_at_growing_distances_and_end_with_an_answer() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    let mut now = START;
    let mut last = seconds(0);
    for turn in 0..12 {
        book.answer(&v4(a), failed(), now);
        book.answer(&v6(a), failed(), now);
        let state = book.state(&name(a), now).unwrap();
        let wait = state.next;
        assert!(
            wait >= seconds(5) && wait <= seconds(72),
            "{turn}: {wait:?}"
        );
        assert!(turn > 3 || wait > last, "{turn}: {wait:?} after {last:?}");
        last = wait;
        now += wait;
    }
}

#[test]
fn a_name_that_is_gone_goes_after_a_while() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    book.answer(&v4(a), answer(&["192.0.2.1"], 60), START);
    for question in [v4(a), v6(a)] {
        assert_eq!(book.answer(&question, gone(), START + seconds(60)), None);
    }
    let state = book.state(&name(a), START + seconds(60)).unwrap();
    assert_eq!(state.trouble, Some(Trouble::NoSuchName));
    assert_eq!(held(&book, a), addresses(&["192.0.2.1"]));
    assert_eq!(book.expire(START + seconds(659)), []);
    assert_eq!(book.expire(START + seconds(660)).len(), 1);
    assert_eq!(held(&book, a), addresses(&[]));
    for question in [v4(a), v6(a)] {
        let none = Outcome::Nothing {
            no_such_name: false,
            ttl: None,
        };
        book.answer(&question, none, START + seconds(700));
    }
    let state = book.state(&name(a), START + seconds(700)).unwrap();
    assert_eq!(state.trouble, Some(Trouble::NoAddress));
}

#[test]
fn odd_addresses_are_left_out_and_an_answer_of_nothing_else_is_none() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    book.answer(
        &v4(a),
        answer(&["192.0.2.1", "127.0.0.1", "2001:db8::1"], 60),
        START,
    );
    assert_eq!(held(&book, a), addresses(&["192.0.2.1"]));
    assert_eq!(book.state(&name(a), START).unwrap().refused, 2);
    // As filters of whole networks answer.
    book.answer(&v4(a), answer(&["0.0.0.0"], 60), START + seconds(60));
    book.expire(START + seconds(5000));
    assert_eq!(held(&book, a), addresses(&["192.0.2.1"]));
    let state = book.state(&name(a), START + seconds(5000)).unwrap();
    assert!(
        matches!(state.trouble, Some(Trouble::Failing { .. })),
        "{state:?}"
    );
}

#[test]
fn too_many_addresses_are_cut_the_same_everywhere() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    let six = [
        "192.0.2.6",
        "192.0.2.1",
        "192.0.2.5",
        "192.0.2.2",
        "192.0.2.4",
        "192.0.2.3",
    ];
    book.answer(&v4(a), answer(&six, 60), START);
    let lowest = addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    assert_eq!(held(&book, a), lowest);
    assert_eq!(book.state(&name(a), START).unwrap().surplus, 2);
    // Lower ones do not push out those in force.
    let lower = [
        "192.0.2.0",
        "192.0.2.4",
        "192.0.2.3",
        "192.0.2.2",
        "192.0.2.1",
    ];
    assert_eq!(
        book.answer(&v4(a), answer(&lower, 60), START + seconds(60)),
        None
    );
    // What is new goes before what was left out.
    let new = ["198.51.100.1", "198.51.100.2", "192.0.2.4"];
    book.answer(&v4(a), answer(&new, 60), START + seconds(120));
    assert_eq!(
        held(&book, a),
        addresses(&["192.0.2.1", "192.0.2.4", "198.51.100.1", "198.51.100.2"])
    );
}

#[test]
fn other_settings_count_for_what_is_held() {
    let mut book = book(&["a.example.net"]);
    let a = "a.example.net";
    book.answer(
        &v4(a),
        answer(&["10.0.0.1", "192.0.2.1", "192.0.2.2"], 3000),
        START,
    );
    let shut = Settings {
        private: false,
        max_ttl: seconds(40),
        ..settings()
    };
    book.set(shut, START + seconds(1));
    assert_eq!(held(&book, a), addresses(&["192.0.2.1", "192.0.2.2"]));
    assert!(book.state(&name(a), START + seconds(1)).unwrap().next <= seconds(40));
    book.set(
        Settings {
            max_addresses: 1,
            ..settings()
        },
        START + seconds(2),
    );
    assert_eq!(held(&book, a), addresses(&["192.0.2.1"]));
}

#[test]
fn names_come_and_go() {
    let mut book = book(&["a.example.net", "b.example.net"]);
    book.answer(&v4("a.example.net"), answer(&["192.0.2.1"], 60), START);
    book.want([name("a.example.net"), name("c.example.net")], START);
    assert_eq!(held(&book, "a.example.net"), addresses(&["192.0.2.1"]));
    assert!(book.ask(START).contains(&v4("c.example.net")));
    assert_eq!(
        book.answer(&v4("b.example.net"), answer(&["192.0.2.9"], 60), START),
        None
    );
    book.want([], START);
    assert_eq!(held(&book, "a.example.net"), addresses(&[]));
}

#[test]
fn only_so_many_questions_are_under_way_and_none_for_ever() {
    let names: Vec<String> = (0..40).map(|n| format!("n{n}.example.net")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut book = book(&names);
    let first = book.ask(START);
    assert_eq!(first.len(), 16);
    assert_eq!(book.ask(START), []);
    book.not_asked(&first[0]);
    assert_eq!(book.ask(START).len(), 1);
    // Whoever was to ask them has died.
    assert_eq!(book.ask(START + seconds(89)), []);
    assert_eq!(book.ask(START + seconds(90)).len(), 16);
}

#[test]
fn what_was_kept_holds_after_a_start_without_dns() {
    let a = "a.example.net";
    let mut before = book(&[a, "b.example.net"]);
    before.answer(
        &v4(a),
        answer(&["192.0.2.1", "192.0.2.2", "10.0.0.1"], 60),
        START,
    );
    before.answer(
        &v4(a),
        answer(&["192.0.2.1", "10.0.0.1"], 60),
        START + seconds(60),
    );
    let stored = before.stored();
    assert_eq!(stored.len(), 1, "what was never answered is not kept");
    let later = START + seconds(80_000);
    let mut after = NameBook::new(Settings {
        private: false,
        ..settings()
    });
    after.want([name(a)], later);
    after.restore(&stored, later);
    assert_eq!(held(&after, a), addresses(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(
        after.state(&name(a), later).unwrap().age,
        Some(seconds(79_940))
    );
    assert_eq!(after.ask(later + seconds(2)).len(), 2);
    after.answer(&v4(a), failed(), later + seconds(7));
    assert_eq!(after.expire(START + seconds(60 + 86_399)), []);
    assert_eq!(after.expire(START + seconds(60 + 86_400)).len(), 1);
    // Too old at the start.
    let mut late = book(&[a]);
    late.restore(&stored, START + seconds(90_000));
    assert_eq!(held(&late, a), addresses(&[]));
    // A clock that was ahead when it was written.
    let mut early = book(&[a]);
    early.restore(&stored, START - seconds(1000));
    assert_eq!(
        early.state(&name(a), START - seconds(1000)).unwrap().age,
        Some(seconds(0))
    );
    assert_eq!(held(&early, a).len(), 3);
}
