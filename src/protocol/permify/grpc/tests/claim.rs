use crate::protocol::permify::grpc::tests::*;

#[test]
fn claims_known_calls_by_their_path() {
    let claim = |path: &str| claimed(&api(), &grpc_parts(path, &[]));
    let reads = READS.map(|(path, ..)| path);
    for path in reads.into_iter().chain([CHECK, BULK, EXPAND]) {
        assert!(
            matches!(claim(path), Claim::Body(_)),
            "{path}: its token has to be seen"
        );
    }
    for method in [
        "Data/Write",
        "Data/WriteRelationships",
        "Data/Delete",
        "Data/DeleteRelationships",
        "Data/RunBundle",
        "Schema/Write",
        "Schema/PartialWrite",
        "Tenancy/Delete",
    ] {
        let path = format!("/base.v1.{method}");
        assert!(matches!(claim(&path), Claim::Parts(_)), "{path}");
    }
    for path in [
        "/base.v1.Watch/Watch",
        "/base.v1.Schema/Read",
        "/base.v1.Schema/List",
        "/base.v1.Bundle/Write",
        "/base.v1.Bundle/Read",
        "/base.v1.Bundle/Delete",
        "/base.v1.Tenancy/Create",
        "/base.v1.Tenancy/List",
        "/base.v1.Permission/Nope",
        "/base.v1.Permission/Check/",
        "/base.v1.Permission/Check?a=b",
        "/base.v1.Permission/check",
        "/base.v2.Permission/Check",
        "/base.v1.Data/Check",
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
    assert!(matches!(claim("POST", "application/grpc"), Claim::Body(_)));
    assert!(matches!(claim("POST", "application/grpc+proto"), Claim::Body(_)));
    assert_eq!(claim("GET", "application/grpc"), Claim::Pass);
    for content_type in ["application/grpc-web", "application/json", "text/plain"] {
        assert_eq!(claim("POST", content_type), Claim::Pass, "{content_type}");
    }
    assert_eq!(claimed(&api(), &parts("POST", CHECK, &[])), Claim::Pass);
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
    assert!(api().states_freshness(route));
}
