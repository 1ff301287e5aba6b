use proptest::prelude::*;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};

use crate::api::table::{Field, Holds, name, place};

/// The message with its members in the order of the table, with this text between them.
pub(super) fn text(fields: &[Field], message: &Map<String, Value>, comma: &str) -> String {
    let mut members: Vec<_> = message.iter().collect();
    members.sort_by_key(|(member, _)| (place(fields, member).unwrap_or(fields.len()), *member));
    let members = members.into_iter().map(|(member, value)| {
        let holds = place(fields, member).map_or(Holds::Scalar, |place| fields[place].2);
        format!("{}:{}", Value::from(name(member)), value_text(holds, value, comma))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(comma))
}

fn value_text(holds: Holds, value: &Value, comma: &str) -> String {
    match (holds, value) {
        (_, Value::Array(elements)) => {
            let elements = elements.iter().map(|element| value_text(holds, element, comma));
            format!("[{}]", elements.collect::<Vec<_>>().join(comma))
        }
        (Holds::Message(fields), Value::Object(message)) => text(fields, message, comma),
        (_, Value::Object(message)) => text(&[], message, comma),
        _ => value.to_string(),
    }
}

/// One of the many texts of a value.
pub(super) fn respelled(value: &Value, chance: &mut StdRng) -> String {
    let mut text = String::new();
    respell(value, chance, &mut text);
    text
}

fn respell(value: &Value, chance: &mut StdRng, text: &mut String) {
    space(chance, text);
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.shuffle(chance);
            text.push('{');
            for (nth, (member, value)) in members.into_iter().enumerate() {
                text.push_str(if nth > 0 { "," } else { "" });
                respell(&Value::from(name(member)), chance, text);
                text.push(':');
                respell(value, chance, text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for (nth, element) in elements.iter().enumerate() {
                text.push_str(if nth > 0 { "," } else { "" });
                respell(element, chance, text);
            }
            space(chance, text);
            text.push(']');
        }
        Value::String(string) => {
            text.push('"');
            for char in string.chars() {
                if chance.random_bool(0.2) || matches!(char, '"' | '\\' | '\0'..' ') {
                    text.push_str(&format!("\\u{:04x}", u32::from(char)));
                } else {
                    text.push(char);
                }
            }
            text.push('"');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
    space(chance, text);
}

fn space(chance: &mut StdRng, text: &mut String) {
    while chance.random_bool(0.2) {
        text.push([' ', '\n', '\t', '\r'][chance.random_range(0..4)]);
    }
}

/// JSON values from a few leaves, so that two values are often equal.
pub fn json_values() -> impl Strategy<Value = Value> {
    let leaves = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(1.0),
        json!(""),
        json!("1"),
        json!("null"),
        json!("ä\"\\\n"),
    ];
    prop::sample::select(leaves.to_vec()).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]{0,2}", inner, 0..3).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Text that is nearly JSON.
pub fn nearly_json() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u00",
        "\\ud800",
        "-",
        ".",
        "0",
        "12",
        "e",
        "E+",
        "true",
        "null",
        " ",
        "\"a\"",
        "\"items\":[",
        "\"results\":[",
        "\"pairs\":[",
        "\"metadata\":",
        "\"consistency\":",
        "\"context\":",
        "\"can\":",
        "{\"code\":1}",
        "\u{1}",
        "ä",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.concat())
}

/// The value with all numbers as doubles.
pub fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(elements) => elements.iter().map(doubles).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), doubles(value)))
            .collect(),
        other => other.clone(),
    }
}
