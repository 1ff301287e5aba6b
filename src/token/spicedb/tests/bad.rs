use crate::token::spicedb::tests::*;

#[test]
fn other_texts_are_malformed() {
    let message = |fields: &[(u32, &[u8])]| {
        let mut message = Vec::new();
        for (number, value) in fields {
            write_bytes(&mut message, *number, value);
        }
        STANDARD.encode(message)
    };
    let wrong_type = |outer: u32| {
        let mut inner = Vec::new();
        write_number(&mut inner, outer, 1);
        STANDARD.encode(inner)
    };
    let one = b"\x0a\x011";
    let texts = [
        "",
        "abc",
        "=",
        "!",
        // SpiceDB requires the padding and the standard alphabet, and a header can't contain a line break.
        "CAESAA",
        "CAESAA=",
        "CAIaAwoBMQ",
        "CAESAA==\n",
        " CAESAA==",
        "CAESAB==",
        "-_-_",
        // A message without a version, cut off, or with a group.
        "CAE=",
        "CAESAw==",
        "CAIaAwo=",
        "Cw==",
        &message(&[(4, one)]),
        // A version of a wrong type, and two versions.
        &wrong_type(2),
        &wrong_type(3),
        &message(&[(3, one), (3, one)]),
        &message(&[(2, b"\x08\x01"), (3, one)]),
        &message(&[(2, b""), (2, b"")]),
        // A revision and a prefix of a wrong type, repeated, or not text.
        &message(&[(2, b"\x0a\x011")]),
        &message(&[(2, b"\x08\x01\x08\x01")]),
        &message(&[(3, b"\x08\x01")]),
        &message(&[(3, b"\x0a\x011\x10\x01")]),
        &message(&[(3, b"\x0a\x011\x0a\x012")]),
        &message(&[(3, b"\x0a\x011\x12\x01a\x12\x01b")]),
        &message(&[(3, b"\x0a\x01\xff")]),
        &message(&[(3, b"\x0a\x011\x12\x01\xff")]),
    ];
    for engine in ENGINES {
        for text in texts {
            assert_malformed(engine, text);
        }
    }
}

#[test]
fn only_postgresql_has_an_empty_revision() {
    for engine in NUMBERED {
        assert_malformed(engine, "GgA=");
    }
    let first = decode(Engine::Postgres, "GgA=");
    assert_eq!(first.point(), Some(&PostgresSnapshot::new(0, 0, []).unwrap()));
}

#[test]
fn oversized_tokens_are_rejected_unread() {
    let max = ZedTokens::MAX_LEN;
    for engine in ENGINES {
        let text = "A".repeat(max + 1);
        assert_eq!(rejection(engine, &text), TokenErrorKind::TooLong { len: max + 1, max });
        assert_malformed(engine, &"A".repeat(max));

        let long = |bytes: usize| token(&"0".repeat(bytes), PREFIX);
        let revision = decode(Engine::MySql, &long(max / 4 * 3 - 20));
        assert_eq!(revision.point(), Some(&TransactionId(0)));
        assert!(matches!(rejection(engine, &long(max)), TokenErrorKind::TooLong { .. }));
    }
}

#[test]
fn overlong_tokens_are_not_written() {
    let prefix = "p".repeat(ZedTokens::MAX_LEN);
    let revision = Revision::new(store(Engine::MySql, &prefix), TransactionId(1));
    assert_eq!(encode(Engine::MySql, &revision), None);
}

#[test]
fn errors_do_not_show_the_token() {
    for engine in ENGINES {
        for text in [
            "c2VjcmV0",
            "secret",
            &token("secret", PREFIX),
            &token("1.secret", PREFIX),
            &token("secret==", "secret"),
        ] {
            if let Err(error) = ZedTokens::new(engine).decode(text) {
                let source = error.source().map(ToString::to_string);
                assert!(!format!("{error} {error:?} {source:?}").contains("secret"), "{error:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn texts_never_panic(text: String) {
        for engine in ENGINES {
            let _ = ZedTokens::new(engine).decode(&text);
        }
    }

    #[test]
    fn bytes_never_panic(outer: Vec<u8>, inner: Vec<u8>, revision: Vec<u8>) {
        let mut version = Vec::new();
        write_bytes(&mut version, 3, &inner);
        for engine in ENGINES {
            for bytes in [&outer, &version] {
                let _ = ZedTokens::new(engine).decode(&STANDARD.encode(bytes));
            }
            let _ = ZedTokens::new(engine).decode(&token(&STANDARD.encode(&revision), PREFIX));
            let _ = ZedTokens::new(engine).decode(&token(&String::from_utf8_lossy(&revision), PREFIX));
        }
    }

    #[test]
    fn readable_mutations_read_back(
        (vector, engine) in (0..VECTORS.len(), proptest::sample::select(&ENGINES[..])),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = STANDARD.decode(VECTORS[vector].0).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = ZedTokens::new(engine).decode(&STANDARD.encode(bytes))
            && let Some(text) = encode(engine, &read)
        {
            prop_assert_eq!(decode(engine, &text), read);
        }
    }
}
