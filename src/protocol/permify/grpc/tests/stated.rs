use crate::protocol::permify::grpc::tests::*;

/// A request to `path` with this metadata, or without metadata.
fn with_metadata(path: &str, metadata: Option<&[u8]>) -> Vec<u8> {
    let metadata = metadata.map(|metadata| bytes(2, metadata)).unwrap_or_default();
    [tenant(), metadata, asked(path)].concat()
}

fn read(path: &str, metadata: &[u8]) -> Result<ReadCall, Unreadable> {
    ask(path, &with_metadata(path, Some(metadata)), &base())
}

/// All methods whose message has a token, each with the number of the field.
fn all() -> impl Iterator<Item = (&'static str, u32)> {
    let reads = READS.into_iter().map(|(path, token, _)| (path, token));
    reads.chain([(CHECK, 2), (BULK, 2), (EXPAND, 2)])
}

#[test]
fn the_token_is_read_from_every_place() {
    for (path, number) in all() {
        let token = |metadata: &[u8]| read(path, metadata).unwrap().token;
        let field = bytes(number, b"t/+=");
        let expected = Some(Bytes::from_static(b"t/+="));
        assert_eq!(token(&field), expected, "{path}");
        let among_others = [varint(3, 20), field, bytes(9, b"x")].concat();
        assert_eq!(token(&among_others), expected, "{path}");
        for none in [b"".to_vec(), bytes(number, b""), bytes(9, b"t"), varint(3, 20)] {
            assert_eq!(token(&none), None, "{path}: head");
        }
        let no_text = token(&bytes(number, b"\xff"));
        assert_eq!(
            no_text,
            Some(Bytes::from_static(b"\xff")),
            "{path}: for the layer to judge"
        );
        let call = read(path, b"").unwrap();
        assert_eq!(call.consistency, None, "{path}");
    }
}

#[test]
fn the_recorded_requests_are_read() {
    for (path, body) in [
        (CHECK, recorded::CHECK),
        (CHECK, recorded::WITH_TUPLE),
        (BULK, recorded::BULK),
        (EXPAND, recorded::EXPAND),
    ] {
        let call = ask_with(path, &[], &decoded(body), &base()).unwrap();
        assert_eq!(call.token.as_deref(), Some(recorded::TOKEN.as_bytes()));
        assert!(!call.unpinned, "its schema's version is named");
        assert!(matches!(call.kind, Kind::Check(_) | Kind::Bulk(_)));
    }
}

#[test]
fn tokens_are_slices_of_the_message() {
    let body = Bytes::from(framed(&plain()));
    let carriers = crate::token::Carriers::default();
    let parts = grpc_parts(CHECK, &[]);
    let key = crate::protocol::Key::new(base(), &carriers, &parts.uri);
    let call = api().read(route(CHECK), &parts, &body, key).unwrap();
    assert!(body.as_ptr_range().contains(&call.token.unwrap().as_ptr()));
}

#[test]
fn rule_04_without_a_version_the_schema_is_unpinned() {
    for path in [CHECK, BULK, EXPAND] {
        let unpinned = |metadata: &[u8]| read(path, metadata).unwrap().unpinned;
        assert!(unpinned(b""), "{path}");
        assert!(unpinned(&bytes(2, b"t")), "{path}");
        assert!(unpinned(&bytes(1, b"")), "{path}");
        assert!(
            unpinned(&[bytes(1, b"v1"), bytes(1, b"")].concat()),
            "{path}: the last counts"
        );
        assert!(!unpinned(&bytes(1, b"v1")), "{path}");
        assert!(!unpinned(&[bytes(2, b"t"), bytes(1, b"v1")].concat()), "{path}");
    }
    for path in ["/base.v1.Data/ReadRelationships", "/base.v1.Data/ReadAttributes"] {
        assert!(!read(path, &bytes(1, b"")).unwrap().unpinned, "{path} has no schema");
    }
}

#[test]
fn rule_09_repeated_fields_are_unreadable() {
    for (path, number) in all() {
        let token = |text: &[u8]| bytes(number, text);
        for metadata in [
            [token(b"t"), token(b"t")].concat(),
            [token(b""), token(b"t")].concat(),
            [token(b"t"), token(b"")].concat(),
            varint(number, 1),
            b"\x12\x09".to_vec(),
            b"\x23\x24".to_vec(),
        ] {
            assert!(read(path, &metadata).is_err(), "{path} {metadata:x?}");
        }
        for message in [
            [bytes(2, b""), with_metadata(path, Some(b""))].concat(),
            [with_metadata(path, Some(&token(b"t"))), bytes(2, &token(b"t"))].concat(),
            [varint(2, 1), with_metadata(path, None)].concat(),
        ] {
            assert!(ask(path, &message, &base()).is_err(), "{path} {message:x?}");
        }
    }
    for path in [CHECK, BULK, EXPAND] {
        assert!(read(path, &varint(1, 1)).is_err(), "{path}: a version that is no text");
    }
}

#[test]
fn rule_11_requests_without_metadata_are_never_stored() {
    for path in [CHECK, BULK, EXPAND] {
        let message = with_metadata(path, None);
        let call = ask(path, &message, &base()).unwrap();
        assert_eq!(call.kind, Kind::Read { stream: false }, "{path}");
        assert_eq!(call.token, None);
        assert!(matches!(
            learn(&call, &decoded(recorded::ALLOWED)),
            ReplyOutcome::Nothing
        ));
        let body = Bytes::from(framed(&message));
        let rewritten = api().ask(call.with(&body), &[], &at_least_ask(), Some(&zookie("t")));
        assert_eq!(rewritten, None, "{path}: Permify shall say so itself");
    }
    let without_tenant = [at_t(), tuple(3, "plan", "alice")].concat();
    let call = ask(CHECK, &without_tenant, &base()).unwrap();
    assert!(matches!(call.kind, Kind::Check(_)), "an error is never stored");
}

#[test]
fn rule_11_pages_are_forwarded_unmodified() {
    for (path, number, cursor) in READS {
        let stream = path.ends_with("Stream");
        let kind = |more: &[u8]| {
            let message = [tenant(), token(number, "t"), more.to_vec()].concat();
            let call = ask(path, &message, &base()).unwrap();
            assert_eq!(call.token.as_deref(), Some(&b"t"[..]), "{path}");
            call.kind
        };
        assert_eq!(kind(b""), Kind::Read { stream }, "{path}");
        let page_size = varint(cursor.unwrap_or(9) - 1, 10);
        assert_eq!(
            kind(&page_size),
            Kind::Read { stream },
            "{path}: the first page is like any read"
        );
        let Some(cursor) = cursor else {
            assert_eq!(kind(&bytes(9, b"c")), Kind::Read { stream });
            continue;
        };
        assert_eq!(kind(&bytes(cursor, b"")), Kind::Read { stream }, "{path}");
        assert_eq!(kind(&bytes(cursor, b"c")), Kind::Page, "{path}");
    }
}
