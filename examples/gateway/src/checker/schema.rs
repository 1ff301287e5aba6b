//! A minimal parser for schemas, to evaluate permissions. It assumes that the schema is valid.

use std::collections::HashMap;
use std::iter::Peekable;
use std::vec::IntoIter;

/// How a type's relations and permissions are computed, by type and name.
#[derive(Debug, Default)]
pub(crate) struct Rules(HashMap<String, HashMap<String, Rule>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What the relation's own tuples say.
    Relation,
    Nil,
    Name(String),
    Arrow(String, String),
    Union(Box<Rule>, Box<Rule>),
    Intersection(Box<Rule>, Box<Rule>),
    Exclusion(Box<Rule>, Box<Rule>),
}

/// A text that is no schema.
#[derive(Debug, thiserror::Error)]
#[error("the checker expected {expected} in the schema and found `{found}`")]
pub struct NotASchema {
    expected: &'static str,
    found: String,
}

type Words = Peekable<IntoIter<String>>;

impl Rules {
    pub(crate) fn parse(text: &str) -> Result<Self, NotASchema> {
        let mut words = words(text).into_iter().peekable();
        let mut types = HashMap::new();
        while words.peek().is_some() {
            take(&mut words, "definition")?;
            let name = next(&mut words);
            take(&mut words, "{")?;
            types.insert(name, members(&mut words)?);
        }
        Ok(Self(types))
    }

    pub(crate) fn of(&self, object_type: &str, name: &str) -> Option<&Rule> {
        self.0.get(object_type)?.get(name)
    }
}

fn members(words: &mut Words) -> Result<HashMap<String, Rule>, NotASchema> {
    let mut members = HashMap::new();
    loop {
        match next(words).as_str() {
            "}" => return Ok(members),
            ";" => {}
            "relation" => {
                members.insert(next(words), Rule::Relation);
                // Which subjects a relation takes was checked when they were written.
                while !matches!(
                    words.peek().map(String::as_str),
                    None | Some("relation" | "permission" | "}")
                ) {
                    words.next();
                }
            }
            "permission" => {
                let name = next(words);
                take(words, "=")?;
                members.insert(name, exclusion(words)?);
            }
            other => return Err(unexpected("`relation`, `permission` or `}`", other)),
        }
    }
}

fn exclusion(words: &mut Words) -> Result<Rule, NotASchema> {
    let mut left = intersection(words)?;
    while accept(words, "-") {
        left = Rule::Exclusion(Box::new(left), Box::new(intersection(words)?));
    }
    Ok(left)
}

fn intersection(words: &mut Words) -> Result<Rule, NotASchema> {
    let mut left = union(words)?;
    while accept(words, "&") {
        left = Rule::Intersection(Box::new(left), Box::new(union(words)?));
    }
    Ok(left)
}

fn union(words: &mut Words) -> Result<Rule, NotASchema> {
    let mut left = operand(words)?;
    while accept(words, "+") {
        left = Rule::Union(Box::new(left), Box::new(operand(words)?));
    }
    Ok(left)
}

fn operand(words: &mut Words) -> Result<Rule, NotASchema> {
    if accept(words, "(") {
        let inner = exclusion(words)?;
        take(words, ")")?;
        return Ok(inner);
    }
    let name = next(words);
    if name == "nil" {
        return Ok(Rule::Nil);
    }
    if accept(words, "->") {
        return Ok(Rule::Arrow(name, next(words)));
    }
    if accept(words, ".") {
        for expected in ["any", "("] {
            take(words, expected)?;
        }
        let target = next(words);
        take(words, ")")?;
        return Ok(Rule::Arrow(name, target));
    }
    Ok(Rule::Name(name))
}

fn next(words: &mut Words) -> String {
    words.next().unwrap_or_default()
}

fn accept(words: &mut Words, word: &str) -> bool {
    words.next_if(|next| next == word).is_some()
}

fn take(words: &mut Words, expected: &'static str) -> Result<(), NotASchema> {
    match next(words) {
        word if word == expected => Ok(()),
        other => Err(unexpected(expected, &other)),
    }
}

fn unexpected(expected: &'static str, found: &str) -> NotASchema {
    let found = found.to_owned();
    NotASchema { expected, found }
}

/// Names (with `/`, as in a type's prefix), arrows, and single signs; comments are left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if let Some(comment) = rest.strip_prefix("//") {
            rest = &rest[2 + comment.find('\n').unwrap_or(comment.len())..];
            continue;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
            continue;
        } else if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            continue;
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/';
            rest.find(|c| !name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("->") {
            2
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(len);
        words.push(word.to_owned());
        rest = after;
    }
    words
}
