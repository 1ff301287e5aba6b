use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::schema::error::{Position, SchemaError, SchemaErrorKind};
use crate::schema::tree::{Definition, Member, MemberKind};

/// More than a schema's own text can hold, so that only partials that include each other reach it.
const MAX_COPIED: usize = 1 << 20;

/// What a definition or a partial has between its braces.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) members: BTreeMap<Box<str>, Member>,
    /// The partials whose members it has too.
    pub(crate) included: Vec<(Box<str>, Position)>,
}

/// Copies the members of partials into the definitions that include them.
pub(crate) fn include(
    definitions: BTreeMap<Box<str>, Body>,
    partials: &BTreeMap<Box<str>, Body>,
) -> Result<BTreeMap<Box<str>, Definition>, SchemaError> {
    let mut copied = 0;
    let mut complete = BTreeMap::new();
    for (type_name, body) in definitions {
        let mut members = body.members;
        let mut open: Vec<_> = body.included.iter().collect();
        while let Some((name, at)) = open.pop() {
            let Some(partial) = partials.get(name) else {
                let name = name.to_string();
                return Err(SchemaError::new(*at, SchemaErrorKind::UnknownType { name }));
            };
            // A partial that includes itself ends here too.
            copied += 1 + partial.included.len() + partial.members.values().map(size).sum::<usize>();
            if copied > MAX_COPIED {
                let what = "a partial that includes itself, or is included that often,";
                return Err(SchemaError::new(*at, SchemaErrorKind::Unsupported { what }));
            }
            for (name, member) in &partial.members {
                match members.entry(name.clone()) {
                    Entry::Vacant(entry) => entry.insert(member.clone()),
                    Entry::Occupied(_) => {
                        let name = name.to_string();
                        return Err(SchemaError::new(*at, SchemaErrorKind::Duplicate { name }));
                    }
                };
            }
            open.extend(&partial.included);
        }
        complete.insert(type_name, Definition { members });
    }
    Ok(complete)
}

fn size(member: &Member) -> usize {
    1 + match &member.kind {
        MemberKind::Relation(allowed) => allowed.len(),
        MemberKind::Permission(expression) => expression.terms.len(),
    }
}
