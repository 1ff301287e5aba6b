//! SpiceDB's objects, subjects and relationships as the store's, and back.

use spicedb_examples::v1;
use tower_zookie::store::{ObjectRef, Relationship, SubjectRef};

use super::problem::Problem;

pub(super) fn object(field: &str, message: Option<&v1::ObjectReference>) -> Result<ObjectRef, Problem> {
    let message = message.ok_or_else(|| Problem::missing(field))?;
    Ok(ObjectRef::new(&message.object_type, &message.object_id)?)
}

pub(super) fn subject(message: Option<&v1::SubjectReference>) -> Result<SubjectRef, Problem> {
    let message = message.ok_or_else(|| Problem::missing("subject"))?;
    let object = object("subject.object", message.object.as_ref())?;
    match &*message.optional_relation {
        "" | "..." => Ok(SubjectRef::object(object)),
        relation => Ok(SubjectRef::userset(object, relation)?),
    }
}

pub(super) fn relationship(message: &v1::Relationship) -> Result<Relationship, Problem> {
    if message.optional_caveat.is_some() {
        return Err(Problem::unsupported("caveats"));
    }
    if message.optional_expires_at.is_some() {
        return Err(Problem::unsupported("expirations"));
    }
    let resource = object("resource", message.resource.as_ref())?;
    Ok(Relationship::new(
        resource,
        &message.relation,
        subject(message.subject.as_ref())?,
    )?)
}

pub(super) fn to_message(relationship: &Relationship) -> v1::Relationship {
    let subject = relationship.subject();
    v1::Relationship {
        resource: Some(to_object(relationship.resource())),
        relation: relationship.relation().to_owned(),
        subject: Some(v1::SubjectReference {
            object: Some(to_object(subject.object_ref())),
            optional_relation: subject.relation().unwrap_or_default().to_owned(),
        }),
        ..v1::Relationship::default()
    }
}

fn to_object(object: &ObjectRef) -> v1::ObjectReference {
    v1::ObjectReference {
        object_type: object.object_type().to_owned(),
        object_id: object.id().to_owned(),
    }
}
