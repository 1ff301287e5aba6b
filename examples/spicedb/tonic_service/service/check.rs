//! `CheckPermission` and `CheckBulkPermissions`.

use spicedb_examples::v1::check_bulk_permissions_pair::Response as Answer;
use spicedb_examples::v1::check_permission_response::Permissionship;
use spicedb_examples::v1::{
    CheckBulkPermissionsPair, CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem,
    CheckBulkPermissionsResponse, CheckBulkPermissionsResponseItem, CheckPermissionRequest, CheckPermissionResponse,
    ObjectReference, SubjectReference,
};

use super::Service;
use super::names::{object, subject};
use super::problem::Problem;

/// As many as SpiceDB accepts.
const MOST_ITEMS: usize = 10_000;

impl Service {
    pub(super) fn check(&self, request: &CheckPermissionRequest) -> Result<CheckPermissionResponse, Problem> {
        if request.with_tracing {
            return Err(Problem::unsupported("`with_tracing`"));
        }
        let revision = self.revision(request.consistency.as_ref())?;
        let (resource, subject) = (request.resource.as_ref(), request.subject.as_ref());
        let permissionship = self.permissionship(resource, &request.permission, subject, revision)?;
        Ok(CheckPermissionResponse {
            checked_at: Some(self.tokens.encode(revision)?),
            permissionship: permissionship.into(),
            ..CheckPermissionResponse::default()
        })
    }

    /// All items at one revision. An item that can't be answered gets an error, and the others are not affected.
    pub(super) fn check_bulk(
        &self,
        request: CheckBulkPermissionsRequest,
    ) -> Result<CheckBulkPermissionsResponse, Problem> {
        if request.with_tracing {
            return Err(Problem::unsupported("`with_tracing`"));
        }
        if request.items.len() > MOST_ITEMS {
            let count = request.items.len();
            let error = format!("{count} items, and at most {MOST_ITEMS} are taken; split them");
            return Err(Problem::invalid(&error));
        }
        let revision = self.revision(request.consistency.as_ref())?;
        let pair = |item: CheckBulkPermissionsRequestItem| CheckBulkPermissionsPair {
            response: Some(self.answer(&item, revision)),
            request: Some(item),
        };
        Ok(CheckBulkPermissionsResponse {
            checked_at: Some(self.tokens.encode(revision)?),
            pairs: request.items.into_iter().map(pair).collect(),
        })
    }

    fn answer(&self, item: &CheckBulkPermissionsRequestItem, revision: u64) -> Answer {
        let (resource, subject) = (item.resource.as_ref(), item.subject.as_ref());
        match self.permissionship(resource, &item.permission, subject, revision) {
            Ok(permissionship) => Answer::Item(CheckBulkPermissionsResponseItem {
                permissionship: permissionship.into(),
                ..CheckBulkPermissionsResponseItem::default()
            }),
            Err(problem) => Answer::Error(problem.into()),
        }
    }

    fn permissionship(
        &self,
        resource: Option<&ObjectReference>,
        permission: &str,
        whose: Option<&SubjectReference>,
        revision: u64,
    ) -> Result<Permissionship, Problem> {
        let (resource, whose) = (object("resource", resource)?, subject(whose)?);
        let allowed = self.store.check(&resource, permission, &whose, revision);
        Ok(if allowed? {
            Permissionship::HasPermission
        } else {
            Permissionship::NoPermission
        })
    }
}
