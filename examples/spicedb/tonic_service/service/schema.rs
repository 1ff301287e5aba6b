//! `SchemaService`.

use spicedb_examples::v1::schema_service_server::SchemaService;
use spicedb_examples::v1::{ReadSchemaRequest, ReadSchemaResponse, WriteSchemaRequest, WriteSchemaResponse};
use tonic::{Request, Response, Status};
use tower_zookie::store::Schema;

use super::Service;
use super::problem::Problem;

impl Service {
    fn current_schema(&self) -> Result<ReadSchemaResponse, Problem> {
        let newest = self.store.current_revision();
        Ok(ReadSchemaResponse {
            schema_text: self.store.schema(newest)?.source().to_owned(),
            read_at: Some(self.tokens.encode(newest)?),
        })
    }

    fn replace_schema(&self, text: &str) -> Result<WriteSchemaResponse, Problem> {
        let schema = Schema::parse(text)?;
        let _alone = self.alone();
        let revision = self.store.write_schema(schema)?;
        Ok(WriteSchemaResponse {
            written_at: Some(self.tokens.encode(revision)?),
        })
    }
}

#[tonic::async_trait]
impl SchemaService for Service {
    async fn read_schema(&self, _: Request<ReadSchemaRequest>) -> Result<Response<ReadSchemaResponse>, Status> {
        Ok(Response::new(self.current_schema()?))
    }

    async fn write_schema(
        &self,
        request: Request<WriteSchemaRequest>,
    ) -> Result<Response<WriteSchemaResponse>, Status> {
        Ok(Response::new(self.replace_schema(&request.get_ref().schema)?))
    }
}
