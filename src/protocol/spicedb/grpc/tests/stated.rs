use crate::protocol::spicedb::grpc::tests::*;

fn stated(consistency: &[u8]) -> Result<(Option<Consistency>, Option<Bytes>), Unreadable> {
    let message = framed(&[consistency, &plain()[..]].concat());
    let of_check = ask(CHECK, &message, &base()).map(|call| (call.consistency, call.token));
    for path in [BULK, BULK_TWIN, READ_RELATIONSHIPS] {
        let message = framed(&[consistency, &items(0..2)].concat());
        let call = ask(path, &message, &base());
        assert_eq!(call.map(|call| (call.consistency, call.token)), of_check, "{path}");
    }
    of_check
}

#[test]
fn every_consistency_is_read() {
    let token = Some(Bytes::from_static(b"t/+="));
    assert_eq!(stated(b""), Ok((None, None)));
    assert_eq!(stated(&minimal()), Ok((Some(Consistency::MinimizeLatency), None)));
    assert_eq!(stated(&fully()), Ok((Some(Consistency::FullyConsistent), None)));
    assert_eq!(
        stated(&at_least("t/+=")),
        Ok((Some(Consistency::AtLeastAsFresh), token.clone()))
    );
    assert_eq!(
        stated(&exactly("t/+=")),
        Ok((Some(Consistency::AtExactSnapshot), token))
    );
    let no_text = bytes(1, &bytes(2, &bytes(1, b"\xff")));
    let read = Ok((Some(Consistency::AtLeastAsFresh), Some(Bytes::from_static(b"\xff"))));
    assert_eq!(stated(&no_text), read, "for the layer to judge");
}

#[test]
fn the_recorded_requests_are_read() {
    let call = ask(CHECK, &decoded(recorded::LEAST), &base()).unwrap();
    assert_eq!(call.consistency, Some(Consistency::AtLeastAsFresh));
    assert_eq!(call.token.as_deref(), Some(recorded::LEAST_TOKEN.as_bytes()));
    let call = ask(CHECK, &decoded(recorded::CHECK), &base()).unwrap();
    assert_eq!(
        (call.consistency, call.token),
        (Some(Consistency::FullyConsistent), None)
    );
}

#[test]
fn tokens_are_slices_of_the_message() {
    let body = Bytes::from(framed(&[at_least("token"), plain()].concat()));
    let carriers = crate::token::Carriers::default();
    let parts = grpc_parts(CHECK, &[]);
    let key = crate::protocol::Key::new(base(), &carriers, &parts.uri);
    let call = api().read(route(CHECK), &parts, &body, key).unwrap();
    let token = call.token.unwrap();
    assert!(body.as_ptr_range().contains(&token.as_ptr()));
}

#[test]
fn rule_09_odd_consistencies_are_unreadable() {
    let both = [varint(4, 1), bytes(2, &zed_token("t"))].concat();
    for consistency in [
        // Without one of the four, or with one that is false.
        bytes(1, b""),
        bytes(1, &varint(1, 0)),
        bytes(1, &varint(4, 0)),
        bytes(1, &varint(1, 2)),
        bytes(1, &varint(5, 1)),
        bytes(1, &varint(2, 1)),
        bytes(1, &bytes(4, b"\x01")),
        varint(1, 1),
        // Two of them, or one with something unknown.
        bytes(1, &both),
        bytes(1, &[varint(4, 1), varint(4, 1)].concat()),
        bytes(1, &[varint(4, 1), varint(9, 1)].concat()),
        [fully(), fully()].concat(),
        [at_least("t"), at_least("t")].concat(),
        // Without a token, with an empty one, with two, or with an unknown field.
        bytes(1, &bytes(2, b"")),
        at_least(""),
        bytes(1, &bytes(2, &[zed_token("t"), zed_token("t")].concat())),
        bytes(1, &bytes(3, &[zed_token("t"), varint(2, 1)].concat())),
        bytes(1, &bytes(3, &varint(1, 1))),
        // Not a message.
        bytes(1, b"\x12\x09"),
        bytes(1, b"\x23\x24"),
    ] {
        assert!(stated(&consistency).is_err(), "{consistency:x?}");
    }
}

#[test]
fn rule_11_paged_calls_are_forwarded_unmodified() {
    for (path, limit, cursor) in [
        ("PermissionsService/LookupResources", 6, 7),
        ("PermissionsService/LookupSubjects", 7, 8),
        ("PermissionsService/ReadRelationships", 3, 4),
        ("PermissionsService/ExportBulkRelationships", 2, 3),
        ("ExperimentalService/BulkExportRelationships", 2, 3),
    ] {
        let path = format!("/authzed.api.v1.{path}");
        let base = base();
        let ask = |more: &[u8]| ask(&path, &framed(&[&at_least("t"), more].concat()), &base);
        let call = ask(&bytes(9, b"more")).unwrap();
        assert_eq!(call.kind, Kind::Read { stream: true }, "{path}");
        assert_eq!(call.token.as_deref(), Some(&b"t"[..]));
        assert_eq!(ask(&varint(limit, 10)).unwrap().kind, Kind::Page, "{path}");
        assert_eq!(ask(&bytes(cursor, b"c")).unwrap().kind, Kind::Page, "{path}");
    }
    let expand = "/authzed.api.v1.PermissionsService/ExpandPermissionTree";
    let call = ask(expand, &framed(&plain()), &base()).unwrap();
    assert_eq!(call.kind, Kind::Read { stream: false });
}
