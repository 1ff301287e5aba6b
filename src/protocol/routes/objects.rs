use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

use crate::changes::{self, Question, Subject};
use crate::protocol::call::Unreadable;
use crate::protocol::object::Object;

const MISSING: Unreadable = Unreadable("an object is not where the route declares it");

/// Where a request names objects, for [`CheckRoute::object`](crate::protocol::CheckRoute::object) and
/// [`WriteRoute::touches`](crate::protocol::WriteRoute::touches).
///
/// ```
/// use tower_zookie::protocol::ObjectAt;
///
/// // `/check?resource=document:1`
/// let resource = ObjectAt::query("resource");
/// // `/documents/{id}/check`
/// let document = ObjectAt::capture("id").of_type("document");
/// // `{"updates": [{"resource": "document:1", "subject": "user:ann"}]}`
/// let resources = ObjectAt::json("/updates/*/resource");
/// # let _ = (resource, document, resources);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ObjectAt {
    place: Place,
    kind: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Capture(String),
    Query(String),
    Json(String),
}

impl ObjectAt {
    /// In the segment of the path that is captured under this name.
    pub fn capture(name: impl Into<String>) -> Self {
        Self::new(Place::Capture(name.into()))
    }

    /// In the query parameter of this name.
    pub fn query(name: impl Into<String>) -> Self {
        Self::new(Place::Query(name.into()))
    }

    /// In the JSON body, at a member's name or a JSON pointer. `*` stands for every element of an array. The text there is
    /// `type:id`, or there is an object with the members `type` and `id`.
    pub fn json(pointer: impl Into<String>) -> Self {
        Self::new(Place::Json(pointer.into()))
    }

    fn new(place: Place) -> Self {
        Self { place, kind: None }
    }

    /// The text there is the id of an object of this type. Without it, the text is `type:id`; a relation after the id, as in
    /// `group:eng#member`, is left out.
    pub fn of_type(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Whether the body has to be read.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Json(_))
    }

    /// What is wrong with it on a route with this path.
    pub(super) fn problem(&self, path: &str, setting: &str, has_body: bool) -> Option<String> {
        match &self.place {
            Place::Capture(name) if capture(path, name).is_none() => Some(format!(
                "`{setting}` names the capture `{name}`, which the path does not have; write `{{{name}}}` into the path"
            )),
            Place::Query(name) if name.is_empty() => Some(format!(
                "`{setting}` names a query parameter without a name; give it one"
            )),
            Place::Json(_) if !has_body => Some(format!(
                "`{setting}` is in the body, which a GET does not have; use a capture or a query parameter"
            )),
            Place::Json(pointer) if pointer.is_empty() => Some(format!(
                "`{setting}` has an empty pointer; name a member, such as `resource`"
            )),
            _ => None,
        }
    }

    /// Calls `each` with the objects that stand there.
    pub(super) fn visit(
        &self,
        pattern: &str,
        parts: &Parts,
        body: Option<&Value>,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Result<(), Unreadable> {
        match &self.place {
            Place::Capture(name) => {
                let nth = capture(pattern, name).ok_or(MISSING)?;
                let segment = parts.uri.path().split('/').nth(nth).ok_or(MISSING)?;
                self.text(&unescaped(segment), each)
            }
            Place::Query(name) => {
                let query = parts.uri.query().unwrap_or_default();
                let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
                match (values.next(), values.next()) {
                    (Some((_, text)), None) => self.text(text.as_bytes(), each),
                    _ => Err(MISSING),
                }
            }
            Place::Json(pointer) => {
                let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
                let path: Vec<&str> = pointer.split('/').collect();
                self.value(body.ok_or(MISSING)?, &path, each)
            }
        }
    }

    fn value(&self, value: &Value, path: &[&str], each: &mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable> {
        match (path, value) {
            ([], Value::String(text)) => self.text(text.as_bytes(), each),
            ([], Value::Object(members)) => {
                let member = |name| members.get(name).and_then(Value::as_str);
                let kind = self.kind.as_deref().or(member("type")).ok_or(MISSING)?;
                let id = member("id").ok_or(MISSING)?;
                name(kind.as_bytes(), id.as_bytes(), each)
            }
            (["*", rest @ ..], Value::Array(elements)) => {
                elements.iter().try_for_each(|element| self.value(element, rest, each))
            }
            ([first, rest @ ..], Value::Object(members)) => {
                let first = first.replace("~1", "/").replace("~0", "~");
                self.value(members.get(&first).ok_or(MISSING)?, rest, each)
            }
            _ => Err(MISSING),
        }
    }

    fn text(&self, text: &[u8], each: &mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable> {
        if let Some(kind) = &self.kind {
            return name(kind.as_bytes(), text, each);
        }
        let colon = text.iter().position(|byte| *byte == b':').ok_or(MISSING)?;
        let (kind, id) = (&text[..colon], &text[colon + 1..]);
        let id = id.split(|byte| *byte == b'#').next().unwrap_or_default();
        name(kind, id, each)
    }
}

/// A wildcard stands for every object of its type.
fn name(kind: &[u8], id: &[u8], each: &mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable> {
    if kind.is_empty() || id.is_empty() || id == b"*" {
        return Err(MISSING);
    }
    each(Object::new(kind, id));
    Ok(())
}

/// Which segment of a path is the capture of this name.
fn capture(pattern: &str, name: &str) -> Option<usize> {
    let is_it = |segment: &str| segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name);
    pattern.split('/').position(is_it)
}

fn unescaped(segment: &str) -> Cow<'_, [u8]> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment.as_bytes());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [byte, after @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                bytes.push(digit(*high).unwrap_or_default() << 4 | digit(*low).unwrap_or_default());
                rest = after;
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    bytes.into()
}

/// Where a request names a permission or a relation, for [`CheckRoute::asks`](crate::protocol::CheckRoute::asks).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct TextAt(Text);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    Always(String),
    At(ObjectAt),
}

/// The type of what is read by its id alone.
const TEXT: &str = "text";

impl TextAt {
    /// It is always this one.
    pub fn always(text: impl Into<String>) -> Self {
        Self(Text::Always(text.into()))
    }

    /// In the segment of the path that is captured under this name.
    pub fn capture(name: impl Into<String>) -> Self {
        Self(Text::At(ObjectAt::capture(name).of_type(TEXT)))
    }

    /// In the query parameter of this name.
    pub fn query(name: impl Into<String>) -> Self {
        Self(Text::At(ObjectAt::query(name).of_type(TEXT)))
    }

    /// In the JSON body, at a member's name or a JSON pointer.
    pub fn json(pointer: impl Into<String>) -> Self {
        Self(Text::At(ObjectAt::json(pointer).of_type(TEXT)))
    }

    pub(super) fn problem(&self, path: &str, setting: &str, has_body: bool) -> Option<String> {
        match &self.0 {
            Text::Always(_) => None,
            Text::At(at) => at.problem(path, setting, has_body),
        }
    }
}

/// Where a request names what it asks.
#[derive(Clone, Debug)]
pub(super) struct Asks {
    pub(super) resource: ObjectAt,
    pub(super) permission: TextAt,
    pub(super) subject: ObjectAt,
}

impl Asks {
    pub(super) fn question(&self, pattern: &str, parts: &Parts, message: &Bytes) -> Option<Question> {
        let is_in_body = |at: &ObjectAt| at.is_in_body();
        let permission_at = match &self.permission.0 {
            Text::At(at) => Some(at),
            Text::Always(_) => None,
        };
        let reads_body = [Some(&self.resource), Some(&self.subject), permission_at];
        let body: Option<Value> = match reads_body.into_iter().flatten().any(is_in_body) {
            true => Some(serde_json::from_slice(message).ok()?),
            false => None,
        };
        let one = |at: &ObjectAt| {
            let (mut found, mut others) = (None, false);
            let visited = at.visit(pattern, parts, body.as_ref(), &mut |object| {
                let text = |bytes| std::str::from_utf8(bytes).ok();
                let named = text(object.kind).zip(object.id.and_then(text));
                others |= found.is_some() || named.is_none();
                found = named.map(|(kind, id)| changes::Object::new(kind, id));
            });
            found.filter(|_| visited.is_ok() && !others)
        };
        let permission = match (&self.permission.0, permission_at) {
            (Text::Always(text), _) => text.as_str().into(),
            (_, at) => one(at?)?.id,
        };
        // A relation of the subject is left out. What concerns its object concerns the subjects that have the relation.
        let subject = Subject::of(one(&self.subject)?);
        Some(Question::new(one(&self.resource)?, permission, subject))
    }
}

/// Calls `each` with all objects of a request that stand at these places of a route with this path.
pub(super) fn visit_all(
    places: &[ObjectAt],
    pattern: &str,
    parts: &Parts,
    message: &Bytes,
    each: &mut dyn FnMut(Object<'_>),
) -> Result<(), Unreadable> {
    if places.is_empty() {
        return Err(Unreadable("the route does not declare which objects it concerns"));
    }
    let is_in_body = places.iter().any(ObjectAt::is_in_body);
    let body: Option<Value> = match is_in_body {
        true => Some(serde_json::from_slice(message).map_err(|_| MISSING)?),
        false => None,
    };
    places
        .iter()
        .try_for_each(|place| place.visit(pattern, parts, body.as_ref(), each))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(places: &[ObjectAt], pattern: &str, uri: &str, body: &'static str) -> Option<Vec<String>> {
        let (parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
        let mut found = Vec::new();
        let visited = visit_all(
            places,
            pattern,
            &parts,
            &Bytes::from_static(body.as_bytes()),
            &mut |object| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                found.push(format!("{}:{}", text(object.kind), text(object.id.unwrap_or_default())));
            },
        );
        visited.ok().map(|()| found)
    }

    #[test]
    fn objects_stand_in_paths_queries_and_bodies() {
        let at = [ObjectAt::capture("id").of_type("document"), ObjectAt::query("subject")];
        let path = "/documents/{id}/check";
        let some = |objects: &[&str]| Some(objects.iter().map(|object| (*object).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            found(&at, path, "/documents/a%2Fb/check?subject=user%3Aann%23self", ""),
            some(&["document:a/b", "user:ann"])
        );
        let at = [ObjectAt::json("/updates/*/resource"), ObjectAt::json("by")];
        let body = r#"{"updates":[{"resource":"d:1"},{"resource":{"type":"d","id":"2"}}],"by":"user:ann"}"#;
        assert_eq!(found(&at, "/write", "/write", body), some(&["d:1", "d:2", "user:ann"]));
    }

    #[test]
    fn an_object_that_is_missing_or_a_wildcard_is_not_guessed() {
        let query = [ObjectAt::query("resource")];
        for uri in [
            "/check",
            "/check?resource=1",
            "/check?resource=d:*",
            "/check?resource=d:1&resource=d:2",
        ] {
            assert_eq!(found(&query, "/check", uri, ""), None, "{uri}");
        }
        let json = [ObjectAt::json("/updates/*/resource")];
        for body in [
            "",
            "{}",
            r#"{"updates":{}}"#,
            r#"{"updates":[{"resource":1}]}"#,
            r#"{"updates":[{}]}"#,
        ] {
            assert_eq!(found(&json, "/write", "/write", body), None, "{body}");
        }
        assert_eq!(found(&[], "/check", "/check", ""), None);
    }
}
