use std::ops::Range;

use bytes::Bytes;

use crate::protocol::kit::json::reader::{Json, NotJson};

/// A JSON object to forward with some of its members changed. The rest keeps its bytes, so that the upstream reads what
/// the caller sent. For an object inside another one, rewrite its text and set it as a member.
///
/// ```
/// use tower_zookie::protocol::kit::json::{NotJson, Rewrite};
///
/// let mut rewrite = Rewrite::of(br#"{"at": "3", "checks": [1, 2.0, 3]}"#)?;
/// rewrite.set("at", "\"7\"");
/// rewrite.keep_elements("checks", &[1])?;
/// assert_eq!(rewrite.finish(), r#"{"at": "7", "checks": [2.0]}"#);
/// # Ok::<(), NotJson>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rewrite<'a> {
    text: &'a [u8],
    /// All between the braces.
    inside: Range<usize>,
    members: Vec<Member>,
    /// New members, by their names and values.
    added: Vec<(String, String)>,
}

/// A member of the text.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    /// All between the braces or commas around it.
    whole: Range<usize>,
    new_name: Option<String>,
    value: Range<usize>,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Value(String),
    Removed,
}

impl<'a> Rewrite<'a> {
    /// Reads a whole JSON text.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the text is not a strict JSON object.
    pub fn of(text: &'a [u8]) -> Result<Self, NotJson> {
        let mut json = Json::new(text)?;
        json.peek();
        let start = json.position() + 1;
        let mut members: Vec<Member> = Vec::new();
        json.object(|json, name| {
            // Only whitespace stands between the value before and its comma.
            let start = members.last_mut().map_or(start, |before| {
                let comma = text[before.value.end..]
                    .iter()
                    .take_while(|byte| **byte != b',')
                    .count();
                before.whole.end = before.value.end + comma;
                before.whole.end + 1
            });
            let value = json.span()?;
            members.push(Member {
                name: name.to_owned(),
                whole: start..value.end,
                new_name: None,
                value,
                change: Change::Nothing,
            });
            Ok::<_, NotJson>(())
        })?;
        let end = json.position() - 1;
        json.end()?;
        if let Some(last) = members.last_mut() {
            last.whole.end = end;
        }
        Ok(Self {
            text,
            inside: start..end,
            members,
            added: Vec::new(),
        })
    }

    /// The text of the value of the member `name`, as it was read.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        let member = self.members.iter().find(|member| member.name == name)?;
        Some(&self.text[member.value.clone()])
    }

    /// Gives the member `name` another name, if there is one. Its place and its value stay.
    pub fn rename(&mut self, name: &str, new_name: &str) {
        for member in self.members.iter_mut().filter(|member| member.name == name) {
            member.name = new_name.to_owned();
            member.new_name = Some(new_name.to_owned());
        }
    }

    /// Sets the member `name` to the value with this JSON text, which is not checked. A new member comes first.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.members.iter_mut().find(|member| member.name == name) {
            Some(member) => member.change = Change::Value(value),
            None => {
                self.added.retain(|(added, _)| added != name);
                self.added.push((name.to_owned(), value));
            }
        }
    }

    /// Removes the member `name`, if there is one.
    pub fn remove(&mut self, name: &str) {
        self.added.retain(|(added, _)| added != name);
        for member in self.members.iter_mut().filter(|member| member.name == name) {
            member.change = Change::Removed;
        }
    }

    /// Leaves only these elements of the text's array in the member `name`, in this order.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the text has no such array, or the array no such element.
    pub fn keep_elements(&mut self, name: &str, indexes: &[usize]) -> Result<(), NotJson> {
        let mut members = self.members.iter_mut();
        let member = members.find(|member| member.name == name).ok_or(NotJson)?;
        let mut json = Json::new(&self.text[member.value.clone()])?;
        let mut elements = Vec::new();
        json.array(|json| {
            elements.push(json.value()?);
            Ok::<_, NotJson>(())
        })?;
        let kept: Option<Vec<_>> = indexes.iter().map(|index| elements.get(*index).copied()).collect();
        member.change = Change::Value(format!("[{}]", kept.ok_or(NotJson)?.join(",")));
        Ok(())
    }

    /// The object with its changes.
    pub fn finish(self) -> Bytes {
        let quoted = |name: String| serde_json::Value::from(name).to_string();
        let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(self.members.len() + self.added.len());
        for (name, value) in self.added {
            pieces.push(format!("{}:{value}", quoted(name)).into_bytes());
        }
        for Member {
            whole,
            new_name,
            value,
            change,
            ..
        } in self.members
        {
            let before = &self.text[whole.start..value.start];
            let before = match new_name {
                None => before.to_vec(),
                Some(name) => renamed(before, &quoted(name)),
            };
            let new = match &change {
                Change::Nothing => &self.text[value.clone()],
                Change::Value(new) => new.as_bytes(),
                Change::Removed => continue,
            };
            pieces.push([&before, new, &self.text[value.end..whole.end]].concat());
        }
        let before = &self.text[..self.inside.start];
        let after = &self.text[self.inside.end..];
        [before, &pieces.join(&b','), after].concat().into()
    }
}

/// All before a member's value, with another quoted name.
fn renamed(before: &[u8], name: &str) -> Vec<u8> {
    let quote = |byte: &u8| *byte == b'"';
    let first = before.iter().position(quote).unwrap_or_default();
    let end = before.iter().rposition(quote).map_or(before.len(), |last| last + 1);
    [&before[..first], name.as_bytes(), &before[end..]].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::protocol::testing::{json, nearly_json, spell};

    fn rewritten(text: &str, change: impl FnOnce(&mut Rewrite<'_>)) -> String {
        let mut rewrite = Rewrite::of(text.as_bytes()).unwrap();
        change(&mut rewrite);
        String::from_utf8(rewrite.finish().to_vec()).unwrap()
    }

    #[test]
    fn only_the_changes_have_new_bytes() {
        let text = " {\n \"a\" : 1.0 ,\"\\u0062\":[ 1 , {} ], \"c\":null } ";
        assert_eq!(rewritten(text, |_| {}), text);
        assert_eq!(
            rewritten(text, |rewrite| rewrite.set("b", "2")),
            " {\n \"a\" : 1.0 ,\"\\u0062\":2, \"c\":null } "
        );
        assert_eq!(
            rewritten(text, |rewrite| rewrite.keep_elements("b", &[1]).unwrap()),
            " {\n \"a\" : 1.0 ,\"\\u0062\":[{}], \"c\":null } "
        );
        assert_eq!(
            rewritten(text, |rewrite| rewrite.remove("a")),
            " {\"\\u0062\":[ 1 , {} ], \"c\":null } "
        );
        assert_eq!(
            rewritten(text, |rewrite| rewrite.rename("b", "d")),
            " {\n \"a\" : 1.0 ,\"d\":[ 1 , {} ], \"c\":null } "
        );
        assert_eq!(
            rewritten(r#"{ "a":1}"#, |rewrite| rewrite.set("b", "2")),
            r#"{"b":2, "a":1}"#
        );
        assert_eq!(rewritten("{}", |rewrite| rewrite.set("\"", "1")), r#"{"\"":1}"#);
        assert_eq!(rewritten(r#"{"a":1}"#, |rewrite| rewrite.remove("a")), "{}");
    }

    #[test]
    fn elements_that_are_not_there_cannot_be_kept() {
        let mut rewrite = Rewrite::of(br#"{"a":[1],"b":1}"#).unwrap();
        assert_eq!(rewrite.keep_elements("a", &[1]), Err(NotJson));
        assert_eq!(rewrite.keep_elements("b", &[]), Err(NotJson));
        assert_eq!(rewrite.keep_elements("c", &[]), Err(NotJson));
        assert!(Rewrite::of(b"[]").is_err());
        assert!(Rewrite::of(b"{}x").is_err());
    }

    fn name() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a".to_owned(), "b".to_owned(), "ab".to_owned(), String::new()])
    }

    proptest! {
        #[test]
        fn changes_are_those_of_the_value(
            members in prop::collection::btree_map("[ab]{0,2}", json(), 0..4),
            changes in prop::collection::vec((name(), prop::option::of(json())), 0..4),
            seed: u64,
        ) {
            let mut expected: Map<String, Value> = members.into_iter().collect();
            let text = spell(&Value::from(expected.clone()), seed);
            let mut rewrite = Rewrite::of(text.as_bytes()).unwrap();
            for (name, value) in changes {
                match value {
                    Some(value) => {
                        rewrite.set(&name, spell(&value, seed));
                        expected.insert(name, value);
                    }
                    None => {
                        rewrite.remove(&name);
                        expected.remove(&name);
                    }
                }
            }
            let read: Value = serde_json::from_slice(&rewrite.finish()).unwrap();
            prop_assert_eq!(read, Value::from(expected));
        }

        #[test]
        fn rule_15_no_text_panics(text in nearly_json()) {
            if let Ok(mut rewrite) = Rewrite::of(text.as_bytes()) {
                let _ = rewrite.keep_elements("a", &[0]);
                rewrite.set("a", "1");
                prop_assert!(Rewrite::of(&rewrite.finish()).is_ok());
            }
        }
    }
}
