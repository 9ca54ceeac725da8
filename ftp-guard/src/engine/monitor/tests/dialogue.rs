use super::*;

fn asked(line: &str, number: u64) -> Asked {
    let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
    let verb = Verb::of(verb.as_bytes());
    let detail = match verb.as_str() {
        "RETR" | "STOR" | "LIST" => Detail::Transfer(number),
        _ => Detail::None,
    };
    Asked::new(verb, detail, !argument.is_empty())
}

/// Runs commands and codes; for each code the verb that it answers, or `-`.
fn run(script: &str) -> String {
    let mut dialogue = Dialogue::default();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(script.split(',')) {
        match line.parse::<u16>() {
            Err(_) => dialogue.ask(asked(line, number)),
            Ok(code) => {
                let answered = if code < 200 {
                    dialogue.begin(code)
                } else {
                    dialogue.answer(code)
                };
                found.push(
                    answered
                        .to
                        .map_or("-".to_owned(), |asked| asked.verb.to_string()),
                );
            }
        }
    }
    found.join(" ")
}

#[test]
fn replies_come_in_the_order_of_commands() {
    for (script, wanted) in [
        ("USER a,331,PASS,230,SYST,215", "USER PASS SYST"),
        ("USER a,PASS,TYPE I,331,230,200", "USER PASS TYPE"),
        ("PASV,227,RETR a,150,226", "PASV RETR RETR"),
        ("220,NOOP,200,200,NOOP,200", "- NOOP - NOOP"),
        ("421", "-"),
        ("NOOP,421", "NOOP"),
        // ABOR of a transfer that runs, and of one that is done: RFC 959 section 4.1.3.
        ("RETR a,150,ABOR,426,226", "RETR RETR ABOR"),
        ("RETR a,150,226,ABOR,226", "RETR RETR ABOR"),
        ("RETR a,150,ABOR,226,225", "RETR RETR ABOR"),
        // One reply to both.
        ("RETR a,150,ABOR,426,TYPE I,200", "RETR RETR TYPE"),
        ("RETR a,150,ABOR,426,PASV,227", "RETR RETR PASV"),
        // Amid a transfer.
        ("RETR a,150,STAT,213,226", "RETR STAT RETR"),
        ("RETR a,150,NOOP,200,226", "RETR NOOP RETR"),
        ("RETR a,150,NOOP,226,200", "RETR RETR NOOP"),
        // Servers that say nothing to what they do not know.
        ("FOO,PWD,257", "PWD"),
        ("FOO,TYPE I,500,200", "unknown TYPE"),
        ("FOO,CWD a,250", "CWD"),
        ("FOO,500,PWD,257", "unknown PWD"),
        ("PASV,QUIT,221", "QUIT"),
        ("NOOP,221", "NOOP"),
        // What cannot be, is answered in order all the same.
        ("PWD,215", "PWD"),
    ] {
        assert_eq!(run(script), wanted, "{script}");
    }
}

#[test]
fn transfers_without_an_answer_are_named() {
    let mut dialogue = Dialogue::default();
    dialogue.ask(asked("RETR a", 7));
    dialogue.ask(asked("PASV", 8));
    let answered = dialogue.answer(227);
    assert_eq!(answered.given_up, [7]);
    dialogue.ask(asked("STOR a", 9));
    assert_eq!(dialogue.reset(), [9]);
    assert_eq!(dialogue.front(), None);
}

#[test]
fn more_commands_than_are_kept_move_nothing() {
    let mut dialogue = Dialogue::default();
    for number in 0..MOST_UNANSWERED + 3 {
        dialogue.ask(asked(if number == 0 { "CWD a" } else { "NOOP" }, 0));
    }
    let codes = (0..MOST_UNANSWERED + 3).map(|_| dialogue.answer(200).to.is_some());
    assert_eq!(codes.filter(|is_known| *is_known).count(), MOST_UNANSWERED);
    dialogue.ask(asked("PWD", 0));
    assert_eq!(
        dialogue.answer(257).to.map(|asked| asked.verb),
        Some(Verb::of(b"PWD"))
    );
}
