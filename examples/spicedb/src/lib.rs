//! Shared by the examples and live tests: SpiceDB's API as Rust types, and short helpers for common calls.

mod bearer;
mod words;

pub use bearer::Bearer;
pub use words::{
    Malformed, at_exact_snapshot, at_least_as_fresh, bulk_item, check, decision, engine, fully_consistent,
    minimize_latency, object, relationship, subject,
};

/// SpiceDB's messages, clients and servers: `authzed.api.v1`.
pub mod v1 {
    pub use spicedb_rs_proto::authzed::api::v1::*;
    pub use spicedb_rs_proto::google::rpc::Status as ItemError;

    #[allow(
        missing_debug_implementations,
        unreachable_pub,
        clippy::needless_pass_by_value,
        reason = "generated"
    )]
    mod servers {
        include!(concat!(env!("OUT_DIR"), "/authzed.api.v1.PermissionsService.rs"));
        include!(concat!(env!("OUT_DIR"), "/authzed.api.v1.SchemaService.rs"));
    }
    pub use servers::{permissions_service_server, schema_service_server};
}
