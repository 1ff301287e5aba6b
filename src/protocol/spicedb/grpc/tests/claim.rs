use crate::protocol::spicedb::grpc::tests::*;

#[test]
fn claims_known_calls_by_their_path() {
    let claim = |path: &str| claimed(&api(), &grpc_parts(path, &[]));
    for (service, methods) in [
        ("PermissionsService", &["CheckPermission", "CheckBulkPermissions"][..]),
        ("ExperimentalService", &["BulkCheckPermission"]),
    ] {
        for method in methods {
            let path = format!("/authzed.api.v1.{service}/{method}");
            assert!(matches!(claim(&path), Claim::Body(_)), "{path}");
        }
    }
    for (service, methods) in [
        (
            "PermissionsService",
            &["WriteRelationships", "DeleteRelationships", "ImportBulkRelationships"][..],
        ),
        ("ExperimentalService", &["BulkImportRelationships"]),
        ("SchemaService", &["WriteSchema"]),
    ] {
        for method in methods {
            let path = format!("/authzed.api.v1.{service}/{method}");
            assert!(matches!(claim(&path), Claim::Parts(_)), "{path}");
        }
    }
    for path in [
        "PermissionsService/ExpandPermissionTree",
        "ExperimentalService/ExperimentalReflectSchema",
        "ExperimentalService/ExperimentalComputablePermissions",
        "ExperimentalService/ExperimentalDependentRelations",
        "ExperimentalService/ExperimentalDiffSchema",
        "SchemaService/ReadSchema",
        "SchemaService/ReflectSchema",
        "SchemaService/ComputablePermissions",
        "SchemaService/DependentRelations",
        "SchemaService/DiffSchema",
    ] {
        let read_for_its_token = claim(&format!("/authzed.api.v1.{path}"));
        assert!(matches!(read_for_its_token, Claim::Body(_)), "{path}");
    }
    for path in [
        "PermissionsService/LookupResources",
        "PermissionsService/LookupSubjects",
        "PermissionsService/ReadRelationships",
        "PermissionsService/ExportBulkRelationships",
        "ExperimentalService/BulkExportRelationships",
    ] {
        let stream = claim(&format!("/authzed.api.v1.{path}"));
        assert!(matches!(stream, Claim::Floor(_)), "{path}");
    }
    for path in [
        "/authzed.api.v1.WatchService/Watch",
        "/authzed.api.v1.PermissionsService/Nope",
        "/authzed.api.v1.PermissionsService/CheckPermission/",
        "/authzed.api.v1.PermissionsService/CheckPermission?a=b",
        "/authzed.api.v0.PermissionsService/CheckPermission",
        "/authzed.api.v1.SchemaService/CheckPermission",
        "/authzed.api.v1.PermissionsService/checkpermission",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/",
    ] {
        assert_eq!(claim(path), Claim::Pass, "{path}");
    }
}

#[test]
fn claims_nothing_but_grpc() {
    let claim = |method, content_type| {
        let headers = [("content-type", content_type)];
        claimed(&api(), &parts(method, CHECK, &headers))
    };
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc;v=1",
        "application/grpc+proto; charset=utf-8",
        "application/grpc+json",
    ] {
        assert!(matches!(claim("POST", content_type), Claim::Body(_)), "{content_type}");
    }
    assert_eq!(claim("GET", "application/grpc"), Claim::Pass);
    for content_type in ["application/grpc-web", "application/json", "text/plain"] {
        assert_eq!(claim("POST", content_type), Claim::Pass, "{content_type}");
    }
    assert_eq!(claimed(&api(), &parts("POST", CHECK, &[])), Claim::Pass);
}

#[test]
fn a_write_is_recognized_by_its_path() {
    for (path, schema, stream) in [
        (WRITE, false, false),
        ("/authzed.api.v1.PermissionsService/DeleteRelationships", false, false),
        (
            "/authzed.api.v1.PermissionsService/ImportBulkRelationships",
            false,
            true,
        ),
        (
            "/authzed.api.v1.ExperimentalService/BulkImportRelationships",
            false,
            true,
        ),
        (WRITE_SCHEMA, true, false),
    ] {
        let call = ask(path, b"", &base()).unwrap();
        assert_eq!(call.kind, Kind::Write { schema, stream }, "{path}");
        assert_eq!((call.consistency, call.token), (None, None));
    }
}

#[test]
fn deadlines_and_rejections_are_grpcs_own() {
    use crate::protocol::problem::Rejection;
    use std::time::Duration;
    let route = route(CHECK);
    let timeout = |timeout| api().timeout(route, &map(&[("grpc-timeout", timeout)]));
    assert_eq!(timeout("10S"), Some(Duration::from_secs(10)));
    assert_eq!(timeout("soon"), None);
    let rejection = api().reject(route, &map(&[]), &Rejection::UnknownConsistency);
    assert_eq!(
        (rejection.status().as_u16(), &rejection.headers()["grpc-status"]),
        (200, &"3".parse().unwrap())
    );
    assert!(api().echoed(route).is_empty());
    assert!(api().states_freshness(route));
}
