//! What reaches a live server.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use crate::frame::unframed;

pub type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// The calls that a layer made, in order.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Recorder {
    /// The channel, with every call recorded.
    pub fn before(&self, channel: Channel) -> Boxed {
        let recorder = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let (channel, recorder) = (channel.clone(), recorder.clone());
            async move {
                let (parts, body) = request.into_parts();
                let message = body.collect().await?.to_bytes();
                let call = (parts.uri.path().to_owned(), message.clone());
                recorder.0.lock().unwrap().push(call);
                let request = Request::from_parts(parts, Body::new(Full::new(message)));
                let reply = channel.oneshot(request).await;
                reply.map_err(|error| Status::from_error(Box::new(error)))
            }
        }))
    }

    /// The messages of one method's calls since the last look, and forgets all calls.
    pub fn take<M: Message + Default>(&self, method: &str) -> Vec<M> {
        let calls = std::mem::take(&mut *self.0.lock().unwrap());
        let of_method = calls.into_iter().filter(|(path, _)| path.ends_with(method));
        of_method.map(|(_, body)| unframed(&body)).collect()
    }

    /// How many calls there were since the last look, of any method.
    pub fn count(&self) -> usize {
        std::mem::take(&mut *self.0.lock().unwrap()).len()
    }
}
