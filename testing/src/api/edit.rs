use serde_json::{Value, json};

/// The value with another one at this JSON pointer.
pub fn with(value: &Value, pointer: &str, new: impl Into<Value>) -> Value {
    let mut edited = value.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match edited.pointer_mut(parent).unwrap() {
        Value::Array(elements) => elements[member.parse::<usize>().unwrap()] = new.into(),
        parent => parent[member] = new.into(),
    }
    edited
}

/// The value without what is at this JSON pointer.
pub fn without(value: &Value, pointer: &str) -> Value {
    let mut edited = value.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match edited.pointer_mut(parent).unwrap() {
        Value::Array(elements) => drop(elements.remove(member.parse().unwrap())),
        Value::Object(members) => drop(members.remove(member)),
        scalar => panic!("{scalar} has no members"),
    }
    edited
}

/// The JSON pointers of everything within a value.
pub fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<_> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(nth, value)| (nth.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let within = children.into_iter().flat_map(|(name, value)| {
        let inner = pointers(value)
            .into_iter()
            .map(move |pointer| format!("/{name}{pointer}"));
        inner.collect::<Vec<_>>()
    });
    [String::new()].into_iter().chain(within).collect()
}

/// The value with one thing changed: each leaf, each member or element left out, and an unknown member in each object.
pub fn edits(value: &Value) -> Vec<Value> {
    let mut edited = Vec::new();
    for pointer in pointers(value) {
        let changed = match value.pointer(&pointer).unwrap() {
            Value::Object(_) => {
                edited.push(with(value, &format!("{pointer}/unknown"), "x"));
                None
            }
            Value::Array(_) => None,
            Value::String(text) => Some(json!(format!("{text}x"))),
            Value::Number(number) if number.is_f64() => Some(json!(number.as_f64().unwrap() + 1.0)),
            Value::Number(number) => Some(json!(number.as_i64().unwrap() + 1)),
            Value::Bool(flag) => Some(json!(!flag)),
            Value::Null => Some(json!(true)),
        };
        edited.extend(changed.map(|changed| with(value, &pointer, changed)));
        if !pointer.is_empty() {
            edited.push(without(value, &pointer));
        }
    }
    edited
}
