//! Programs that were loaded for one test serve the next.

use ftp_guard_tests::program::Guard;

use crate::events::{ALL, policy, syn};

#[test]
fn of_a_guard_that_was_used_nothing_is_left() {
    let mut guard = Guard::with(&policy(ALL)).unwrap();
    let stranger = syn("203.0.113.7", 21);
    assert!(!guard.run(&stranger).unwrap());
    let used = guard.used_maps().unwrap();
    for map in ["FTPG_A4_ROOT", "FTPG_EVENTS", "FTPG_PORTS", "FTPG_STATS"] {
        assert!(used.iter().any(|name| name == map), "{map}: {used:?}");
    }
    let maps = guard.soil_maps().unwrap();
    let used = guard.used_maps().unwrap();
    assert_eq!(used.len(), maps, "{used:?}");
    assert!(maps > 30, "{used:?}");

    guard.install(&policy(ALL)).unwrap();
    guard.run(&stranger).unwrap();
    guard.blank().unwrap();
    assert_eq!(guard.used_maps().unwrap(), [""; 0]);
    guard.install(&policy(ALL)).unwrap();
    assert!(!guard.run(&stranger).unwrap());
    assert_eq!(guard.state().events().unwrap().len(), 1);
}
