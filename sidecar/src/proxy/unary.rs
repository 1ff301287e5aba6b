//! Which calls have the connections for unary calls.

/// The gRPC methods whose request and reply are one message each, and which ask for no list. Every other method counts as
/// a stream, also one that is not known here: its reply may be long, and its caller may take its time to read it.
const UNARY: [&str; 25] = [
    "/authzed.api.v1.ExperimentalService/BulkCheckPermission",
    "/authzed.api.v1.PermissionsService/CheckBulkPermissions",
    "/authzed.api.v1.PermissionsService/CheckPermission",
    "/authzed.api.v1.PermissionsService/DeleteRelationships",
    "/authzed.api.v1.PermissionsService/WriteRelationships",
    "/authzed.api.v1.SchemaService/ReadSchema",
    "/authzed.api.v1.SchemaService/WriteSchema",
    "/base.v1.Bundle/Delete",
    "/base.v1.Bundle/Read",
    "/base.v1.Bundle/Write",
    "/base.v1.Data/Delete",
    "/base.v1.Data/DeleteRelationships",
    "/base.v1.Data/RunBundle",
    "/base.v1.Data/Write",
    "/base.v1.Data/WriteRelationships",
    "/base.v1.Permission/BulkCheck",
    "/base.v1.Permission/Check",
    "/base.v1.Permission/SubjectPermission",
    "/base.v1.Schema/PartialWrite",
    "/base.v1.Schema/Read",
    "/base.v1.Schema/Write",
    "/base.v1.Tenancy/Create",
    "/base.v1.Tenancy/Delete",
    "/base.v1.Tenancy/List",
    "/grpc.health.v1.Health/Check",
];

pub(super) fn is_unary(path: &str) -> bool {
    UNARY.contains(&path)
}
