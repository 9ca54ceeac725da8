//! Each way from one form of an answer to another.

use super::{stores::update_by_stores, *};

/// Lists that say of 10.1.0.0/16 whatever may be said in whatever form: default, main outcome and two /24s of which
/// each has the default, the main outcome, an entry of its own, or one for its hosts.
fn lists() -> Vec<Model> {
    let mut lists = vec![Model::default()];
    for default in [None, Some(1), Some(2)] {
        for main in [None, Some(1), Some(3), Some(4)] {
            for slot in [
                None,
                Some((24, 1)),
                Some((24, 3)),
                Some((24, 5)),
                Some((32, 5)),
            ] {
                let mut list = Model::default();
                let mut insert = |prefix: &str, profile| {
                    let prefix: IpNet = prefix.parse().unwrap();
                    list.0.insert(prefix.trunc(), allow(profile));
                };
                if let Some(profile) = default {
                    insert("10.1.0.0/16", profile);
                }
                if let Some(profile) = main {
                    insert("10.1.64.0/20", profile);
                    insert("10.1.128.0/20", profile);
                    insert("10.1.240.0/24", profile);
                }
                if let Some((bits, profile)) = slot {
                    insert(&format!("10.1.66.0/{bits}"), profile);
                    insert(&format!("10.1.1.0/{bits}"), profile);
                    insert(&format!("10.1.130.129/{bits}"), profile);
                    insert(&format!("10.1.130.130/{bits}"), profile);
                }
                lists.push(list);
            }
        }
    }
    lists.dedup();
    lists
}

#[test]
fn from_each_form_to_each_other() {
    let lists = lists();
    let addresses: Vec<u32> = [0, 1, 64, 65, 66, 79, 80, 128, 130, 143, 240, 255]
        .iter()
        .flat_map(|slot| [0, 129, 130, 255].map(|last| 0x0a01_0000 + (slot << 8) + last))
        .collect();
    let mut world = World::new(1 << 16);
    let mut graces = [0; 3];
    for (at, to) in lists.iter().enumerate() {
        for from in &lists[..at] {
            for wanted in [from, to] {
                graces[update_by_stores(&mut world, wanted, &addresses)] += 1;
            }
        }
    }
    assert!(graces.iter().all(|count| *count > 0), "{graces:?}");
}

#[test]
fn the_first_list_and_new_entries_wait_for_nobody() {
    let mut world = World::new(1 << 16);
    let mut wanted = Model::of([
        entry("10.0.0.0/8", allow(1)),
        entry("10.1.0.0/17", allow(2)),
        entry("10.1.2.0/24", allow(3)),
        entry("10.1.3.3/32", allow(3)),
    ]);
    assert_eq!(update_by_stores(&mut world, &wanted, &wanted.edges()), 0);
    let more = [
        "10.1.7.0/24",
        "10.1.3.4/32",
        "10.1.200.0/24",
        "10.1.0.0/16",
        "10.1.4.0/22",
    ];
    for (prefix, profile) in more.iter().zip(10..) {
        wanted.0.insert(prefix.parse().unwrap(), allow(profile));
        assert_eq!(
            update_by_stores(&mut world, &wanted, &wanted.edges()),
            0,
            "{prefix}"
        );
    }
}
