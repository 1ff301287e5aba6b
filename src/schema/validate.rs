use std::collections::{BTreeMap, HashMap};

use crate::schema::error::{Position, SchemaError, SchemaErrorKind};
use crate::schema::tree::{Definition, MemberKind, SubjectForm, Term, TermKind};

type Definitions = BTreeMap<Box<str>, Definition>;

/// Checks that every reference is valid. For the embedded store also, that no arrow leads to nothing, and that no
/// permission is computed from itself on the same object; SpiceDB takes such schemas.
pub(crate) fn validate(definitions: &Definitions, embedded: bool) -> Result<(), SchemaError> {
    for (type_name, definition) in definitions {
        for member in definition.members.values() {
            match &member.kind {
                MemberKind::Relation(allowed) => {
                    for subject in allowed {
                        let target = known_type(definitions, &subject.type_name, subject.at)?;
                        if let SubjectForm::Userset(relation) = &subject.form {
                            known_member(target, &subject.type_name, relation, subject.at)?;
                        }
                    }
                }
                MemberKind::Permission(expression) => {
                    for term in &expression.terms {
                        check_term(definitions, type_name, definition, term, embedded)?;
                    }
                }
            }
        }
        if embedded {
            check_cycles(definition)?;
        }
    }
    Ok(())
}

fn known_type<'a>(definitions: &'a Definitions, name: &str, at: Position) -> Result<&'a Definition, SchemaError> {
    definitions.get(name).ok_or_else(|| {
        let name = name.to_owned();
        SchemaError::new(at, SchemaErrorKind::UnknownType { name })
    })
}

fn known_member<'a>(
    definition: &'a Definition,
    type_name: &str,
    name: &str,
    at: Position,
) -> Result<&'a MemberKind, SchemaError> {
    match definition.members.get(name) {
        Some(member) => Ok(&member.kind),
        None => Err(SchemaError::new(
            at,
            SchemaErrorKind::UnknownMember {
                type_name: type_name.to_owned(),
                name: name.to_owned(),
            },
        )),
    }
}

fn check_term(
    definitions: &Definitions,
    type_name: &str,
    definition: &Definition,
    term: &Term,
    embedded: bool,
) -> Result<(), SchemaError> {
    match &term.kind {
        TermKind::Reference(name) => {
            known_member(definition, type_name, name, term.at)?;
        }
        TermKind::Arrow { relation, target, .. } => {
            let MemberKind::Relation(allowed) = known_member(definition, type_name, relation, term.at)? else {
                let name = relation.to_string();
                return Err(SchemaError::new(term.at, SchemaErrorKind::ArrowFromPermission { name }));
            };
            if allowed.iter().any(|subject| subject.form == SubjectForm::Wildcard) {
                let name = relation.to_string();
                return Err(SchemaError::new(term.at, SchemaErrorKind::ArrowFromWildcard { name }));
            }
            let leads = |name: &str| definitions.get(name).is_some_and(|d| d.members.contains_key(target));
            if embedded && !allowed.iter().any(|subject| leads(&subject.type_name)) {
                let (relation, target) = (relation.to_string(), target.to_string());
                return Err(SchemaError::new(
                    term.at,
                    SchemaErrorKind::ArrowToNothing { relation, target },
                ));
            }
        }
        TermKind::Nil
        | TermKind::Oneself
        | TermKind::Union(_)
        | TermKind::Intersection(_)
        | TermKind::Exclusion(..) => {}
    }
    Ok(())
}

/// Repeatedly removes the members that refer to no remaining member. The members that are never removed are on a cycle
/// or lead to one. Counting references instead of recursing avoids a deep stack for long chains.
fn check_cycles(definition: &Definition) -> Result<(), SchemaError> {
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut free = Vec::new();
    for (name, member) in &definition.members {
        let references = references(&member.kind);
        for reference in &references {
            users.entry(reference).or_default().push(name);
        }
        if references.is_empty() {
            free.push(&**name);
        } else {
            open.insert(name, references.len());
        }
    }
    while let Some(name) = free.pop() {
        for user in users.remove(name).unwrap_or_default() {
            if let Some(count) = open.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    open.remove(user);
                    free.push(user);
                }
            }
        }
    }
    // Every remaining member refers to another remaining one, so a walk from any of them ends on a cycle.
    let Some(mut name) = open.keys().min().copied() else {
        return Ok(());
    };
    for _ in 0..open.len() {
        let next = definition.members.get(name).map(|member| references(&member.kind));
        if let Some(next) = next.iter().flatten().find(|next| open.contains_key(**next)) {
            name = next;
        }
    }
    match definition.members.get(name) {
        Some(member) => Err(SchemaError::new(
            member.at,
            SchemaErrorKind::Cycle { name: name.to_owned() },
        )),
        None => Ok(()),
    }
}

fn references(kind: &MemberKind) -> Vec<&str> {
    let MemberKind::Permission(expression) = kind else {
        return Vec::new();
    };
    let terms = expression.terms.iter();
    terms
        .filter_map(|term| match &term.kind {
            TermKind::Reference(name) => Some(&**name),
            _ => None,
        })
        .collect()
}
