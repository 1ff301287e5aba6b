//! Calls to Permify, as a generated client makes them.

use prost::Message;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::StdError;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Calls a method such as `/base.v1.Permission/Check`.
pub async fn call<S, Q, A>(service: S, method: &'static str, request: Request<Q>) -> Result<Response<A>, Status>
where
    S: GrpcService<
            Body,
            ResponseBody: http_body::Body<Data = bytes::Bytes, Error: Into<StdError> + Send> + Send + 'static,
        >,
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = Grpc::new(service);
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(error.into().to_string()))?;
    let method = PathAndQuery::from_static(method);
    grpc.unary(request, method, ProstCodec::default()).await
}
