//! JSON messages: read them strictly, hash them by value, and forward them with a few members changed.
//!
//! A key needs what other readers lose: the text of each number, the position of each value, and whether an object
//! repeats a name.

mod case;
pub(in crate::protocol) mod digest;
mod pointer;
mod reader;
mod rewrite;

pub use case::{OTHER_CASE, differs_in_case};
pub use digest::{Digest, Members};
pub use pointer::{InvalidPointer, Pointer};
pub use reader::{Json, NotJson};
pub use rewrite::Rewrite;
