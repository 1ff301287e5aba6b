//! Server traits for the services that `tonic_service` answers: `spicedb-rs-proto` has messages and clients only.
//!
//! They are generated from what is written here, so that neither `protoc` nor a copy of the definitions is needed.

use tonic_build::manual::{Builder, Method, Service};

const PACKAGE: &str = "authzed.api.v1";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let permissions = Service::builder()
        .package(PACKAGE)
        .name("PermissionsService")
        .comment("Checks, and the relationships that they are made of.")
        .method(method("check_permission", "CheckPermission", false))
        .method(method("check_bulk_permissions", "CheckBulkPermissions", false))
        .method(method("read_relationships", "ReadRelationships", true))
        .method(method("write_relationships", "WriteRelationships", false))
        .method(method("delete_relationships", "DeleteRelationships", false))
        .build();
    let schema = Service::builder()
        .package(PACKAGE)
        .name("SchemaService")
        .comment("The schema that relationships obey.")
        .method(method("read_schema", "ReadSchema", false))
        .method(method("write_schema", "WriteSchema", false))
        .build();
    Builder::new().build_client(false).compile(&[permissions, schema]);
}

fn method(name: &str, route: &str, streams: bool) -> Method {
    let method = Method::builder()
        .name(name)
        .route_name(route)
        .comment(format!("`{route}`."))
        .input_type(format!("crate::v1::{route}Request"))
        .output_type(format!("crate::v1::{route}Response"))
        .codec_path("tonic_prost::ProstCodec");
    if streams {
        method.server_streaming().build()
    } else {
        method.build()
    }
}
