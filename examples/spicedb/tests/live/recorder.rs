//! What reaches the server.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use spicedb_examples::v1::{CheckBulkPermissionsRequest, CheckPermissionRequest};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::util::BoxCloneService;
use tower::{ServiceExt, service_fn};

pub(crate) type Boxed = BoxCloneService<Request<Body>, Response<Body>, Status>;

/// Length and compression before a message.
const PREFIX: usize = 5;

/// The calls that a layer made, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Recorder {
    /// The channel, with every call recorded.
    pub(crate) fn before(&self, channel: Channel) -> Boxed {
        let recorder = self.clone();
        BoxCloneService::new(service_fn(move |request: Request<Body>| {
            let (channel, recorder) = (channel.clone(), recorder.clone());
            async move {
                let (parts, body) = request.into_parts();
                let message = body.collect().await?.to_bytes();
                recorder
                    .0
                    .lock()
                    .unwrap()
                    .push((parts.uri.path().to_owned(), message.clone()));
                let request = Request::from_parts(parts, Body::new(Full::new(message)));
                let reply = channel.oneshot(request).await;
                reply.map_err(|error| Status::from_error(Box::new(error)))
            }
        }))
    }

    /// The messages of one method's calls since the last look, and forgets all calls.
    fn take(&self, method: &str) -> Vec<Bytes> {
        let calls = std::mem::take(&mut *self.0.lock().unwrap());
        let of_method = calls.into_iter().filter(|(path, _)| path.ends_with(method));
        of_method.map(|(_, body)| body.slice(PREFIX..)).collect()
    }

    /// How many calls there were since the last look, of any method.
    pub(crate) fn count(&self) -> usize {
        std::mem::take(&mut *self.0.lock().unwrap()).len()
    }

    pub(crate) fn checks(&self) -> Vec<CheckPermissionRequest> {
        let read = |message| CheckPermissionRequest::decode(message).unwrap();
        self.take("/CheckPermission").into_iter().map(read).collect()
    }

    pub(crate) fn bulks(&self) -> Vec<CheckBulkPermissionsRequest> {
        let read = |message| CheckBulkPermissionsRequest::decode(message).unwrap();
        self.take("/CheckBulkPermissions").into_iter().map(read).collect()
    }
}
