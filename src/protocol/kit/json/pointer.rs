use crate::protocol::kit::json::reader::{Json, NotJson};

/// The path to a value in a JSON text: a member's name, or a pointer such as `/result/allowed`
/// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) through objects. It never leads into an array.
///
/// A name with a dot, a slash or another sign of a path is spelled as a pointer, such as `/example.com`, so that
/// `result.allowed` is not silently the name of one member.
///
/// ```
/// use tower_zookie::protocol::kit::json::Pointer;
///
/// let pointer = Pointer::parse("/result/allowed").expect("a pointer");
/// assert_eq!(pointer.find(br#"{"result": {"allowed": true}}"#), Ok(Some("true")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Text that begins with `/` is a pointer, other text is one member's name.
    ///
    /// # Errors
    ///
    /// [`InvalidPointer`] if the text is empty, if a pointer has a `~` that is not part of `~0` or `~1` or a number in the
    /// place of a name, which would be an element of an array, or if a name has signs of a path.
    pub fn parse(text: &str) -> Result<Self, InvalidPointer> {
        let invalid = |problem| Err(InvalidPointer(problem));
        let Some(path) = text.strip_prefix('/') else {
            return match text {
                "" => {
                    invalid("is empty; name the member, such as `allowed`, or use a pointer, such as `/a/b`".to_owned())
                }
                _ if text.contains(['.', '/', '$', '#', '[', ']']) => invalid(another_spelling(text)),
                _ => Ok(Self(vec![text.to_owned()])),
            };
        };
        let is_stray = |rest: &str| !rest.starts_with(['0', '1']);
        if path.split('/').any(|name| name.split('~').skip(1).any(is_stray)) {
            return invalid("has a stray `~`; write `~0` for `~`, and `~1` for `/` in a name".to_owned());
        }
        let is_number = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(number) = path.split('/').find(is_number) {
            return invalid(format!(
                "is `{text}`, and leads into an array at `{number}`; use a pointer that leads through objects only"
            ));
        }
        let names = path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
        Ok(Self(names.collect()))
    }

    /// The names of the members on the way, from the outermost. There is at least one.
    pub(in crate::protocol) fn names(&self) -> &[String] {
        &self.0
    }

    /// The text of the value in a whole JSON text; `None` if it has no such value.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the text as a whole is not strict JSON.
    pub fn find<'a>(&self, text: &'a [u8]) -> Result<Option<&'a str>, NotJson> {
        let mut json = Json::new(text)?;
        let found = find(&mut json, &self.0)?;
        json.end()?;
        Ok(found)
    }
}

/// Text that is no [`Pointer`]: what is wrong with it, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPointer(String);

/// What is wrong with a path in another spelling, such as `result.allowed`, `$.result.allowed` or `result/allowed`.
fn another_spelling(text: &str) -> String {
    let is_sign = |sign| matches!(sign, '.' | '/' | '$' | '#' | '[' | ']' | '\'' | '"');
    let names: Vec<&str> = text.split(is_sign).filter(|name| !name.is_empty()).collect();
    let one_member = text.replace('~', "~0").replace('/', "~1");
    let one_member = format!("`/{one_member}` for one member of this name");
    match &names[..] {
        [] => format!("is `{text}`; write {one_member}"),
        names => format!("is `{text}`; write `/{}`, or {one_member}", names.join("/")),
    }
}

fn find<'a>(json: &mut Json<'a>, names: &[String]) -> Result<Option<&'a str>, NotJson> {
    let Some((expected, rest)) = names.split_first() else {
        return json.value().map(Some);
    };
    if json.peek() != Some(b'{') {
        return json.value().map(|_| None);
    }
    let mut found = None;
    json.object(|json, name| {
        if name == expected {
            found = find(json, rest)?;
            Ok(())
        } else {
            json.value().map(drop)
        }
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_through_objects() {
        let find = |pointer, text: &'static str| Pointer::parse(pointer).unwrap().find(text.as_bytes());
        assert_eq!(find("a", r#"{"a": true }"#), Ok(Some("true")));
        assert_eq!(find("/a/b", r#"{"a":{"c":0,"b":[1]}}"#), Ok(Some("[1]")));
        assert_eq!(find("/a~1b/~0", r#"{"a/b":{"~":2}}"#), Ok(Some("2")));
        assert_eq!(find("/", r#"{"":3}"#), Ok(Some("3")));
        assert_eq!(find("/a/b0", r#"{"a":[1]}"#), Ok(None));
        assert_eq!(find("b", r#"{"a":1}"#), Ok(None));
        assert_eq!(find("a", r#"{"a":1,"a":2}"#), Err(NotJson));
        assert_eq!(find("a", r#"{"a":1}x"#), Err(NotJson));
        assert_eq!(find("/a.b", r#"{"a.b":4}"#), Ok(Some("4")));
    }

    #[test]
    fn other_spellings_are_rejected_with_the_right_one() {
        for (text, problem) in [
            (
                "",
                "is empty; name the member, such as `allowed`, or use a pointer, such as `/a/b`",
            ),
            ("/~", "has a stray `~`; write `~0` for `~`, and `~1` for `/` in a name"),
            (
                "/a~2b",
                "has a stray `~`; write `~0` for `~`, and `~1` for `/` in a name",
            ),
            (
                "/results/0/allowed",
                "is `/results/0/allowed`, and leads into an array at `0`; use a pointer that leads through objects only",
            ),
            (
                "result.allowed",
                "is `result.allowed`; write `/result/allowed`, or `/result.allowed` for one member of this name",
            ),
            (
                "$.result['allowed']",
                "is `$.result['allowed']`; write `/result/allowed`, or `/$.result['allowed']` for one member of this name",
            ),
            (
                "result/allowed",
                "is `result/allowed`; write `/result/allowed`, or `/result~1allowed` for one member of this name",
            ),
            (
                "#/result/allowed",
                "is `#/result/allowed`; write `/result/allowed`, or `/#~1result~1allowed` for one member of this name",
            ),
            (".", "is `.`; write `/.` for one member of this name"),
        ] {
            assert_eq!(Pointer::parse(text).unwrap_err().to_string(), problem);
        }
    }
}
