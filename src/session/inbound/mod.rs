//! From the caller's tokens to a session, and from the session to the response.

mod body;
mod builder;
mod future;
mod layer;
mod request;
mod response;
mod service;
mod settings;

pub use body::SessionBody;
pub use builder::SessionLayerBuilder;
pub use future::SessionFuture;
pub use layer::SessionLayer;
pub use service::SessionService;
