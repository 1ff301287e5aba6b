//! SpiceDB's filters as the store's.

use spicedb_examples::v1::precondition::Operation;
use spicedb_examples::v1::{Precondition as PreconditionMessage, RelationshipFilter};
use tower_zookie::store::{Filter, Precondition, SubjectFilter};

use super::problem::Problem;

pub(super) fn filter(message: Option<&RelationshipFilter>) -> Result<Filter, Problem> {
    let message = message.ok_or_else(|| Problem::missing("relationship_filter"))?;
    if message.resource_type.is_empty() {
        return Err(Problem::unsupported("filters without `resource_type`"));
    }
    if !message.optional_resource_id_prefix.is_empty() {
        return Err(Problem::unsupported("`optional_resource_id_prefix`"));
    }
    let mut filter = Filter::of_type(&*message.resource_type);
    if !message.optional_resource_id.is_empty() {
        filter = filter.id(&*message.optional_resource_id);
    }
    if !message.optional_relation.is_empty() {
        filter = filter.relation(&*message.optional_relation);
    }
    if let Some(subject) = &message.optional_subject_filter {
        let mut whose = SubjectFilter::of_type(&*subject.subject_type);
        if !subject.optional_subject_id.is_empty() {
            whose = whose.id(&*subject.optional_subject_id);
        }
        whose = match &subject.optional_relation {
            None => whose,
            Some(relation) if relation.relation.is_empty() => whose.without_relation(),
            Some(relation) => whose.relation(&*relation.relation),
        };
        filter = filter.subject(whose);
    }
    Ok(filter)
}

pub(super) fn preconditions(messages: &[PreconditionMessage]) -> Result<Vec<Precondition>, Problem> {
    let precondition = |message: &PreconditionMessage| {
        let filter = filter(message.filter.as_ref())?;
        match message.operation() {
            Operation::MustMatch => Ok(Precondition::MustMatch(filter)),
            Operation::MustNotMatch => Ok(Precondition::MustNotMatch(filter)),
            Operation::Unspecified => Err(Problem::missing("operation")),
        }
    };
    messages.iter().map(precondition).collect()
}
