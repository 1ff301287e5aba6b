use crate::protocol::permify::grpc::tests::*;

/// An attribute of the plan in a check's context, with a value of this type.
fn with_attribute(kind: &str, value: &[u8]) -> Vec<u8> {
    let type_url = format!("type.googleapis.com/base.v1.{kind}");
    let any = [bytes(1, type_url.as_bytes()), bytes(2, value)].concat();
    let attribute = [
        bytes(1, &object("document", "plan")),
        bytes(2, b"level"),
        bytes(3, &any),
    ];
    bytes(2, &attribute.concat())
}

fn double(number: f64) -> Vec<u8> {
    [&[0x09], &number.to_le_bytes()[..]].concat()
}

/// Different values of every type that an attribute can have.
fn values() -> Vec<(&'static str, Vec<u8>)> {
    let packed_doubles = bytes(1, &[1.0_f64.to_le_bytes(), 2.0_f64.to_le_bytes()].concat());
    vec![
        ("BooleanValue", b"".to_vec()),
        ("BooleanValue", varint(1, 1)),
        ("StringValue", b"".to_vec()),
        ("StringValue", bytes(1, b"1")),
        ("StringValue", bytes(1, b"true")),
        ("IntegerValue", b"".to_vec()),
        ("IntegerValue", varint(1, 1)),
        ("IntegerValue", varint(1, u64::MAX)),
        ("DoubleValue", b"".to_vec()),
        ("DoubleValue", double(1.0)),
        ("DoubleValue", double(-0.0)),
        ("BooleanArrayValue", bytes(1, &[1, 0])),
        ("BooleanArrayValue", bytes(1, &[0, 1])),
        ("StringArrayValue", [bytes(1, b"a"), bytes(1, b"b")].concat()),
        ("StringArrayValue", bytes(1, b"ab")),
        ("IntegerArrayValue", bytes(1, &[1, 2])),
        ("IntegerArrayValue", bytes(1, &[2, 1])),
        ("DoubleArrayValue", packed_doubles),
        ("DoubleArrayValue", double(1.0)),
    ]
}

#[test]
fn rule_10_attributes_of_every_type_are_in_the_key() {
    let base = base();
    for (path, context) in [(CHECK, 6), (EXPAND, 5), (BULK, 4)] {
        let key = |attributes: &[u8]| {
            let message = [tenant(), at_t(), asked(path), bytes(context, attributes)].concat();
            match ask(path, &message, &base).unwrap().kind {
                Kind::Check(key) => key,
                Kind::Bulk(keys) => keys[0],
                other => panic!("{other:?}"),
            }
        };
        let mut seen = std::collections::HashMap::new();
        for (kind, value) in values() {
            let attribute = with_attribute(kind, &value);
            let key = key(&attribute);
            assert_eq!(
                seen.insert(key, (kind, value.clone())),
                None,
                "{path} {kind} {value:x?}"
            );
        }
        let (first, second) = (with_attribute("BooleanValue", b""), with_attribute("StringValue", b""));
        let both = key(&[&first[..], &second].concat());
        assert_eq!(seen.insert(both, ("both", Vec::new())), None);
        assert_ne!(key(&[second, first].concat()), both, "the order may count");
    }
}

#[test]
fn attributes_are_forwarded_unmodified() {
    for (kind, value) in values() {
        let message = with(&bytes(6, &with_attribute(kind, &value)));
        let call = ask(CHECK, &message, &base()).unwrap();
        let body = Bytes::from(framed(&message));
        let asked = api()
            .ask(call.with(&body), &[0], &exact_ask(), Some(&zookie("u")))
            .unwrap();
        let rest = message.strip_prefix(&[tenant(), at_t()].concat()[..]).unwrap();
        assert_eq!(
            asked,
            framed(&[&tenant(), &metadata("v1", "u", 20), rest].concat()),
            "{kind}"
        );
    }
}
