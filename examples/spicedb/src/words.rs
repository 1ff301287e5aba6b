use std::fmt;

use tower_zookie::protocol::spicedb::Engine;

use crate::v1::check_permission_response::Permissionship;
use crate::v1::consistency::Requirement;
use crate::v1::{
    CheckBulkPermissionsRequestItem, CheckPermissionRequest, Consistency, ObjectReference, Relationship,
    SubjectReference, ZedToken,
};

/// A text that is no object, subject or relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    form: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write it as `{}`", self.form)
    }
}

impl std::error::Error for Malformed {}

/// The object `type:id`.
///
/// # Errors
///
/// Without a `:`.
pub fn object(text: &str) -> Result<ObjectReference, Malformed> {
    let (object_type, object_id) = text.split_once(':').ok_or(Malformed { form: "type:id" })?;
    Ok(ObjectReference {
        object_type: object_type.to_owned(),
        object_id: object_id.to_owned(),
    })
}

/// The subject `type:id` or `type:id#relation`.
///
/// # Errors
///
/// Without a `:`.
pub fn subject(text: &str) -> Result<SubjectReference, Malformed> {
    let (text, relation) = text.split_once('#').unwrap_or((text, ""));
    Ok(SubjectReference {
        object: Some(object(text)?),
        optional_relation: relation.to_owned(),
    })
}

/// The relationship `type:id#relation@subject`.
///
/// # Errors
///
/// Without a `#` and an `@`.
pub fn relationship(text: &str) -> Result<Relationship, Malformed> {
    let malformed = Malformed {
        form: "type:id#relation@subject",
    };
    let (resource, rest) = text.split_once('#').ok_or(malformed)?;
    let (relation, whose) = rest.split_once('@').ok_or(malformed)?;
    Ok(Relationship {
        resource: Some(object(resource)?),
        relation: relation.to_owned(),
        subject: Some(subject(whose)?),
        ..Relationship::default()
    })
}

/// May `subject` do `permission` to `resource`?
///
/// # Errors
///
/// [`Malformed`], for the resource or the subject.
pub fn check(
    resource: &str,
    permission: &str,
    whose: &str,
    consistency: Consistency,
) -> Result<CheckPermissionRequest, Malformed> {
    Ok(CheckPermissionRequest {
        consistency: Some(consistency),
        resource: Some(object(resource)?),
        permission: permission.to_owned(),
        subject: Some(subject(whose)?),
        ..CheckPermissionRequest::default()
    })
}

/// The same, as one of several.
///
/// # Errors
///
/// [`Malformed`], for the resource or the subject.
pub fn bulk_item(resource: &str, permission: &str, whose: &str) -> Result<CheckBulkPermissionsRequestItem, Malformed> {
    Ok(CheckBulkPermissionsRequestItem {
        resource: Some(object(resource)?),
        permission: permission.to_owned(),
        subject: Some(subject(whose)?),
        context: None,
    })
}

/// Whatever is fastest.
pub fn minimize_latency() -> Consistency {
    consistency(Requirement::MinimizeLatency(true))
}

/// At this token or later.
pub fn at_least_as_fresh(token: &ZedToken) -> Consistency {
    consistency(Requirement::AtLeastAsFresh(token.clone()))
}

/// At exactly this token.
pub fn at_exact_snapshot(token: &ZedToken) -> Consistency {
    consistency(Requirement::AtExactSnapshot(token.clone()))
}

/// At the newest revision.
pub fn fully_consistent() -> Consistency {
    consistency(Requirement::FullyConsistent(true))
}

fn consistency(requirement: Requirement) -> Consistency {
    Consistency {
        requirement: Some(requirement),
    }
}

/// A permissionship in a word.
pub fn decision(permissionship: i32) -> &'static str {
    match Permissionship::try_from(permissionship) {
        Ok(Permissionship::HasPermission) => "yes",
        Ok(Permissionship::NoPermission) => "no",
        Ok(Permissionship::ConditionalPermission) => "maybe",
        Ok(Permissionship::Unspecified) | Err(_) => "unknown",
    }
}

/// The engine of this `--datastore-engine`.
///
/// # Errors
///
/// The possible values.
pub fn engine(name: &str) -> Result<Engine, String> {
    Ok(match name {
        "memory" => Engine::Memory,
        "postgres" => Engine::Postgres,
        "cockroachdb" => Engine::CockroachDb,
        "spanner" => Engine::Spanner,
        "mysql" => Engine::MySql,
        _ => return Err("say memory, postgres, cockroachdb, spanner or mysql".to_owned()),
    })
}
