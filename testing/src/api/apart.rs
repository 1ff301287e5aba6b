use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::api::case::{Case, Wire};
use crate::api::table::{Does, Field};
use crate::frame::{fields, messages};

/// A body taken apart into what forwarding may change and what it may not, without its own spelling of the message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// What states the freshness.
    pub freshness: Vec<Vec<u8>>,
    pub items: Vec<Vec<u8>>,
    /// Everything else, in its order.
    pub others: Vec<Vec<u8>>,
}

/// Takes a body apart.
pub fn apart(case: Case, body: &Bytes) -> Apart {
    let mut apart = Apart::default();
    let path: Vec<_> = case.api.system.freshness().split('/').skip(1).collect();
    match case.api.wire {
        Wire::Grpc => apart.add_proto(case.does(), case.operation.asks, messages(body)[0], &path),
        Wire::Json => apart.add_json(case.does(), std::str::from_utf8(body).unwrap(), &path),
    }
    apart
}

impl Apart {
    fn add_proto(&mut self, does: Does, table: &[Field], message: &[u8], path: &[&str]) {
        for (number, bytes, content) in fields(message) {
            let field = table.iter().find(|field| u64::from(field.0) == number);
            let name = field.map_or("", |field| field.1);
            match (path, content) {
                ([last], _) if *last == name => self.freshness.push(bytes.to_vec()),
                ([first, rest @ ..], Some(content)) if *first == name => {
                    self.add_proto(does, field.unwrap().2.fields(), content, rest);
                }
                (_, Some(item)) if name == "items" && does == Does::Bulk => self.items.push(item.to_vec()),
                _ => self.others.push(bytes.to_vec()),
            }
        }
    }

    fn add_json(&mut self, does: Does, text: &str, path: &[&str]) {
        let Members(members) = serde_json::from_str(text).unwrap();
        for (name, value) in members {
            let value = value.get();
            match path {
                [last] if *last == name => self.freshness.push(value.into()),
                [first, rest @ ..] if *first == name => self.add_json(does, value, rest),
                _ if name == "items" && does == Does::Bulk => {
                    let items: Vec<Box<RawValue>> = serde_json::from_str(value).unwrap();
                    self.items
                        .extend(items.iter().map(|item| item.get().as_bytes().to_vec()));
                }
                _ => self.others.push(format!("{name}:{value}").into_bytes()),
            }
        }
    }
}

/// The members of a JSON object in their order, each with its text.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
