//! The APIs of authorization systems, as the tests of all protocols see them.
//!
//! A [`System`] says once what its messages mean: their fields, how a question is asked, how a freshness is stated, what
//! a reply says. An [`Api`] is one system over one wire, and a [`Case`] is one operation of it. A case spells messages,
//! which tests write as JSON values, in Protocol Buffers or in JSON, without the crate's own code. An array is a
//! repeated field. A member's name may end in `#` and a number: so a message can have one field twice. The field that
//! no table has is named `unknown`.

#[macro_use]
mod table;
mod apart;
mod case;
mod edit;
mod json;
mod permify;
mod proto;
mod question;
mod reply;
mod spicedb;
mod system;

pub use apart::{Apart, apart};
pub use case::{Api, Case, Wire, apis, cases, over, permify, spicedb};
pub use edit::{edits, pointers, with, without};
pub use json::{doubles, json_values, nearly_json};
pub use question::{Base, Question, Request, base, map, revision, ways};
pub use reply::{Answer, Learned, items, stored};
pub use system::{Stated, System};
pub use table::{Does, Field, Holds, Operation, QUESTIONS, READS, STATING, STORED, WRITES};
