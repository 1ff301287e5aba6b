//! What the tests ask of the tenant `t1`.

use tower_zookie_testing::permify::messages::{
    self, PermissionBulkCheckRequest, PermissionBulkCheckRequestItem, PermissionCheckRequest,
    PermissionLookupEntityRequest, at, entity, subject,
};

/// May the user view the document? Without a token it is empty.
pub(crate) fn check(document: &str, user: &str, token: &str) -> PermissionCheckRequest {
    messages::check("t1", document, "view", user, token)
}

pub(crate) fn bulk(items: &[(&str, &str)], token: &str) -> PermissionBulkCheckRequest {
    let item = |(document, user): &(&str, &str)| PermissionBulkCheckRequestItem {
        entity: entity("document", document),
        permission: "view".to_owned(),
        subject: subject("user", user),
    };
    PermissionBulkCheckRequest {
        tenant_id: "t1".to_owned(),
        metadata: at(token),
        items: items.iter().map(item).collect(),
        context: None,
    }
}

/// Which documents may the user view?
pub(crate) fn lookup(user: &str, token: &str) -> PermissionLookupEntityRequest {
    PermissionLookupEntityRequest {
        tenant_id: "t1".to_owned(),
        metadata: at(token),
        entity_type: "document".to_owned(),
        permission: "view".to_owned(),
        subject: subject("user", user),
        ..PermissionLookupEntityRequest::default()
    }
}
