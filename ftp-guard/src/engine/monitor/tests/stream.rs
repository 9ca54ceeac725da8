use super::*;

/// What a stream hands out, as text; `<n>` where bytes are lost.
#[derive(Default)]
struct Reader {
    stream: Stream,
    key: RandomState,
    text: String,
    conflicting: u64,
}

impl Reader {
    fn at(start: u32) -> Self {
        let mut reader = Self::default();
        reader.stream.begin_at(start);
        reader
    }

    fn push(&mut self, sequence: u32, bytes: &[u8]) -> &str {
        self.push_of(sequence, bytes.len() as u32, bytes)
    }

    fn push_of(&mut self, sequence: u32, length: u32, bytes: &[u8]) -> &str {
        let text = &mut self.text;
        self.conflicting += self.stream.push(
            sequence,
            length,
            bytes,
            MOST_HELD,
            &self.key,
            &mut |piece| {
                write(text, &piece);
            },
        );
        &self.text
    }

    fn acknowledged(&mut self, to: u32) -> &str {
        let text = &mut self.text;
        self.stream
            .acknowledged(to, &self.key, &mut |piece| write(text, &piece));
        &self.text
    }
}

fn write(text: &mut String, piece: &Piece<'_>) {
    match piece {
        Piece::Bytes(bytes) => text.push_str(std::str::from_utf8(bytes).unwrap()),
        Piece::Lost(count) => text.push_str(&format!("<{count}>")),
    }
}

#[test]
fn the_first_segment_says_where_a_stream_begins() {
    let mut reader = Reader::default();
    assert_eq!(reader.push(7000, b"abc"), "abc");
    assert_eq!(reader.push(7003, b"def"), "abcdef");
    assert_eq!(reader.push(6990, b"xyz"), "abcdef");
}

#[test]
fn what_comes_early_is_held_over_the_wrap_around() {
    let mut reader = Reader::at(u32::MAX - 1);
    assert_eq!(reader.push(2, b"efgh"), "");
    assert_eq!(reader.push(7, b"jk"), "");
    assert_eq!(reader.push(u32::MAX - 1, b"abcd"), "abcdefgh");
    assert_eq!(reader.stream.held(), 2);
    assert_eq!(reader.push(6, b"i"), "abcdefghijk");
    assert_eq!(reader.stream.held(), 0);
    assert_eq!(reader.conflicting, 0);
}

#[test]
fn the_first_copy_counts() {
    let mut reader = Reader::at(100);
    reader.push(110, b"KLM");
    reader.push(105, b"fghijXXmno");
    assert_eq!(reader.conflicting, 3, "XXm is not KLM");
    assert_eq!(reader.push(100, b"abcde"), "abcdefghijKLMno");
    reader.push(100, b"abcdefghij");
    assert_eq!(reader.conflicting, 3, "the same once more");
    let mut reader = Reader::at(0);
    reader.push(0, b"USER anna\r\n");
    assert_eq!(reader.push(0, b"USER root\r\nNOOP"), "USER anna\r\nNOOP");
    assert_eq!(reader.conflicting, 11);
}

#[test]
fn a_hole_is_given_up_once_it_is_acknowledged() {
    let mut reader = Reader::at(0);
    reader.push(0, b"ab");
    assert_eq!(reader.push(5, b"fg"), "ab");
    assert_eq!(reader.acknowledged(2), "ab");
    assert_eq!(reader.acknowledged(7), "ab<3>fg");
    // A FIN takes a number.
    assert_eq!(reader.acknowledged(8), "ab<3>fg");
    assert_eq!(reader.acknowledged(10), "ab<3>fg<3>");
}

#[test]
fn a_hole_is_given_up_when_too_much_is_held() {
    let mut reader = Reader::at(0);
    for number in 0..9 {
        reader.push(10 + number * 1000, &[b'x'; 1000]);
        assert!(reader.stream.held() <= MOST_HELD);
    }
    assert_eq!(reader.text.len(), "<10>".len() + 9000);
    let mut reader = Reader::at(0);
    for number in 0..=MOST_PIECES as u32 {
        reader.push(1 + number * 2, b"x");
    }
    assert!(reader.text.starts_with("<1>x"), "{}", reader.text);
}

#[test]
fn what_was_not_told_of_a_segment_is_lost() {
    let mut reader = Reader::at(0);
    assert_eq!(reader.push_of(0, 10, b"abc"), "abc<7>");
    assert_eq!(reader.push_of(10, 3, b"def"), "abc<7>def");
    reader.push_of(20, 8, b"x");
    assert_eq!(reader.push(13, b"ghijklm"), "abc<7>defghijklmx");
    assert_eq!(reader.acknowledged(28), "abc<7>defghijklmx<7>");
}

#[test]
fn who_acknowledges_what_was_never_sent_makes_nobody_deaf() {
    let mut reader = Reader::at(0);
    reader.push(0, b"abc");
    assert_eq!(reader.acknowledged(500), "abc<497>");
    assert_eq!(reader.push(3, b"def"), "abc<497>def");
    assert_eq!(reader.push(6, b"ghi"), "abc<497>defghi");
}

#[test]
fn what_was_held_leaves_nothing_behind() {
    let mut reader = Reader::at(0);
    reader.push(5, b"PASS MARK\r\n");
    assert!(format!("{:?}", reader.stream).contains("MARK"));
    reader.push(0, b"NOOP\n");
    assert!(!format!("{:?}", reader.stream).contains("MARK"));
}
