use crate::protocol::permify::grpc::tests::*;

fn probed() -> Permify {
    api().probe_by_writing("probes")
}

#[test]
fn a_probe_deletes_nothing_in_its_own_tenant() {
    let headers = [
        ("content-type", "application/grpc"),
        ("authorization", "Bearer k"),
        ("grpc-encoding", "gzip"),
        ("content-length", "70"),
    ];
    let mut asked = parts("POST", CHECK, &headers);
    let probe = probed().probe(route(CHECK), &mut asked).unwrap();
    assert_eq!(asked.uri.path(), "/base.v1.Data/Delete");
    assert_eq!(asked.headers["authorization"], "Bearer k");
    assert_eq!(
        asked.headers["content-length"],
        probe.message.len().to_string().as_str()
    );
    assert!(!asked.headers.contains_key("grpc-encoding"));
    let entity = [bytes(1, b"zookie"), bytes(2, b"probe")].concat();
    let message = [bytes(1, b"probes"), bytes(2, &bytes(1, &entity)), bytes(3, b"")].concat();
    assert_eq!(probe.message, framed(&message));
    assert_eq!(
        claimed(&api(), &asked),
        Claim::Parts(probe.route),
        "a write like any other"
    );
}

#[test]
fn rule_08_there_is_no_probe_unless_a_tenant_is_given() {
    let mut asked = parts("POST", CHECK, &[]);
    assert!(api().probe(route(CHECK), &mut asked).is_none());
    assert!(!api().can_probe() && probed().can_probe());
}
