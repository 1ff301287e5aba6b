use http::request::Parts;

use crate::cache::{Fingerprint, FingerprintBuilder, Part};
use crate::protobuf::Field;
use crate::protocol::call::{Key, Route, Unreadable};
use crate::protocol::digest::Hashed;
use crate::protocol::grpc::content_type::{content_type, is_proto};

/// A question while its message is read. Every field is hashed as the bytes in the message, except the context, which
/// is hashed by its value.
#[derive(Clone)]
pub(in crate::protocol) struct Question {
    fingerprint: FingerprintBuilder,
    context: Option<Hashed>,
}

impl Question {
    /// The start of every question of a call to `route`.
    pub(in crate::protocol) fn new(
        system: &str,
        route: Route,
        parts: &Parts,
        key: &Key<'_>,
    ) -> Result<Self, Unreadable> {
        let content_type = content_type(&parts.headers)
            .filter(is_proto)
            .ok_or(Unreadable("the content type is not that of Protocol Buffers over gRPC"))?;
        let mut fingerprint = key.base.clone().text(Part::System, system);
        fingerprint.add_nth(Part::Method, route.0 as u16, b"");
        fingerprint.add(Part::Header, content_type.as_bytes());
        Ok(Self {
            fingerprint,
            context: None,
        })
    }

    pub(in crate::protocol) fn add(&mut self, part: Part, field: &Field<'_>) {
        self.fingerprint.add(part, field.bytes);
    }

    pub(in crate::protocol) fn add_context(&mut self, context: Hashed) -> Result<(), Unreadable> {
        match self.context.replace(context) {
            None => Ok(()),
            Some(_) => Err(Unreadable("the message repeats its context")),
        }
    }

    pub(in crate::protocol) fn finish(mut self) -> Fingerprint {
        if let Some(context) = self.context {
            self.fingerprint.add(Part::Context, &context);
        }
        self.fingerprint.finish()
    }
}
