//! What holds whatever DNS answers, judged from a log of everything that happened.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Answer(Vec<u8>, u64),
    Fail,
    Nothing(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop_oneof![0..700_u64, 0..40_000_u64].prop_map(Step::Wait),
        4 => (vec(0..12_u8, 1..9), 0..5000_u64).prop_map(|(hosts, ttl)| Step::Answer(hosts, ttl)),
        2 => Just(Step::Fail),
        1 => any::<bool>().prop_map(Step::Nothing),
    ];
    vec(step, 0..60)
}

/// 10 and 11 are none that a partner has.
fn host(number: u8) -> IpAddr {
    match number {
        10 => "127.0.0.1".parse().unwrap(),
        11 => "0.0.0.0".parse().unwrap(),
        n => format!("192.0.2.{n}").parse().unwrap(),
    }
}

/// A good answer: when, and the addresses of it that may be taken.
type Good = (Duration, BTreeSet<IpAddr>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_dns_answers(steps in steps()) {
        let a = "a.example.net";
        let question = v4(a);
        let mut book = book(&[a]);
        let mut now = START;
        let mut log: Vec<Good> = Vec::new();
        let mut failing = false;
        for step in steps {
            let before: BTreeSet<IpAddr> = held(&book, a).into_iter().collect();
            let mut good = None;
            match step {
                Step::Wait(time) => {
                    now += seconds(time);
                    book.expire(now);
                }
                Step::Answer(hosts, ttl) => {
                    let all: Vec<IpAddr> = hosts.iter().map(|n| host(*n)).collect();
                    let fine: BTreeSet<IpAddr> =
                        all.iter().copied().filter(|address| judge(*address, true).is_ok()).collect();
                    book.answer(&question, Outcome::Addresses { addresses: all, ttl: seconds(ttl) }, now);
                    failing = fine.is_empty();
                    good = (!fine.is_empty()).then_some(fine);
                }
                Step::Fail => {
                    book.answer(&question, failed(), now);
                    failing = true;
                }
                Step::Nothing(no_such_name) => {
                    book.answer(&question, Outcome::Nothing { no_such_name, ttl: None }, now);
                    failing = false;
                    good = Some(BTreeSet::new());
                }
            }
            let was_good = good.is_some();
            log.extend(good.map(|fine| (now, fine)));
            let after: BTreeSet<IpAddr> = held(&book, a).into_iter().collect();

            prop_assert!(after.len() <= 4);
            prop_assert!(after.iter().all(|address| judge(*address, true).is_ok()));
            let Some((last, fine)) = log.last() else {
                prop_assert!(after.is_empty(), "nothing was ever answered");
                continue;
            };
            // A good answer is in force, whole if it fits.
            if !failing && was_good && fine.len() <= 4 {
                prop_assert!(fine.is_subset(&after), "{fine:?} are not in {after:?}");
            }
            // No answer takes nothing away before its time, and everything then.
            if failing {
                match now < *last + seconds(86_400) {
                    true => prop_assert!(before.is_subset(&after) && after.is_subset(&before)),
                    false => prop_assert!(after.is_empty() || before == after),
                }
            }
            // Who is in force was in the last answer, or not out of the answers for long.
            for address in &after {
                let seen = log.iter().rposition(|(_, fine)| fine.contains(address));
                prop_assert!(seen.is_some(), "{address} was never in an answer");
                let left = log.get(seen.unwrap() + 1).map(|(at, _)| *at);
                if let Some(left) = left && !failing {
                    prop_assert!(left + seconds(600) > now, "{address} left at {left:?}, it is {now:?}");
                }
            }
            // It is asked again within bounds.
            let next = book.state(&name(a), now).unwrap().next;
            prop_assert!(next <= seconds(3600 + 360), "{next:?}");
        }
    }

    #[test]
    fn what_is_kept_is_what_was_held(steps in steps()) {
        let a = "a.example.net";
        let mut before = book(&[a]);
        let mut now = START;
        for step in steps {
            let outcome = match step {
                Step::Wait(time) => {
                    now += seconds(time);
                    before.expire(now);
                    continue;
                }
                Step::Answer(hosts, ttl) => Outcome::Addresses {
                    addresses: hosts.iter().map(|n| host(*n)).collect(),
                    ttl: seconds(ttl),
                },
                Step::Fail => failed(),
                Step::Nothing(no_such_name) => Outcome::Nothing { no_such_name, ttl: None },
            };
            before.answer(&v4(a), outcome, now);
        }
        before.expire(now);
        let mut after = book(&[a]);
        after.restore(&before.stored(), now);
        // An answer that is too old holds only while it is the last word.
        let old = before.oldest(now).is_some_and(|age| age >= seconds(86_400));
        match old {
            true => prop_assert!(held(&after, a).is_empty()),
            false => prop_assert_eq!(held(&after, a), held(&before, a)),
        }
        prop_assert_eq!(after.stored().len(), usize::from(!before.stored().is_empty()));
    }

    #[test]
    fn no_text_makes_a_name_that_is_not_read_again(text in any::<String>()) {
        if let Ok(name) = HostName::parse(&text) {
            prop_assert_eq!(HostName::parse(name.as_str()), Ok(name));
        }
    }
}
