use std::borrow::Cow;
use std::ops::Range;

use crate::names::Names;
use crate::protocol::call::Unreadable;

/// The deepest nesting, the same as serde_json's.
const MAX_DEPTH: usize = 128;

/// The text is not strict JSON of the expected form: it is malformed ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)),
/// an object repeats a name, it is nested over 128 levels deep, or it has another value in some place.
///
/// As an [`Unreadable`], the layer forwards the request with its requirement stated and stores nothing. As the result of
/// reading a reply, it means that there is nothing to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not JSON of the expected form, with unique names, nested at most 128 deep")]
pub struct NotJson;

impl From<NotJson> for Unreadable {
    fn from(NotJson: NotJson) -> Self {
        Unreadable("the body is not JSON with unique names, nested at most 128 deep")
    }
}

/// A JSON text and a position in it.
///
/// It reads [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259) strictly, because a text that two readers understand
/// differently can't be part of a key: UTF-8 without a byte order mark, no repeated names, at most 128 levels. It is as
/// strict as `serde_json` in everything else. It does not allocate, except for strings with escapes and for objects with
/// more than twelve names.
///
/// Each method reads the next value and moves on. After an error the position is undefined.
///
/// ```
/// use tower_zookie::protocol::kit::json::{Json, NotJson};
///
/// fn token(body: &[u8]) -> Result<Option<String>, NotJson> {
///     let mut json = Json::new(body)?;
///     let mut token = None;
///     json.object(|json, name| {
///         match name {
///             "at" => token = Some(json.string()?.into_owned()),
///             _ => drop(json.value()?),
///         }
///         Ok::<_, NotJson>(())
///     })?;
///     json.end()?;
///     Ok(token)
/// }
/// assert_eq!(token(br#"{"who": ["u1", {}], "at": "7"}"#)?.as_deref(), Some("7"));
/// assert_eq!(token(br#"{"at": "7", "at": "8"}"#), Err(NotJson));
/// # Ok::<(), NotJson>(())
/// ```
#[derive(Clone, Debug)]
pub struct Json<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Json<'a> {
    /// The start of `text`.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the text is not UTF-8.
    pub fn new(text: &'a [u8]) -> Result<Self, NotJson> {
        Ok(Self {
            text: std::str::from_utf8(text).map_err(|_| NotJson)?,
            at: 0,
            depth: 0,
        })
    }

    /// Checks that nothing follows the value. Without this check, half of the text may be unread.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if anything except whitespace follows.
    pub fn end(mut self) -> Result<(), NotJson> {
        self.peek().is_none().then_some(()).ok_or(NotJson)
    }

    /// The first byte of the next value or sign, without reading it: `{`, `[`, `"`, and so on. `None` at the end.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads an object. `member` gets each name with its escapes undone, and has to read exactly the value.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the next value is not an object, and the errors of `member`.
    pub fn object<E: From<NotJson>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut names = Names::default();
        self.list(b'{', b'}', |json| -> Result<(), E> {
            let name = json.string()?;
            json.expect(b':')?;
            member(json, &name)?;
            names.push(name);
            Ok(())
        })?;
        if names.repeated() { Err(NotJson.into()) } else { Ok(()) }
    }

    /// Reads an array. `element` has to read exactly one value.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the next value is not an array, and the errors of `element`.
    pub fn array<E: From<NotJson>>(&mut self, element: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.list(b'[', b']', element)
    }

    fn list<E: From<NotJson>>(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(NotJson.into());
        }
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                item(self)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(NotJson.into()),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a string, and undoes its escapes.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the next value is not a string.
    pub fn string(&mut self) -> Result<Cow<'a, str>, NotJson> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.byte().ok_or(NotJson)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0..0x20 => return Err(NotJson),
                _ => self.at += 1,
            }
        }
        let end = self.at;
        self.at += 1;
        if escaped {
            let quoted = &self.text[start - 1..=end];
            serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| NotJson)
        } else {
            Ok(Cow::Borrowed(&self.text[start..end]))
        }
    }

    /// Reads a number, `true`, `false` or `null`, and returns its text.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the next value is none of these.
    pub fn scalar(&mut self) -> Result<&'a str, NotJson> {
        self.peek();
        let start = self.at;
        while self
            .byte()
            .is_some_and(|byte| matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E'))
        {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if matches!(text, "true" | "false" | "null") || is_number(text.as_bytes()) {
            Ok(text)
        } else {
            Err(NotJson)
        }
    }

    /// Reads any value and returns its text.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if there is no value.
    pub fn value(&mut self) -> Result<&'a str, NotJson> {
        self.span().map(|span| &self.text[span])
    }

    /// Reads any value and returns its byte range in the text.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if there is no value.
    pub fn span(&mut self) -> Result<Range<usize>, NotJson> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{') => self.object(|json, _| json.value().map(drop))?,
            Some(b'[') => self.array(|json| json.value().map(drop))?,
            Some(b'"') => self.string().map(drop)?,
            _ => self.scalar().map(drop)?,
        }
        Ok(start..self.at)
    }

    /// The position in the text, in bytes: just after what was read last, including the whitespace that
    /// [`peek`](Self::peek) skipped.
    pub fn position(&self) -> usize {
        self.at
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek() != Some(byte) {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// RFC 8259, section 6.
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, text) = digits(text);
    if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
        return false;
    }
    let text = match text.split_first() {
        Some((b'.', text)) => match digits(text) {
            ([], _) => return false,
            (_, text) => text,
        },
        _ => text,
    };
    match text.split_first() {
        None => true,
        Some((b'e' | b'E', text)) => {
            let text = match text.split_first() {
                Some((b'+' | b'-', text)) => text,
                _ => text,
            };
            matches!(digits(text), (exponent, []) if !exponent.is_empty())
        }
        Some(_) => false,
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::protocol::testing::{json, nearly_json, spell};

    fn whole(text: &[u8]) -> Result<(), NotJson> {
        let mut json = Json::new(text)?;
        json.value()?;
        json.end()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn rejects_invalid_json(text in nearly_json()) {
            if whole(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn reads_numbers_as_the_rfc_says(text in "[-+0-9.eE]{1,6}") {
            prop_assert_eq!(whole(text.as_bytes()).is_ok(), serde_json::from_str::<&RawValue>(&text).is_ok());
        }

        #[test]
        fn reads_all_json(value in json(), seed: u64) {
            prop_assert_eq!(whole(spell(&value, seed).as_bytes()), Ok(()));
        }

        #[test]
        fn reads_strings_as_serde_json_does(text in "\"([a\"\\\\/u0-9bd\u{1}é]|\\\\u[0d][08]0[01]|\\\\n){0,6}\"") {
            let mut json = Json::new(text.as_bytes()).unwrap();
            let read = json.string().and_then(|read| json.end().map(|()| read.into_owned()));
            prop_assert_eq!(read.ok(), serde_json::from_str::<String>(&text).ok());
        }

        #[test]
        fn rule_15_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = whole(&bytes);
        }
    }

    #[test]
    fn rule_10_duplicate_names_cannot_be_read() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":{"\u0061":1,"a":2}}"#,
            r#"[{"":1,"":1}]"#,
        ] {
            assert_eq!(whole(text.as_bytes()), Err(NotJson), "{text}");
        }
        assert_eq!(whole(br#"{"a":{"a":1},"b":{"a":1}}"#), Ok(()));
    }

    #[test]
    fn rule_15_depth_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(whole(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(whole(nested(MAX_DEPTH + 1).as_bytes()), Err(NotJson));
        assert_eq!(whole("[".repeat(1_000_000).as_bytes()), Err(NotJson));
        assert_eq!(whole(format!("[{}]", vec!["[]"; 1_000].join(",")).as_bytes()), Ok(()));
    }
}
