//! Only Permify has probes so far.

use serde_json::json;
use tower_zookie::protocol::permify::Engine;
use tower_zookie::protocol::{Claim, Kind, Permify, Protocol as _};
use tower_zookie_testing::api::{Wire, permify};

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
