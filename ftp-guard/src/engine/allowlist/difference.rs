//! Which lines of a text became which.

/// How many lines of both texts are searched for the place where they agree again.
const WINDOW: usize = 24;
/// How often all of the rest is searched, after a window in vain.
const FAR_SEARCHES: u32 = 24;
/// Shorter lines are no place to agree at: blank ones are everywhere.
const SHORTEST_ANCHOR: usize = 6;

/// Lines that went and lines that came, from one text to another; a line that moved is both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference<'t> {
    /// Lines of the old text that the new one does not have there, with their ends.
    pub(super) gone: Vec<&'t str>,
    /// Lines of the new text that the old one does not have there.
    pub(super) new: Vec<&'t str>,
}

/// Compares two texts line by line. It costs little more than reading both when they differ in few
/// places. `None`: more than `most` lines differ, as far as it has seen. Of a text that is the beginning of the other one
/// it has then seen no more than that.
///
/// The lines of the old text less those that are gone, and those that are new, are those of the new one.
pub(super) fn difference<'t>(
    mut old: &'t str,
    mut new: &'t str,
    most: usize,
) -> Option<Difference<'t>> {
    let mut found = Difference::default();
    let (mut failures, mut far_searches) = (0_u32, 0);
    let same = common_lines(old, new);
    (old, new) = (old.get(same..)?, new.get(same..)?);
    let end = common_end(old, new);
    (old, new) = (old.get(..old.len() - end)?, new.get(..new.len() - end)?);
    loop {
        let same = common_lines(old, new);
        if same > 0 {
            failures = 0;
        }
        (old, new) = (old.get(same..)?, new.get(same..)?);
        let room = most.checked_sub(found.gone.len() + found.new.len())?;
        if old.is_empty() || new.is_empty() {
            let one_more = room.saturating_add(1);
            found.gone.extend(old.split_inclusive('\n').take(one_more));
            found.new.extend(new.split_inclusive('\n').take(one_more));
            return (found.gone.len() + found.new.len() <= most).then_some(found);
        }
        let (gone, came) = match near(old, new) {
            Some(place) => place,
            None => {
                failures += 1;
                let far = (failures.is_power_of_two() && far_searches < FAR_SEARCHES)
                    .then(|| {
                        far_searches += 1;
                        far(old, new)
                    })
                    .flatten();
                far.unwrap_or_else(|| (lines_length(old, WINDOW), lines_length(new, WINDOW)))
            }
        };
        let (gone, old_rest) = old.split_at_checked(gone)?;
        let (came, new_rest) = new.split_at_checked(came)?;
        found.gone.extend(gone.split_inclusive('\n'));
        found.new.extend(came.split_inclusive('\n'));
        (old, new) = (old_rest, new_rest);
    }
}

/// Length in bytes of the whole lines at the beginning that both texts have.
fn common_lines(one: &str, other: &str) -> usize {
    const CHUNK: usize = 256;
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let chunks = a.chunks(CHUNK).zip(b.chunks(CHUNK));
    let equal = chunks.take_while(|(a, b)| a == b).map(|(a, _)| a.len());
    let mut same: usize = equal.sum();
    let (rest_a, rest_b) = (
        a.get(same..).unwrap_or_default(),
        b.get(same..).unwrap_or_default(),
    );
    same += rest_a
        .iter()
        .zip(rest_b)
        .take_while(|(a, b)| a == b)
        .count();
    if same == a.len() && same == b.len() {
        return same;
    }
    let common = a.get(..same).unwrap_or_default();
    common
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)
}

/// Length in bytes of the whole lines at the end that both texts have.
fn common_end(one: &str, other: &str) -> usize {
    const CHUNK: usize = 256;
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let chunks = a.rchunks(CHUNK).zip(b.rchunks(CHUNK));
    let equal = chunks.take_while(|(a, b)| a == b).map(|(a, _)| a.len());
    let mut same: usize = equal.sum();
    let rest = |text: &[u8]| text.len() - same;
    let (rest_a, rest_b) = (rest(a), rest(b));
    same += a[..rest_a]
        .iter()
        .rev()
        .zip(b[..rest_b].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    // The first line of what is the same may have another beginning.
    let starts = |text: &[u8]| match text.len() - same {
        0 => true,
        at => text[at - 1] == b'\n',
    };
    if starts(a) && starts(b) {
        return same;
    }
    let common = &a[a.len() - same..];
    common
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| same - at - 1)
}

/// The nearest place at which the texts agree again, as the bytes of both before it.
fn near(old: &str, new: &str) -> Option<(usize, usize)> {
    // Most often it is the next line.
    let (old_line, old_next) = two_lines(old);
    let (new_line, new_next) = two_lines(new);
    let agree = |one: &str, other: &str| one == other && one.len() >= SHORTEST_ANCHOR;
    if agree(old_line, new_next) {
        return Some((0, new_line.len()));
    }
    if agree(old_next, new_line) {
        return Some((old_line.len(), 0));
    }
    if agree(old_next, new_next) {
        return Some((old_line.len(), new_line.len()));
    }
    let olds: Vec<(usize, &str)> = with_offsets(old).take(WINDOW).collect();
    let news: Vec<(usize, &str)> = with_offsets(new).take(WINDOW).collect();
    (1..olds.len() + news.len()).find_map(|distance| {
        let from = (distance + 1).saturating_sub(news.len());
        (from..=distance.min(olds.len().saturating_sub(1))).find_map(|gone| {
            let (old_at, old_line) = olds.get(gone)?;
            let (new_at, new_line) = news.get(distance - gone)?;
            agree(old_line, new_line).then_some((*old_at, *new_at))
        })
    })
}

/// A place further away: of a block that came or went.
fn far(old: &str, new: &str) -> Option<(usize, usize)> {
    let came = at_line(new, old).map(|at| (0, at));
    let gone = at_line(old, new).map(|at| (at, 0));
    match (came, gone) {
        (Some(came), Some(gone)) if gone.0 < came.1 => Some(gone),
        (Some(came), _) => Some(came),
        (None, gone) => gone,
    }
}

/// Where in `text` the first line of `other` stands, as a whole line.
fn at_line(text: &str, other: &str) -> Option<usize> {
    let line = other.split_inclusive('\n').next()?;
    if line.len() < SHORTEST_ANCHOR {
        return None;
    }
    let at = text.match_indices(line).map(|(at, _)| at);
    // At 0 it would be a last line that only lacks its end.
    at.take(8).find(|at| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        before.is_some_and(|byte| *byte == b'\n')
    })
}

/// The first line, and the one behind it; either may be empty.
fn two_lines(text: &str) -> (&str, &str) {
    let mut lines = text.split_inclusive('\n');
    let mut next = || lines.next().unwrap_or_default();
    (next(), next())
}

fn with_offsets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

fn lines_length(text: &str, lines: usize) -> usize {
    text.split_inclusive('\n').take(lines).map(str::len).sum()
}
