//! Messages of `google.protobuf` that both systems use.

pub use prost_types::value::Kind;
pub use prost_types::{Any, Struct, Timestamp, Value};

/// A context's data.
pub fn structure(fields: &[(&str, Kind)]) -> Option<Struct> {
    let value = |kind: &Kind| Value {
        kind: Some(kind.clone()),
    };
    let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), value(kind)));
    Some(Struct {
        fields: fields.collect(),
    })
}
