use tower_zookie::protocol::spicedb::Engine;

use crate::grpc::{self, Reply};
use crate::spicedb::messages::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsResponse, CheckPermissionRequest, CheckPermissionResponse, DELETE,
    HAS_PERMISSION, Relationship, RelationshipUpdate, TOUCH, WriteRelationshipsRequest, WriteRelationshipsResponse,
    document, user,
};

pub type Client = grpc::Client<Engine>;

impl Client {
    pub async fn check(&self, request: &CheckPermissionRequest) -> Reply {
        self.call("PermissionsService/CheckPermission", request).await
    }

    pub async fn bulk(&self, request: &CheckBulkPermissionsRequest) -> Reply {
        self.call("PermissionsService/CheckBulkPermissions", request).await
    }

    /// Makes a user a viewer, or not. The token, as the message has it.
    pub async fn set(&self, document_id: &str, user_id: &str, views: bool) -> String {
        let reply = self.write(document_id, user_id, views).await;
        let written: WriteRelationshipsResponse = reply.message();
        let token = written.written_at.unwrap().token;
        assert_eq!(reply.carried(), Some(&*token));
        token
    }

    /// The same. The whole reply.
    pub async fn write(&self, document_id: &str, user_id: &str, views: bool) -> Reply {
        let update = RelationshipUpdate {
            operation: if views { TOUCH } else { DELETE },
            relationship: Some(Relationship {
                resource: document(document_id),
                relation: "viewer".to_owned(),
                subject: user(user_id),
                optional_expires_at: None,
            }),
        };
        let request = WriteRelationshipsRequest {
            updates: vec![update],
            ..WriteRelationshipsRequest::default()
        };
        let reply = self.call("PermissionsService/WriteRelationships", &request).await;
        assert_eq!(
            reply.header("cache-status"),
            Some("tower-zookie; fwd=method; detail=\"a write\"")
        );
        reply
    }
}

/// SpiceDB's replies.
impl Reply {
    pub fn checked(&self) -> CheckPermissionResponse {
        self.message()
    }

    pub fn has(&self) -> bool {
        self.checked().permissionship == HAS_PERMISSION
    }

    pub fn bulk(&self) -> CheckBulkPermissionsResponse {
        self.message()
    }

    pub fn at(&self) -> String {
        let token = self.checked().checked_at.unwrap().token;
        assert_eq!(self.carried(), Some(&*token));
        token
    }
}
