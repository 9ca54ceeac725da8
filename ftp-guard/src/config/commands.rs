//! Commands that profiles refuse.

use std::fmt;

/// A command that a profile refuses (`deny_commands`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeniedCommand {
    /// The verb in capital letters: 3 to 8 letters and digits.
    pub verb: String,
    /// The first word of the argument of SITE, in the same form; `None`: whatever follows the verb.
    pub word: Option<String>,
}

impl DeniedCommand {
    /// Reads `DELE` or `SITE EXEC`, in any case.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a sentence goes on behind the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut words = text.split(' ');
        let verb = words.next().and_then(name);
        let verb = verb.ok_or("a command has 3 to 8 letters or digits")?;
        let word = match words.next() {
            None => None,
            Some(_) if verb != "SITE" => return Err("only SITE can have a second word"),
            Some(word) => {
                let word = name(word);
                Some(word.ok_or("the word behind SITE has 3 to 8 letters or digits")?)
            }
        };
        match words.next() {
            None => Ok(Self { verb, word }),
            Some(_) => Err("there are more than two words, or more than one blank between them"),
        }
    }
}

impl fmt::Display for DeniedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb)?;
        match &self.word {
            Some(word) => write!(f, " {word}"),
            None => Ok(()),
        }
    }
}

fn name(text: &str) -> Option<String> {
    let good =
        (3..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then(|| text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_verbs_and_words_of_site() {
        for (text, written) in [
            ("dele", "DELE"),
            ("RMD", "RMD"),
            ("x1234567", "X1234567"),
            ("Site Exec", "SITE EXEC"),
            ("SITE", "SITE"),
        ] {
            assert_eq!(DeniedCommand::parse(text).unwrap().to_string(), written);
        }
        for text in [
            "",
            "MD",
            "ABCDEFGHI",
            "D\u{c9}LE",
            "P@SW",
            "DELE x",
            " DELE",
            "DELE ",
            "SITE ",
            "SITE  EXEC",
            "SITE EXEC ls",
            "SITE X",
        ] {
            assert!(DeniedCommand::parse(text).is_err(), "{text:?}");
        }
    }
}
