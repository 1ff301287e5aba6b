use crate::protocol::permify::rest::tests::*;

#[test]
fn a_probe_deletes_nothing_in_its_own_tenant() {
    let probed = api().probe_by_writing("probes");
    let mut asked = parts(
        "POST",
        CHECK,
        &[("transfer-encoding", "chunked"), ("authorization", "Bearer k")],
    );
    let probe = probed.probe(route(CHECK), &mut asked).unwrap();
    assert_eq!(asked.uri, "/v1/tenants/probes/data/delete");
    assert_eq!(asked.headers["authorization"], "Bearer k");
    assert_eq!(
        asked.headers["content-length"],
        probe.message.len().to_string().as_str()
    );
    assert!(!asked.headers.contains_key("transfer-encoding"));
    let filter = json!({"entity": {"type": "zookie", "ids": ["probe"]}});
    let message: Value = serde_json::from_slice(&probe.message).unwrap();
    assert_eq!(message, json!({"tuple_filter": filter, "attribute_filter": {}}));
    assert_eq!(
        claimed(&api(), &asked),
        Claim::Parts(probe.route),
        "a write like any other"
    );
}

#[test]
fn rule_08_a_tenant_that_fits_no_path_is_not_probed() {
    for tenant in ["", "a/b", "..", "a b"] {
        let mut asked = parts("POST", CHECK, JSON);
        let probe = api().probe_by_writing(tenant).probe(route(CHECK), &mut asked);
        assert!(probe.is_none(), "{tenant}");
    }
}
