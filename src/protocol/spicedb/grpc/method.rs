use crate::protocol::grpc::{Method, Methods};
use crate::protocol::spicedb::form::FIRST_JSON;

/// What a method does, and the field numbers in which methods of one kind differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Check,
    Bulk,
    Write {
        schema: bool,
        /// The reply's field with its token.
        token: Option<u32>,
    },
    Read {
        /// The request's fields with its limit and its cursor.
        pages: Option<(u32, u32)>,
        /// The reply's field with its token. A reply without a token is a stream.
        token: Option<u32>,
    },
    /// Always reads at head, whatever the message states.
    ReadAtHead {
        /// The reply's field with its token.
        token: u32,
    },
}

const fn check(path: &'static str, does: Does) -> Method<Does> {
    Method { path, does }
}

const fn write(path: &'static str, schema: bool, token: Option<u32>) -> Method<Does> {
    let does = Does::Write { schema, token };
    Method { path, does }
}

const fn stream(path: &'static str, pages: Option<(u32, u32)>) -> Method<Does> {
    let does = Does::Read { pages, token: None };
    Method { path, does }
}

const fn read(path: &'static str, token: u32) -> Method<Does> {
    let (pages, token) = (None, Some(token));
    let does = Does::Read { pages, token };
    Method { path, does }
}

/// The other methods pass: they watch, count, or describe the server.
pub(super) static METHODS: Methods<Does> = Methods(&[
    check("/authzed.api.v1.PermissionsService/CheckPermission", Does::Check),
    check("/authzed.api.v1.PermissionsService/CheckBulkPermissions", Does::Bulk),
    check("/authzed.api.v1.ExperimentalService/BulkCheckPermission", Does::Bulk),
    write("/authzed.api.v1.PermissionsService/WriteRelationships", false, Some(1)),
    write("/authzed.api.v1.PermissionsService/DeleteRelationships", false, Some(1)),
    write(
        "/authzed.api.v1.PermissionsService/ImportBulkRelationships",
        false,
        None,
    ),
    write(
        "/authzed.api.v1.ExperimentalService/BulkImportRelationships",
        false,
        None,
    ),
    write("/authzed.api.v1.SchemaService/WriteSchema", true, Some(1)),
    read("/authzed.api.v1.PermissionsService/ExpandPermissionTree", 1),
    stream("/authzed.api.v1.PermissionsService/LookupResources", Some((6, 7))),
    stream("/authzed.api.v1.PermissionsService/LookupSubjects", Some((7, 8))),
    stream("/authzed.api.v1.PermissionsService/ReadRelationships", Some((3, 4))),
    stream(
        "/authzed.api.v1.PermissionsService/ExportBulkRelationships",
        Some((2, 3)),
    ),
    stream(
        "/authzed.api.v1.ExperimentalService/BulkExportRelationships",
        Some((2, 3)),
    ),
    Method {
        path: "/authzed.api.v1.SchemaService/ReadSchema",
        does: Does::ReadAtHead { token: 2 },
    },
    read("/authzed.api.v1.SchemaService/ReflectSchema", 3),
    read("/authzed.api.v1.SchemaService/ComputablePermissions", 2),
    read("/authzed.api.v1.SchemaService/DependentRelations", 2),
    read("/authzed.api.v1.SchemaService/DiffSchema", 2),
    read("/authzed.api.v1.ExperimentalService/ExperimentalReflectSchema", 3),
    read(
        "/authzed.api.v1.ExperimentalService/ExperimentalComputablePermissions",
        2,
    ),
    read("/authzed.api.v1.ExperimentalService/ExperimentalDependentRelations", 2),
    read("/authzed.api.v1.ExperimentalService/ExperimentalDiffSchema", 2),
]);

const _: () = assert!(METHODS.0.len() <= FIRST_JSON);
