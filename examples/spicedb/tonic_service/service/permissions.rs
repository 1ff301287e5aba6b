//! `PermissionsService`: what each call is answered by.

use spicedb_examples::v1::permissions_service_server::PermissionsService;
use spicedb_examples::v1::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsResponse, CheckPermissionRequest, CheckPermissionResponse,
    DeleteRelationshipsRequest, DeleteRelationshipsResponse, ReadRelationshipsRequest, ReadRelationshipsResponse,
    WriteRelationshipsRequest, WriteRelationshipsResponse,
};
use tokio_stream::Iter;
use tonic::{Request, Response, Status};

use super::Service;

type Listing = Iter<std::vec::IntoIter<Result<ReadRelationshipsResponse, Status>>>;

#[tonic::async_trait]
impl PermissionsService for Service {
    async fn check_permission(
        &self,
        request: Request<CheckPermissionRequest>,
    ) -> Result<Response<CheckPermissionResponse>, Status> {
        Ok(Response::new(self.check(request.get_ref())?))
    }

    async fn check_bulk_permissions(
        &self,
        request: Request<CheckBulkPermissionsRequest>,
    ) -> Result<Response<CheckBulkPermissionsResponse>, Status> {
        Ok(Response::new(self.check_bulk(request.into_inner())?))
    }

    type ReadRelationshipsStream = Listing;

    async fn read_relationships(
        &self,
        request: Request<ReadRelationshipsRequest>,
    ) -> Result<Response<Listing>, Status> {
        let replies: Vec<_> = self.read(request.get_ref())?.into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(replies)))
    }

    async fn write_relationships(
        &self,
        request: Request<WriteRelationshipsRequest>,
    ) -> Result<Response<WriteRelationshipsResponse>, Status> {
        Ok(Response::new(self.write(request.get_ref())?))
    }

    async fn delete_relationships(
        &self,
        request: Request<DeleteRelationshipsRequest>,
    ) -> Result<Response<DeleteRelationshipsResponse>, Status> {
        Ok(Response::new(self.delete(request.get_ref())?))
    }
}
