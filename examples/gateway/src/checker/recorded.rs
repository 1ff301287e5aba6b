//! The recorded transactions, read anew.

use serde::Deserialize;

use super::{Change, Tuple};

#[derive(Deserialize)]
struct Line {
    updates: Vec<(Operation, String, String, String)>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Touch,
    Delete,
}

/// The changes of each transaction, one transaction a line.
pub fn transactions(text: &str) -> Result<Vec<Vec<Change>>, serde_json::Error> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map(changes)).collect()
}

fn changes(line: Line) -> Vec<Change> {
    let changes = line.updates.into_iter();
    changes
        .map(|(operation, resource, relation, subject)| Change {
            exists: matches!(operation, Operation::Touch),
            tuple: Tuple {
                resource,
                relation,
                subject,
            },
        })
        .collect()
}
