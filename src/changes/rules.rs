use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Rules;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role { Direct, Through }

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign { Plus, Minus, Both }

#[derive(Debug)]
pub(crate) struct Entry { pub(crate) kind: Box<str>, pub(crate) relation: Box<str>, pub(crate) own: bool, pub(crate) role: Role, pub(crate) sign: Sign }

#[derive(Debug)]
pub(crate) struct Reach { pub(crate) entries: Box<[Entry]>, pub(crate) expires: bool }

impl Rules {
    pub(crate) fn read(_text: &str) -> Result<Self, String> { Err("stub".into()) }
    pub(crate) fn reach(&self, _kind: &str, _permission: &str) -> Option<Arc<Reach>> { None }
    pub(crate) fn is_conditional(&self, _kind: &str, _relation: &str) -> bool { true }
}
