//! Versions of servers: their order, and ranges of them.

use std::{cmp::Ordering, fmt, str::FromStr};

/// Longest version that is looked at, in bytes: servers say what they like.
const LONGEST: usize = 64;

/// A version. `1.3.5rc3` comes before `1.3.5`, that before `1.3.5a`, and that before `1.3.6`; `2.3` is `2.3.0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(Vec<Part>);

/// A run of digits, or of letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// Letters that announce the version: `rc`, `beta`.
    Before(String),
    Number(u64),
    /// Letters behind it: a patch level.
    After(String),
}

/// What stands where a version has ended.
const END: Part = Part::Number(0);

impl Part {
    fn letters(word: String) -> Self {
        const BEFORE: [&str; 6] = ["alpha", "beta", "dev", "pre", "preview", "rc"];
        match BEFORE.contains(&word.as_str()) {
            true => Self::Before(word),
            false => Self::After(word),
        }
    }

    /// A patch level comes behind the bare version, which 0 stands for, and before the next number.
    fn rank(&self) -> (u8, u64, &str) {
        match self {
            Self::Before(word) => (0, 0, word),
            Self::Number(0) => (1, 0, ""),
            Self::After(word) => (2, 0, word),
            Self::Number(number) => (3, *number, ""),
        }
    }
}

impl Version {
    /// Reads a version, in any case; a `v` before it is none of it. `None`: it does not begin with a digit.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['v', 'V']);
        if !text.starts_with(|c: char| c.is_ascii_digit()) || text.len() > LONGEST {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let alike = |c: char| match first.is_ascii_digit() {
                true => c.is_ascii_digit(),
                false => c.is_alphabetic(),
            };
            let end = rest.find(|c| !alike(c)).unwrap_or(rest.len());
            let run = &rest[..end];
            match end {
                // Anything else only separates.
                0 => {}
                _ if first.is_ascii_digit() => {
                    parts.push(Part::Number(run.parse().unwrap_or(u64::MAX)));
                }
                _ => parts.push(Part::letters(run.to_lowercase())),
            }
            rest = &rest[end.max(first.len_utf8())..];
        }
        while parts.last() == Some(&END) {
            parts.pop();
        }
        Some(Self(parts))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        (0..self.0.len().max(other.0.len()))
            .map(|at| {
                let part = |version: &'_ Self| version.0.get(at).unwrap_or(&END).clone();
                let (one, two) = (part(self), part(other));
                one.rank().cmp(&two.rank())
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Versions, as the table of vulnerabilities writes them: `< 2.3.3`, `<= 3.0.2`, `1.3.1 - 1.3.5` (both
/// included), `2.3.4` (exactly), `>= 10 < 10.7.1` (both), and several of these with `;` between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    text: String,
    /// One of these, and of it all.
    ranges: Vec<Vec<(Bound, Version)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Below,
    UpTo,
    From,
    Exactly,
}

impl Affected {
    /// Whether a version is one of them.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        let holds = |(bound, limit): &(Bound, Version)| {
            let order = version.cmp(limit);
            match bound {
                Bound::Below => order.is_lt(),
                Bound::UpTo => order.is_le(),
                Bound::From => order.is_ge(),
                Bound::Exactly => order.is_eq(),
            }
        };
        self.ranges.iter().any(|bounds| bounds.iter().all(holds))
    }
}

impl fmt::Display for Affected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a range cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRange(String);

impl fmt::Display for BadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no range of versions: write < 2.3.3, <= 3.0.2, 1.3.1 - 1.3.5, 2.3.4, \
             or >= 10 < 10.7.1, with ; between several",
            self.0
        )
    }
}

impl FromStr for Affected {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let ranges = text.split(';').map(alternative).collect::<Option<_>>();
        ranges
            .map(|ranges| Self {
                text: text.to_owned(),
                ranges,
            })
            .ok_or_else(|| BadRange(text.to_owned()))
    }
}

fn alternative(text: &str) -> Option<Vec<(Bound, Version)>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let range = match words[..] {
        [version] => vec![(Bound::Exactly, Version::read(version)?)],
        [first, "-", last] => {
            let (first, last) = (Version::read(first)?, Version::read(last)?);
            // The wrong way round nothing would ever be in it.
            if first > last {
                return None;
            }
            vec![(Bound::From, first), (Bound::UpTo, last)]
        }
        [sign, version] => vec![(bound(sign)?, Version::read(version)?)],
        [from, first, to, last] => {
            let (from, to) = (bound(from)?, bound(to)?);
            let (first, last) = (Version::read(first)?, Version::read(last)?);
            if from != Bound::From || to == Bound::From || first > last {
                return None;
            }
            vec![(from, first), (to, last)]
        }
        _ => return None,
    };
    Some(range)
}

fn bound(sign: &str) -> Option<Bound> {
    Some(match sign {
        "<" => Bound::Below,
        "<=" => Bound::UpTo,
        ">=" => Bound::From,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v(text: &str) -> Version {
        Version::read(text).unwrap()
    }

    #[test]
    fn versions_have_an_order() {
        let rising = [
            "0.9.6",
            "1.3.1",
            "1.3.2rc2",
            "1.3.2rc3",
            "1.3.2",
            "1.3.3",
            "1.3.3a",
            "1.3.3c",
            "1.3.5beta",
            "1.3.5rc3",
            "1.3.5",
            "1.3.5b",
            "1.3.5e",
            "1.3.6",
            "1.3.10",
            "1.4",
            "2.3.4",
            "10.40",
            "10.40 build 1828",
            "10.40build1829",
            "11.3.4",
            "11.3.4_23",
            "15.2.3",
            "15.2.3 HF2",
        ];
        for (n, one) in rising.iter().enumerate() {
            for (m, two) in rising.iter().enumerate() {
                assert_eq!(v(one).cmp(&v(two)), n.cmp(&m), "{one} and {two}");
            }
        }
    }

    #[test]
    fn the_same_version_is_written_in_several_ways() {
        for (one, two) in [
            ("2.3", "2.3.0"),
            ("v1.2", "1.2"),
            ("6.03", "6.3"),
            ("1.3.5RC3", "1.3.5rc3"),
        ] {
            assert_eq!(v(one), v(two));
            assert!(v(one).cmp(&v(two)).is_eq());
        }
        for none in ["", "unknown", "-1", "rc3", &"1.".repeat(40)] {
            assert_eq!(Version::read(none), None, "{none}");
        }
        assert!(v("99999999999999999999999") > v("1"));
    }

    #[test]
    fn ranges_contain_what_they_say() {
        let inside =
            |range: &str, version: &str| range.parse::<Affected>().unwrap().contains(&v(version));
        for (range, yes, no) in [
            ("2.3.4", "2.3.4", "2.3.5"),
            ("< 2.3.3", "2.3.2", "2.3.3"),
            ("<= 3.0.2", "3.0.2", "3.0.3"),
            (">= 4", "4.0.1", "3.9"),
            ("1.3.1 - 1.3.5", "1.3.5", "1.3.5a"),
            ("1.3.1 - 1.3.5", "1.3.1", "1.3.1rc1"),
            (">= 10 < 10.7.1; >= 11 < 11.1.0", "11.0.9", "10.7.1"),
            (">= 10 < 10.7.1; >= 11 < 11.1.0", "10.7.0", "11.1"),
        ] {
            assert!(inside(range, yes), "{range} {yes}");
            assert!(!inside(range, no), "{range} {no}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            ";",
            "generic",
            "< x",
            "= 3",
            "1 - ",
            "2 - 1",
            "1.0;",
            "< 1 > 0",
            ">= 2 < 1",
            "1 2 3 4 5",
            "2.3.4 (tarball)",
            "<3",
        ] {
            assert!(text.parse::<Affected>().is_err(), "{text:?}");
        }
    }

    fn version() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            (0..4_u32).prop_map(|number| format!(".{number}")),
            prop_oneof![
                Just("rc"),
                Just("a"),
                Just("b"),
                Just("beta"),
                Just("build")
            ]
            .prop_map(str::to_owned),
        ];
        (0..4_u32, prop::collection::vec(part, 0..5))
            .prop_map(|(first, parts)| format!("{first}{}", parts.concat()))
    }

    proptest! {
        #[test]
        fn the_order_is_total(one in version(), two in version(), three in version()) {
            let (one, two, three) = (v(&one), v(&two), v(&three));
            prop_assert_eq!(one.cmp(&two), two.cmp(&one).reverse());
            prop_assert_eq!(one.cmp(&two).is_eq(), one == two);
            if one <= two && two <= three {
                prop_assert!(one <= three);
            }
        }

        #[test]
        fn candidates_come_before_and_patches_behind(text in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}") {
            let with = |end: &str| v(&format!("{text}{end}"));
            let rising = [with("rc1"), with(""), with("a"), with(".1")];
            prop_assert!(rising.is_sorted_by(|one, two| one < two));
            prop_assert_eq!(with(".0"), with(""));
        }

        #[test]
        fn nothing_that_a_server_says_is_too_much(text in ".{0,80}", sign in "(<|<=|>=|) ?") {
            let version = Version::read(&text);
            if let (Some(version), Ok(range)) = (version, format!("{sign}{text}").parse::<Affected>()) {
                let _ = range.contains(&version);
            }
        }
    }
}
