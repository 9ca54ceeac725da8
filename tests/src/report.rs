//! What a suite says of itself: how much it has looked at.

use std::{
    fmt,
    io::{self, Write},
};

/// Prints a line to standard output. The test runner captures what `println!` prints and shows it for
/// failed tests alone; this it does not.
pub fn say(line: fmt::Arguments<'_>) {
    // A closed standard output is no reason to fail a test.
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// [`say`] with the arguments of [`format!`].
#[macro_export]
macro_rules! report {
    ($($argument:tt)*) => {
        $crate::report::say(format_args!($($argument)*))
    };
}
