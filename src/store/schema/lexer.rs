use crate::store::schema::error::{Position, SchemaError, SchemaErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Symbol(&'static str),
    End,
}

impl Token<'_> {
    pub(super) fn describe(self) -> String {
        match self {
            Token::Word(word) => format!("`{}`", shorten(word)),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end of the schema".to_owned(),
        }
    }
}

/// Shortens a text for error messages.
pub(super) fn shorten(word: &str) -> String {
    match word.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

/// Longer symbols come first, because `...` and `->` begin like shorter ones.
const SYMBOLS: [&str; 19] = [
    "...", "->", "{", "}", "(", ")", ":", ";", "|", "#", "*", "=", "+", "&", "-", "/", ".", ",", "@",
];

pub(super) struct Lexer<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            at: Position { line: 1, column: 1 },
        }
    }

    /// The next token and its position.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, Position), SchemaError> {
        self.skip_blank()?;
        let at = self.at;
        let Some(first) = self.rest.chars().next() else {
            return Ok((Token::End, at));
        };
        if first.is_ascii_alphanumeric() || first == '_' {
            let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            let len = self.rest.find(is_end).unwrap_or(self.rest.len());
            return Ok((Token::Word(self.take(len)), at));
        }
        for symbol in SYMBOLS {
            if self.rest.starts_with(symbol) {
                self.take(symbol.len());
                return Ok((Token::Symbol(symbol), at));
            }
        }
        Err(SchemaError::new(
            at,
            SchemaErrorKind::Expected {
                expected: "a name or one of the schema's symbols",
                found: format!("{first:?}"),
            },
        ))
    }

    fn skip_blank(&mut self) -> Result<(), SchemaError> {
        loop {
            let trimmed = self.rest.trim_start();
            self.take(self.rest.len() - trimmed.len());
            if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                let Some(len) = self.rest[2..].find("*/") else {
                    return Err(SchemaError::new(self.at, SchemaErrorKind::UnclosedComment));
                };
                self.take(len + 4);
            } else {
                return Ok(());
            }
        }
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        for c in taken.chars() {
            if c == '\n' {
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
        taken
    }
}
