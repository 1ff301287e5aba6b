use prost::Message as _;
use prost_types::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value};

use crate::api::table::{Field, Holds, name};
use crate::frame::{written, written_number};

/// The number of a field that no table knows.
const UNKNOWN: u32 = 127;

/// Fields whose place among the others never matters.
const MOVABLE: [&str; 4] = ["consistency", "context", "data", "snap_token"];

/// The message with its fields in the order of their numbers, or, with a source of chance, with some of them elsewhere.
pub(super) fn encode(fields: &[Field], message: &Map<String, Value>, chance: &mut Option<StdRng>) -> Vec<u8> {
    let mut members: Vec<_> = message
        .iter()
        .map(|(member, value)| {
            let field = fields.iter().find(|field| field.1 == name(member));
            assert!(field.is_some() || name(member) == "unknown", "{member} is in no table");
            let (number, holds) = field.map_or((UNKNOWN, Holds::Scalar), |field| (field.0, field.2));
            (number, holds, member, value)
        })
        .collect();
    members.sort_by_key(|(number, _, member, _)| (*number, *member));
    if let Some(chance) = chance {
        for from in 0..members.len() {
            if MOVABLE.contains(&members[from].2.as_str()) {
                let member = members.remove(from);
                members.insert(chance.random_range(0..=members.len()), member);
            }
        }
    }
    let mut encoded = Vec::new();
    for (number, holds, _, value) in members {
        put(&mut encoded, number, holds, value, chance);
    }
    encoded
}

fn put(into: &mut Vec<u8>, number: u32, holds: Holds, value: &Value, chance: &mut Option<StdRng>) {
    let content = match (holds, value) {
        (_, Value::Null) => return,
        (_, Value::Array(elements)) => {
            elements
                .iter()
                .for_each(|element| put(into, number, holds, element, chance));
            return;
        }
        (_, Value::Bool(_) | Value::Number(_)) => {
            let value = value.as_bool().map(i64::from).or(value.as_i64()).unwrap();
            into.extend(written_number(number.into(), value as u64));
            return;
        }
        (Holds::Enum(names), Value::String(name)) => {
            let value = names.iter().position(|known| known == name).unwrap_or(99);
            into.extend(written_number(number.into(), value as u64));
            return;
        }
        (Holds::Time, Value::String(time)) => time
            .parse::<Timestamp>()
            .map(|time| time.encode_to_vec())
            .unwrap_or_default(),
        (_, Value::String(text)) => text.clone().into_bytes(),
        (Holds::Struct, Value::Object(members)) => structure(members, chance),
        (Holds::Any, Value::Object(members)) => any(members),
        (Holds::Message(fields), Value::Object(message)) => encode(fields, message, chance),
        (_, Value::Object(message)) => encode(&[], message, chance),
    };
    into.extend(written(number.into(), &content));
}

/// A JSON object as a `google.protobuf.Struct`, in one of its many spellings.
fn structure(members: &Map<String, Value>, chance: &mut Option<StdRng>) -> Vec<u8> {
    let mut members: Vec<_> = members.iter().collect();
    if let Some(chance) = chance {
        members.shuffle(chance);
    }
    let mut message = Vec::new();
    for (name, value) in members {
        let mut fields = [written(1, name.as_bytes()), written(2, &struct_value(value, chance))];
        // A message may leave out an empty name.
        let mut left_out = false;
        if let Some(chance) = chance {
            left_out = name.is_empty() && chance.random_bool(0.5);
            fields.shuffle(chance);
        }
        let entry = fields.iter().filter(|field| !left_out || field[0] >> 3 != 1);
        message.extend(written(1, &entry.flatten().copied().collect::<Vec<_>>()));
    }
    message
}

fn struct_value(value: &Value, chance: &mut Option<StdRng>) -> Vec<u8> {
    match value {
        Value::Null => written_number(1, 0),
        Value::Number(number) => double(2, number.as_f64().unwrap()),
        Value::String(text) => written(3, text.as_bytes()),
        Value::Bool(flag) => written_number(4, u64::from(*flag)),
        Value::Object(members) => written(5, &structure(members, chance)),
        Value::Array(elements) => {
            let elements = elements
                .iter()
                .flat_map(|element| written(1, &struct_value(element, chance)));
            written(6, &elements.collect::<Vec<_>>())
        }
    }
}

fn any(members: &Map<String, Value>) -> Vec<u8> {
    let mut data = Vec::new();
    match &members.get("data").unwrap_or(&Value::Null) {
        Value::Number(number) if number.is_f64() => data = double(1, number.as_f64().unwrap()),
        value => put(&mut data, 1, Holds::Scalar, value, &mut None),
    }
    let others = members
        .keys()
        .filter(|member| !["@type", "data"].contains(&name(member)));
    let others = others.map(|member| written(UNKNOWN.into(), member.as_bytes()));
    let url = members.get("@type").and_then(Value::as_str).unwrap_or_default();
    [written(1, url.as_bytes()), written(2, &data)]
        .into_iter()
        .chain(others)
        .flatten()
        .collect()
}

fn double(number: u32, value: f64) -> Vec<u8> {
    let mut encoded = Vec::new();
    prost::encoding::double::encode(number, &value, &mut encoded);
    encoded
}
