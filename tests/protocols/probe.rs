//! Only Permify has probes and a change feed so far.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tower_zookie::protocol::permify::Engine;
use tower_zookie::protocol::{Claim, Kind, Permify, Protocol as _};
use tower_zookie_testing::api::{Wire, map, permify};
use tower_zookie_testing::frame::{written, written_number};

fn probed(tenant: &str) -> Permify {
    Permify::new(Engine::Postgres).probe_by_writing(tenant)
}

#[test]
fn a_probe_deletes_nothing_in_its_own_tenant() {
    for api in permify() {
        let (key, encoded) = (("authorization", "Bearer k"), ("grpc-encoding", "gzip"));
        let length = [("content-length", "70"), ("transfer-encoding", "chunked")];
        let request = api.check().request(&api.check().message());
        let mut parts = request.more_headers(&[&length[..], &[key, encoded]].concat()).parts;
        let probe = probed("probes").probe(api.check().route(), &mut parts).unwrap();
        let delete = api.named("Data/Delete");
        assert_eq!(parts.uri.path(), delete.path().replace("t1", "probes"));
        assert_eq!(parts.headers["authorization"], "Bearer k");
        assert_eq!(
            parts.headers["content-length"],
            probe.message.len().to_string().as_str()
        );
        let gone = if api.wire == Wire::Grpc {
            "grpc-encoding"
        } else {
            "transfer-encoding"
        };
        assert!(!parts.headers.contains_key(gone), "{api}");
        let filter = json!({"entity": {"type": "zookie", "ids": ["probe"]}});
        let mut message = json!({"tuple_filter": filter, "attribute_filter": {}});
        if api.wire == Wire::Grpc {
            message["tenant_id"] = json!("probes");
        }
        assert_eq!(probe.message, delete.body(&message), "{api}");
        assert_eq!(
            (api.claim(&parts), probe.route),
            (Claim::Parts(delete.route()), delete.route()),
            "{api}"
        );
        assert_eq!(probe.call.kind, Kind::write());
    }
}

#[test]
fn rule_08_there_is_no_probe_without_a_tenant_that_fits() {
    for api in permify() {
        let protocol = api.system.protocol();
        assert!(
            protocol.probe(api.check().route(), &mut api.check().parts()).is_none(),
            "{api}"
        );
        assert!(!protocol.can_probe() && probed("t").can_probe());
    }
    let check = permify()[1].check();
    for tenant in ["", "a/b", "..", "a b"] {
        assert!(
            probed(tenant).probe(check.route(), &mut check.parts()).is_none(),
            "{tenant}"
        );
    }
}

#[test]
fn a_watch_asks_for_one_tenants_changes() {
    let api = permify()[0];
    let (parts, body) = api.system.protocol().watch("acme").unwrap();
    assert_eq!(
        (parts.method.as_str(), parts.uri.path()),
        ("POST", "/base.v1.Watch/Watch")
    );
    assert_eq!(parts.version, http::Version::HTTP_2);
    assert_eq!(
        parts.headers,
        map(&[("content-type", "application/grpc"), ("te", "trailers")])
    );
    assert_eq!(body, api.check().body(&json!({"tenant_id": "acme"})));
    assert_eq!(api.claim(&parts), Claim::Pass);
}

#[test]
fn changes_contain_their_token() {
    let read = |changes: &[u8]| permify()[0].system.protocol().feed_token(changes);
    let token = written(1, BASE64_STANDARD.encode(1274_u64.to_le_bytes()).as_bytes());
    let change = [written(2, b"change"), token.clone()].concat();
    for message in [written(1, &token), [written(9, b"x"), written(1, &change)].concat()] {
        assert_eq!(
            read(&message),
            Some(BASE64_STANDARD.encode("1274:1274:1275:1274")),
            "{message:x?}"
        );
    }
    for message in [
        Vec::new(),
        written(1, b""),
        written(1, &written(1, b"")),
        written(1, &written(1, b"\xff")),
        written(1, &written(1, b"t")),
        written(1, &token.repeat(2)),
        written(1, &token).repeat(2),
        written(2, &token),
        written_number(1, 1),
        written(1, &token)[..9].to_vec(),
    ] {
        assert_eq!(read(&message), None, "{message:x?}");
    }
}
