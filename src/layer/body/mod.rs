//! Bodies: what was read of one and can be played again, and what goes back to the caller.

mod read;
mod replay;
mod request;
mod response;

pub(super) use read::{Read, Reader};
pub(super) use replay::End;
pub use replay::Replay;
pub use request::RequestBody;
pub(super) use response::StoredBody;
pub use response::ZookieBody;
