//! Paths of an API.

use std::borrow::Cow;

use crate::protocol::invalid_route::InvalidRoute;

/// A path with captures: `{name}` is any one segment, and `{*rest}` at the end is one segment or more.
///
/// A path is compared byte for byte, with its escapes. A capture does not match a segment that some servers rewrite: an
/// empty one, a dot segment (`.`, `..`, also escaped), or one with a slash in it (`%2F`, `%5C`, `\`). Such a request is
/// not the API's. Otherwise the layer and the server might read two different paths.
///
/// Two patterns are equal if they match the same paths: the names of captures make no difference.
///
/// ```
/// use tower_zookie::protocol::InvalidRoute;
/// use tower_zookie::protocol::kit::path::Pattern;
///
/// let check = Pattern::parse("/v1/{tenant}/check")?;
/// assert!(check.matches("/v1/acme/check"));
/// assert!(!check.matches("/v1/../check"));
/// # Ok::<(), InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Without captures.
    Path(Box<str>),
    Segments(Vec<Segment>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Capture,
    Rest,
}

impl Pattern {
    /// Reads a pattern: it begins with `/`, and each segment is a capture or has only the characters that a path has
    /// without escapes ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986)'s `pchar`).
    ///
    /// # Errors
    ///
    /// [`InvalidRoute`] if it is not such a path, has an empty segment, `.` or `..`, or repeats a capture's name.
    pub fn parse(text: &str) -> Result<Self, InvalidRoute> {
        Self::read(text).map_err(|problem| InvalidRoute::new(text, problem))
    }

    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let path = text
            .strip_prefix('/')
            .ok_or("a path begins with `/`, without a scheme and a host; add the `/`")?;
        if text.contains(['?', '#']) {
            return Err("a path has no `?` and no `#`; leave them out, the query is read and keyed anyway".into());
        }
        if path.is_empty() {
            return Ok(Self(Form::Path(text.into())));
        }
        let mut names: Vec<&str> = Vec::new();
        let mut segments = Vec::new();
        for segment in path.split('/') {
            if segments.last() == Some(&Segment::Rest) {
                return Err("`{*rest}` must come last; leave out what follows it".into());
            }
            let (segment, name) = Segment::parse(segment)?;
            if let Some(name) = name {
                if names.contains(&name) {
                    return Err("two captures have the same name; rename one of them".into());
                }
                names.push(name);
            }
            segments.push(segment);
        }
        let literal = segments.iter().all(|segment| matches!(segment, Segment::Literal(_)));
        Ok(Self(if literal {
            Form::Path(text.into())
        } else {
            Form::Segments(segments)
        }))
    }

    /// Whether this pattern matches every path that `other` matches.
    pub(in crate::protocol) fn covers(&self, other: &Self) -> bool {
        let (segments, others) = match (&self.0, &other.0) {
            (Form::Segments(segments), Form::Segments(others)) => (segments, Cow::Borrowed(others)),
            (Form::Segments(segments), Form::Path(path)) => (segments, Cow::Owned(literals(path))),
            (Form::Path(_), _) => return self == other,
        };
        let mut others = others.iter();
        for segment in segments {
            let covers = match (segment, others.next()) {
                // Literals never have a form that captures do not match.
                (Segment::Rest, Some(_)) => return true,
                (Segment::Capture, Some(Segment::Literal(_) | Segment::Capture)) => true,
                (Segment::Literal(literal), Some(Segment::Literal(other))) => literal == other,
                _ => false,
            };
            if !covers {
                return false;
            }
        }
        others.next().is_none()
    }

    /// Whether `path` has this form. It allocates nothing.
    pub fn matches(&self, path: &str) -> bool {
        let segments = match &self.0 {
            Form::Path(whole) => return path == &**whole,
            Form::Segments(segments) => segments,
        };
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut found = path.split('/');
        for segment in segments {
            let matches = match segment {
                Segment::Literal(literal) => found.next() == Some(literal),
                Segment::Capture => found.next().is_some_and(is_plain),
                Segment::Rest => return found.next().is_some_and(is_plain) && found.all(is_plain),
            };
            if !matches {
                return false;
            }
        }
        found.next().is_none()
    }
}

impl Segment {
    fn parse(text: &str) -> Result<(Self, Option<&str>), Cow<'static, str>> {
        let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let (segment, name) = match name {
            Some(name) => match name.strip_prefix('*') {
                Some(name) => (Self::Rest, name),
                None => (Self::Capture, name),
            },
            None if text.is_empty() => {
                return Err("a path can't contain `//` or end with `/`; leave out the `/` that is too many".into());
            }
            None if matches!(text, "." | "..") => {
                return Err("a path can't contain the segments `.` and `..`; leave them out".into());
            }
            None if text.starts_with([':', '*', '<', '[', '$']) => return Err(another_spelling(text)),
            None if text.contains(['{', '}']) => {
                return Err("a capture is a whole segment; write `{name}`, or `{*name}` at the end".into());
            }
            None if !text.bytes().all(is_literal) => {
                let problem = "a path can contain only letters, digits and `-._~!$&'()*+,;=:@`; use a capture for a segment with escapes";
                return Err(problem.into());
            }
            None => return Ok((Self::Literal(text.into()), None)),
        };
        if name.is_empty() || !name.bytes().all(is_of_a_name) {
            return Err(another_spelling(text));
        }
        Ok((segment, Some(name)))
    }
}

/// The segments of a path without captures. The only segment of `/` is empty, and captures do not match it.
fn literals(path: &str) -> Vec<Segment> {
    let segments = path.split('/').skip(1).filter(|segment| !segment.is_empty());
    segments.map(|segment| Segment::Literal(segment.into())).collect()
}

/// What is wrong with a capture in another framework's spelling, such as `:org`, `*rest`, `<org>`, `{rest...}` or `{id:[0-9]+}`.
fn another_spelling(text: &str) -> Cow<'static, str> {
    let is_rest = text.trim_start_matches('{').starts_with('*') || text.contains("..") || text.contains(":.*");
    let before_type = text
        .split_once(':')
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty());
    let name: String = before_type.unwrap_or(text).replace('-', "_");
    let name: String = name
        .bytes()
        .filter(|byte| is_of_a_name(*byte))
        .map(char::from)
        .collect();
    let right = match (is_rest, &*name) {
        (true, "") => "{*rest}".to_owned(),
        (true, name) => format!("{{*{name}}}"),
        (false, "") => "{name}".to_owned(),
        (false, name) => format!("{{{name}}}"),
    };
    format!("`{text}` is no capture; write `{right}`, with only letters, digits and `_` in the name").into()
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// RFC 3986's `pchar` without escapes.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// Whether no server rewrites this segment of a path.
pub(in crate::protocol) fn is_plain(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let slash = |escape: &[u8]| escape.eq_ignore_ascii_case(b"%2f") || escape.eq_ignore_ascii_case(b"%5c");
    !segment.is_empty() && !is_dots(bytes) && !segment.contains('\\') && !bytes.windows(3).any(slash)
}

/// `.` and `..`, escaped or not.
fn is_dots(mut segment: &[u8]) -> bool {
    let mut dots = 0;
    while !segment.is_empty() {
        segment = match segment {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return false,
        };
        dots += 1;
    }
    dots <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn literals_captures_and_rests() {
        for (pattern, path, expected) in [
            ("/", "/", true),
            ("/", "/a", false),
            ("/check", "/check", true),
            ("/check", "/check/", false),
            ("/check", "/checks", false),
            ("/check", "/%63heck", false),
            ("/check", "//check", false),
            ("/check", "check", false),
            ("/check", "", false),
            ("/v1/{tenant}/check", "/v1/t1/check", true),
            ("/v1/{tenant}/check", "/v1/a%20b/check", true),
            ("/v1/{tenant}/check", "/v1//check", false),
            ("/v1/{tenant}/check", "/v1/../check", false),
            ("/v1/{tenant}/check", "/v1/%2E./check", false),
            ("/v1/{tenant}/check", "/v1/.../check", true),
            ("/v1/{tenant}/check", "/v1/a%2fb/check", false),
            ("/v1/{tenant}/check", "/v1/a%5Cb/check", false),
            ("/v1/{tenant}/check", "/v1/t1", false),
            ("/files/{*path}", "/files/a/b", true),
            ("/files/{*path}", "/files/a", true),
            ("/files/{*path}", "/files/", false),
            ("/files/{*path}", "/files", false),
            ("/files/{*path}", "/files/a//b", false),
            ("/files/{*path}", "/files/a/./b", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn bad_patterns_are_rejected() {
        for pattern in [
            "",
            "check",
            "/a//b",
            "/a/",
            "/./a",
            "/a/..",
            "/{a",
            "/a}",
            "/x{a}",
            "/{}",
            "/{*}",
            "/{a b}",
            "/{a}/{a}",
            "/{*a}/b",
            "/a b",
            "/a%20b",
            "/a?b",
            "/a#b",
            "/é",
            "http://host/a",
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.problem().contains("; "), "it does not say what to do: {error}");
        }
    }

    #[test]
    fn another_frameworks_captures_are_rejected_with_the_right_spelling() {
        for (pattern, right) in [
            ("/v1/:org/check", "`{org}`"),
            ("/files/*rest", "`{*rest}`"),
            ("/files/*", "`{*rest}`"),
            ("/files/**", "`{*rest}`"),
            ("/v1/<org>/check", "`{org}`"),
            ("/files/<rest..>", "`{*rest}`"),
            ("/files/{rest...}", "`{*rest}`"),
            ("/v1/{org:[a-z]+}/check", "`{org}`"),
            ("/files/{tail:.*}", "`{*tail}`"),
            ("/v1/[org]/check", "`{org}`"),
            ("/v1/{user-id}", "`{user_id}`"),
            ("/v1/{}", "`{name}`"),
            ("/v1/{*}", "`{*rest}`"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{pattern}: `")), "{error}");
            assert!(error.contains(&format!("; write {right}, ")), "{error}");
        }
        assert!(
            matches("/v1/documents:check", "/v1/documents:check"),
            "no capture, but a literal"
        );
    }

    #[test]
    fn a_pattern_covers_what_it_matches_always() {
        for (pattern, other, expected) in [
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/{x}", "/a", true),
            ("/{x}", "/", false),
            ("/{*x}", "/", false),
            ("/a", "/{x}", false),
            ("/{x}", "/{y}", true),
            ("/{x}", "/a/b", false),
            ("/{*x}", "/a/{y}/{*z}", true),
            ("/a/{*x}", "/a", false),
            ("/a/{*x}", "/a/{y}", true),
            ("/a/{*x}", "/b/{y}", false),
            ("/{x}/{y}", "/{*z}", false),
            ("/{x}/b", "/a/{y}", false),
        ] {
            let [pattern, other] = [pattern, other].map(|text| Pattern::parse(text).unwrap());
            assert_eq!(pattern.covers(&other), expected, "{pattern:?} {other:?}");
        }
    }

    #[test]
    fn names_of_captures_make_no_difference() {
        assert_eq!(Pattern::parse("/a/{b}"), Pattern::parse("/a/{c}"));
        assert_ne!(Pattern::parse("/a/{b}"), Pattern::parse("/a/{*b}"));
    }
}
