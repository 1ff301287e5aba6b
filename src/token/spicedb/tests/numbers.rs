use crate::token::spicedb::tests::*;

fn hybrid(text: &str) -> HybridTime {
    *decode(Engine::CockroachDb, &token(text, PREFIX)).point().unwrap()
}

#[test]
fn a_logical_clock_is_padded_at_its_end() {
    for (text, expected) in [
        ("5", time(5, 0)),
        ("5.", time(5, 0)),
        ("5.0", time(5, 0)),
        ("5.0000000000", time(5, 0)),
        ("5.0010", time(5, 10_000_000)),
        ("5.0010000000", time(5, 10_000_000)),
        ("5.0000000001", time(5, 1)),
        ("5.4294967295", time(5, u32::MAX)),
        ("-5.0000000001", time(-5, 1)),
        ("0005.1", time(5, 1_000_000_000)),
    ] {
        assert_eq!(hybrid(text), expected, "{text}");
    }
}

#[test]
fn a_bad_logical_clock_is_malformed() {
    for text in [
        "5.4294967296",
        "5.9",
        "5.00000000001",
        "5.00000000000",
        "5.+1",
        "5.-1",
        "5. 1",
        "5.1.1",
        "5..1",
        ".1",
        ".",
        "5,1",
        "5.\u{661}",
    ] {
        assert_malformed(Engine::CockroachDb, &token(text, PREFIX));
    }
}

#[test]
fn times_are_signed_and_transactions_are_not() {
    for (text, as_time, as_transaction) in [
        ("0", Some(0), Some(0)),
        ("42", Some(42), Some(42)),
        ("0042", Some(42), Some(42)),
        ("-42", Some(-42), None),
        ("+42", Some(42), None),
        (
            "9223372036854775807",
            Some(i64::MAX),
            Some(1 << 63).map(|max: u64| max - 1),
        ),
        ("-9223372036854775808", Some(i64::MIN), None),
        ("9223372036854775808", None, Some(1 << 63)),
        ("18446744073709551615", None, Some(u64::MAX)),
        ("18446744073709551616", None, None),
        ("", None, None),
        ("-", None, None),
        ("4_2", None, None),
        (" 42", None, None),
        ("42 ", None, None),
        ("0x2a", None, None),
        ("42.0", None, None),
        ("1e3", None, None),
        ("\u{664}\u{662}", None, None),
        ("CAE=", None, None),
    ] {
        let text = token(text, PREFIX);
        for engine in [Engine::Memory, Engine::Spanner] {
            match as_time {
                Some(nanos) => assert_eq!(decode(engine, &text).point(), Some(&time(nanos, 0))),
                None => assert_malformed(engine, &text),
            }
        }
        match as_transaction {
            Some(id) => assert_eq!(decode(Engine::MySql, &text).point(), Some(&TransactionId(id))),
            None => assert_malformed(Engine::MySql, &text),
        }
    }
}

#[test]
fn a_logical_part_is_written_only_where_it_fits() {
    for engine in [Engine::Memory, Engine::Spanner] {
        let named = |logical| Revision::new(store(engine, PREFIX), time(5, logical));
        assert!(encode(engine, &named(0)).is_some());
        assert_eq!(encode(engine, &named(1)), None);
    }
}

/// A number and one of its spellings.
fn spelled() -> impl Strategy<Value = (u64, String)> {
    let number = prop_oneof![
        0..5_u64,
        any::<u64>(),
        1_693_540_940_373_045_720..1_693_540_940_373_045_730_u64
    ];
    (number, 0..3_usize).prop_map(|(number, zeros)| (number, format!("{}{number}", "0".repeat(zeros))))
}

proptest! {
    #[test]
    fn every_time_reads_back(nanos: i64, logical: u32, prefix in prefix()) {
        let (whole, hybrid) = (time(nanos, 0), time(nanos, logical));
        assert_round_trip(Engine::Memory, &Revision::new(store(Engine::Memory, &prefix), whole))?;
        assert_round_trip(Engine::Spanner, &Revision::new(store(Engine::Spanner, &prefix), whole))?;
        assert_round_trip(Engine::CockroachDb, &Revision::new(store(Engine::CockroachDb, &prefix), hybrid))?;
    }

    #[test]
    fn every_transaction_reads_back(id: u64, prefix in prefix()) {
        assert_round_trip(Engine::MySql, &Revision::new(store(Engine::MySql, &prefix), TransactionId(id)))?;
    }

    #[test]
    fn tokens_order_as_their_numbers_do((a, a_text) in spelled(), (b, b_text) in spelled()) {
        for engine in NUMBERED {
            let read = |text: &str| ZedTokens::new(engine).decode(&token(text, PREFIX)).ok();
            if let (Some(x), Some(y)) = (read(&a_text), read(&b_text)) {
                prop_assert_eq!(x.partial_cmp(&y), Some(a.cmp(&b)));
                prop_assert_eq!(&x, &decode(engine, &token_with_more(&a_text, PREFIX)));
            } else {
                prop_assert!(engine != Engine::MySql && a.max(b) > i64::MAX as u64);
            }
        }
    }

    #[test]
    fn hybrid_times_order_as_pairs_do(a in (0..3_i64, 0..3_u32), b in (0..3_i64, 0..3_u32)) {
        let read = |(nanos, logical): (i64, u32)| hybrid(&format!("{nanos}.{logical:010}"));
        prop_assert_eq!(read(a).partial_cmp(&read(b)), Some(a.cmp(&b)));
    }
}
