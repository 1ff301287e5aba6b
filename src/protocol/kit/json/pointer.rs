use crate::protocol::kit::json::reader::{Json, NotJson};

/// The path to a value in a JSON text: a member's name, or a pointer such as `/result/allowed`
/// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) through objects. It never leads into an array.
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
    /// Text that begins with `/` is a pointer, other text is one member's name. `None` if the text is empty, or if a
    /// pointer has a `~` that is not part of `~0` or `~1`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(path) = text.strip_prefix('/') else {
            return (!text.is_empty()).then(|| Self(vec![text.to_owned()]));
        };
        path.split('/')
            .map(|name| {
                let stray = name.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
                (!stray).then(|| name.replace("~1", "/").replace("~0", "~"))
            })
            .collect::<Option<_>>()
            .map(Self)
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
        assert_eq!(find("/a/0", r#"{"a":[1]}"#), Ok(None));
        assert_eq!(find("b", r#"{"a":1}"#), Ok(None));
        assert_eq!(find("a", r#"{"a":1,"a":2}"#), Err(NotJson));
        assert_eq!(find("a", r#"{"a":1}x"#), Err(NotJson));
        for malformed in ["", "/~", "/a~2b"] {
            assert_eq!(Pointer::parse(malformed), None, "{malformed}");
        }
    }
}
