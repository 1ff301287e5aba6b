use tower_zookie::protocol::{Claim, Kind};
use tower_zookie_testing::api::{Does, WRITES, Wire, apis, base, cases};

#[test]
fn all_operations_are_claimed() {
    for api in apis() {
        let calls: Vec<_> = api.all().iter().map(|case| (case.method(), case.path())).collect();
        for case in api.all() {
            let (claim, path) = (case.claim(), case.path());
            let as_expected = match case.does() {
                Does::Write | Does::WriteSchema | Does::Import => matches!(claim, Claim::Parts(_)),
                Does::List => matches!(claim, Claim::Floor(_)),
                _ => matches!(claim, Claim::Body(_)),
            };
            assert!(as_expected, "{case} {claim:?}");
            let with_query = api.claim(&api.parts(case.method(), &format!("{path}?a=b")));
            let expected = if api.wire == Wire::Grpc { Claim::Pass } else { claim };
            assert_eq!(with_query, expected, "{case}");
            for method in ["GET", "PUT", "DELETE", "PATCH", "POST", "post"] {
                if !calls.contains(&(method, path.clone())) {
                    assert_eq!(api.claim(&api.parts(method, &path)), Claim::Pass, "{case} {method}");
                }
            }
        }
    }
}

#[test]
fn other_paths_pass() {
    for api in apis() {
        for case in api.all() {
            let path = case.path();
            let doubled = path
                .match_indices('/')
                .map(|(at, _)| format!("{}/{}", &path[..at], &path[at..]));
            let cut = path[..path.len() - 1].to_owned();
            let others = [path.to_lowercase(), path.to_uppercase(), cut, format!("/x{path}")];
            let longer = ["/", "/x", "x", "%"].map(|more| format!("{path}{more}"));
            // A tenant has any name.
            let is_tenant = path == "/v1/tenants/t1";
            let others = others
                .into_iter()
                .chain(longer)
                .filter(|other| !is_tenant && *other != path);
            for path in doubled.chain(others) {
                assert_eq!(api.claim(&api.parts(case.method(), &path)), Claim::Pass, "{api} {path}");
            }
        }
        for path in [
            "/",
            "/healthz",
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1.ServerReflection/Info",
        ] {
            assert_eq!(api.claim(&api.parts("POST", path)), Claim::Pass, "{api} {path}");
        }
    }
}

#[test]
fn writes_are_recognized_by_their_paths() {
    for case in cases(apis(), WRITES) {
        let call = case.request_of("").read(&base()).unwrap().call;
        let (schema, stream) = (case.does() == Does::WriteSchema, case.does() == Does::Import);
        let kind = if schema { Kind::schema_write() } else { Kind::write() };
        let kind = if stream { kind.streamed() } else { kind };
        assert_eq!(call.kind, kind, "{case}");
        assert_eq!((call.consistency, call.token), (None, None));
    }
}

#[test]
fn messages_state_their_freshness() {
    for case in apis().into_iter().flat_map(|api| api.all()) {
        assert!(case.api.system.protocol().states_freshness(case.route()), "{case}");
    }
}
