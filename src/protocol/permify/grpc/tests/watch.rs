use crate::protocol::permify::grpc::feed_token;
use crate::protocol::permify::grpc::tests::*;

#[test]
fn a_watch_asks_for_one_tenants_changes() {
    let (parts, body) = api().watch("acme").unwrap();
    assert_eq!(parts.method, "POST");
    assert_eq!(parts.uri, "/base.v1.Watch/Watch");
    assert_eq!(parts.version, http::Version::HTTP_2);
    assert_eq!(
        parts.headers,
        map(&[("content-type", "application/grpc"), ("te", "trailers")])
    );
    assert_eq!(body, framed(&bytes(1, b"acme")));
    assert_eq!(claimed(&api(), &parts), Claim::Pass);
}

#[test]
fn changes_contain_their_token() {
    let changes = decoded(recorded::CHANGES);
    assert_eq!(feed_token(&changes[5..]), Some("+gQAAAAAAAA="));
    let named = |changes: &[u8]| feed_token(changes).map(str::to_owned);
    let token = bytes(1, b"t");
    assert_eq!(named(&bytes(1, &token)).as_deref(), Some("t"), "nothing changed");
    let more = [bytes(9, b"x"), bytes(1, &[bytes(2, b"change"), token.clone()].concat())].concat();
    assert_eq!(named(&more).as_deref(), Some("t"));
    for message in [
        b"".to_vec(),
        bytes(1, b""),
        bytes(1, &bytes(1, b"")),
        bytes(1, &bytes(1, b"\xff")),
        bytes(1, &[token.clone(), token.clone()].concat()),
        bytes(1, &token).repeat(2),
        bytes(2, &token),
        varint(1, 1),
        b"\x0a\x09".to_vec(),
    ] {
        assert_eq!(named(&message), None, "{message:x?}");
    }
}
