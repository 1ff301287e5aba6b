//! From a session to what is called under it, and from the replies back.

mod body;
mod channel;
mod future;
mod layer;
mod request;
mod service;

pub use body::PropagateBody;
pub use future::PropagateFuture;
pub use layer::PropagateLayer;
pub use service::PropagateService;
