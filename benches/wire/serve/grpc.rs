//! The tonic service.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};
use tower_zookie::ZookieLayer;
use tower_zookie::store::ObjectRef;
use tower_zookie_testing::spicedb::messages::{
    CHECK, CheckBulkPermissionsRequest, CheckBulkPermissionsResponse, CheckPermissionRequest, CheckPermissionResponse,
    Consistency, HAS_PERMISSION, NO_PERMISSION, ObjectReference, Requirement,
};

use super::{Checker, Counters};
use crate::AnyError;
use crate::message::{BULK, ENGINE, SERVICE, Tokens};
use crate::rows::Upstream;

pub(super) fn start(listener: TcpListener, checker: Checker, layered: bool) -> Result<Counters, AnyError> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let permissions = Permissions::new(checker)?;
    if !layered {
        let server = Server::builder().add_service(permissions);
        tokio::spawn(server.serve_with_incoming(incoming));
        return Ok(None);
    }
    let layer = ZookieLayer::spicedb(ENGINE);
    let handle = layer.handle();
    let server = Server::builder().layer(layer).add_service(permissions);
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(Some(Box::new(move || handle.stats())))
}

/// `PermissionsService`, as far as checks and the layer's probes need it.
#[derive(Clone, Debug)]
struct Permissions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    checker: Checker,
    tokens: Tokens,
    /// What the static handler replies.
    constant: CheckPermissionResponse,
}

impl Permissions {
    fn new(checker: Checker) -> Result<Self, AnyError> {
        let tokens = Tokens::new(checker.store.node_id());
        let constant = CheckPermissionResponse {
            checked_at: tokens.encode(checker.store.current_revision()),
            permissionship: HAS_PERMISSION,
            ..CheckPermissionResponse::default()
        };
        Ok(Self(Arc::new(Inner {
            checker,
            tokens,
            constant,
        })))
    }

    async fn check(self, request: CheckPermissionRequest) -> Result<tonic::Response<CheckPermissionResponse>, Status> {
        let Inner { checker, tokens, .. } = &*self.0;
        if checker.upstream == Upstream::Static {
            return Ok(tonic::Response::new(self.0.constant.clone()));
        }
        let floor = self.floor(request.consistency)?;
        let resource = object(request.resource)?;
        let subject = object(request.subject.and_then(|subject| subject.object))?;
        let checked = checker.check(&resource, &request.permission, subject, floor).await;
        let (allowed, revision) = checked.map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(tonic::Response::new(CheckPermissionResponse {
            checked_at: tokens.encode(revision),
            permissionship: if allowed { HAS_PERMISSION } else { NO_PERMISSION },
            ..CheckPermissionResponse::default()
        }))
    }

    /// The newest revision, for a bulk without items.
    async fn head(
        self,
        request: CheckBulkPermissionsRequest,
    ) -> Result<tonic::Response<CheckBulkPermissionsResponse>, Status> {
        if !request.items.is_empty() {
            return Err(Status::unimplemented("bulks with items"));
        }
        let revision = self.0.checker.store.current_revision();
        Ok(tonic::Response::new(CheckBulkPermissionsResponse {
            checked_at: self.0.tokens.encode(revision),
            pairs: Vec::new(),
        }))
    }

    fn floor(&self, consistency: Option<Consistency>) -> Result<Option<u64>, Status> {
        match consistency.and_then(|consistency| consistency.requirement) {
            Some(Requirement::AtLeastAsFresh(token)) => {
                let floor = self.0.tokens.decode(&token);
                floor
                    .map(Some)
                    .ok_or_else(|| Status::invalid_argument("a ZedToken of another store"))
            }
            Some(Requirement::AtExactSnapshot(_)) => Err(Status::unimplemented("exact snapshots")),
            None | Some(Requirement::MinimizeLatency(_) | Requirement::FullyConsistent(_)) => Ok(None),
        }
    }
}

fn object(message: Option<ObjectReference>) -> Result<ObjectRef, Status> {
    let message = message.ok_or_else(|| Status::invalid_argument("a check without an object"))?;
    ObjectRef::new(&message.object_type, &message.object_id)
        .map_err(|error| Status::invalid_argument(error.to_string()))
}

impl NamedService for Permissions {
    const NAME: &'static str = SERVICE;
}

impl Service<Request<Body>> for Permissions {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let permissions = self.clone();
        match request.uri().path() {
            CHECK => Box::pin(async move {
                let check = move |request: tonic::Request<_>| permissions.clone().check(request.into_inner());
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(grpc.unary(service_fn(check), request).await)
            }),
            BULK => Box::pin(async move {
                let head = move |request: tonic::Request<_>| permissions.clone().head(request.into_inner());
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(grpc.unary(service_fn(head), request).await)
            }),
            _ => Box::pin(ready(Ok(Status::unimplemented("no such method").into_http()))),
        }
    }
}
