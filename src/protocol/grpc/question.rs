use http::request::Parts as Head;

use super::super::digest::Hashed;
use super::super::{Key, Route, Unreadable};
use super::{content_type, is_proto};
use crate::cache::{Fingerprint, Part, Parts};
use crate::protobuf::Field;

/// A question in the making: every field of its message as it stands there, but for the context, which counts by value.
#[derive(Clone)]
pub(in crate::protocol) struct Question {
    parts: Parts,
    context: Option<Hashed>,
}

impl Question {
    /// What every question of a call to `route` begins with.
    pub(in crate::protocol) fn new(system: &str, route: Route, head: &Head, key: &Key<'_>) -> Result<Self, Unreadable> {
        let content_type = content_type(&head.headers)
            .filter(is_proto)
            .ok_or(Unreadable("the content type is not that of Protocol Buffers over gRPC"))?;
        let mut parts = key.base.clone().text(Part::System, system);
        parts.add_nth(Part::Method, route.0 as u16, b"");
        parts.add(Part::Header, content_type.as_bytes());
        Ok(Self { parts, context: None })
    }

    pub(in crate::protocol) fn add(&mut self, part: Part, field: &Field<'_>) {
        self.parts.add(part, field.bytes);
    }

    pub(in crate::protocol) fn add_context(&mut self, context: Hashed) -> Result<(), Unreadable> {
        match self.context.replace(context) {
            None => Ok(()),
            Some(_) => Err(Unreadable("a context that is two")),
        }
    }

    pub(in crate::protocol) fn finish(mut self) -> Fingerprint {
        if let Some(context) = self.context {
            self.parts.add(Part::Context, &context);
        }
        self.parts.finish()
    }
}
