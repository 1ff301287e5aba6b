use crate::schema::error::{Position, SchemaError, SchemaErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    Symbol(&'static str),
    End,
}

impl Token<'_> {
    pub(crate) fn describe(self) -> String {
        match self {
            Token::Word(word) => format!("`{}`", shorten(word)),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end of the schema".to_owned(),
        }
    }
}

/// Shortens a text for error messages.
pub(crate) fn shorten(word: &str) -> String {
    match word.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Longer symbols come first, because `...` and `->` begin like shorter ones.
const SYMBOLS: [&str; 19] = [
    "...", "->", "{", "}", "(", ")", ":", ";", "|", "#", "*", "=", "+", "&", "-", "/", ".", ",", "@",
];

pub(crate) struct Lexer<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            at: Position::START,
        }
    }

    /// The next token and its position.
    pub(crate) fn next(&mut self) -> Result<(Token<'a>, Position), SchemaError> {
        self.skip_blank()?;
        let at = self.at;
        let Some(first) = self.rest.chars().next() else {
            return Ok((Token::End, at));
        };
        if is_word(first) {
            let len = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            return Ok((Token::Word(self.take(len)), at));
        }
        for symbol in SYMBOLS {
            if self.rest.starts_with(symbol) {
                self.take(symbol.len());
                return Ok((Token::Symbol(symbol), at));
            }
        }
        Err(self.expected("a name or one of the schema's symbols", Some(first)))
    }

    fn skip_blank(&mut self) -> Result<(), SchemaError> {
        loop {
            let trimmed = self.rest.trim_start();
            self.take(self.rest.len() - trimmed.len());
            if self.rest.starts_with("//") {
                self.take(self.rest.find(['\n', '\r']).unwrap_or(self.rest.len()));
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

    /// Skips a caveat's parameters, and stops before their `)`.
    pub(crate) fn skip_parameters(&mut self) -> Result<(), SchemaError> {
        loop {
            self.skip_blank()?;
            match self.rest.chars().next() {
                Some(')') => return Ok(()),
                Some(c) if c.is_alphanumeric() || matches!(c, '_' | '<' | '>' | ',') => self.take(c.len_utf8()),
                other => return Err(self.expected("a caveat's parameters and `)`", other)),
            };
        }
    }

    /// Skips a caveat's expression, which is in another language (CEL), and stops before its `}`.
    pub(crate) fn skip_expression(&mut self) -> Result<(), SchemaError> {
        let mut depth = 0_usize;
        loop {
            self.skip_blank()?;
            let Some(first) = self.rest.chars().next() else {
                return Err(self.expected("a caveat's expression and `}`", None));
            };
            match first {
                '}' if depth == 0 => return Ok(()),
                '}' => depth -= 1,
                '{' => depth += 1,
                '"' | '\'' => {
                    self.skip_string(false)?;
                    continue;
                }
                _ if is_word(first) => {
                    let len = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
                    let word = self.take(len);
                    // Before a string: r and b, in both cases and any order.
                    let is_prefix = len <= 2 && word.chars().all(|c| "rRbB".contains(c));
                    if is_prefix && self.rest.starts_with(['"', '\'']) {
                        self.skip_string(word.contains(['r', 'R']))?;
                    }
                    continue;
                }
                _ => {}
            }
            self.take(first.len_utf8());
        }
    }

    /// Skips a string of CEL. Where it is `raw`, a backslash has no meaning.
    fn skip_string(&mut self, raw: bool) -> Result<(), SchemaError> {
        let triple = ["\"\"\"", "'''"].into_iter().find(|quote| self.rest.starts_with(quote));
        let quote = triple.unwrap_or(&self.rest[..1]);
        let mut len = quote.len();
        loop {
            let rest = &self.rest[len..];
            if rest.starts_with(quote) {
                self.take(len + quote.len());
                return Ok(());
            }
            len += match rest.chars().next() {
                None => return Err(self.unclosed_string()),
                Some('\n' | '\r') if triple.is_none() => return Err(self.unclosed_string()),
                Some('\\') if !raw => rest.chars().take(2).map(char::len_utf8).sum(),
                Some(c) => c.len_utf8(),
            };
        }
    }

    fn unclosed_string(&self) -> SchemaError {
        self.expected("a string that ends", self.rest.chars().next())
    }

    fn expected(&self, expected: &'static str, found: Option<char>) -> SchemaError {
        let found = match found {
            Some(found) => format!("{found:?}"),
            None => Token::End.describe(),
        };
        SchemaError::new(self.at, SchemaErrorKind::Expected { expected, found })
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
