use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};
use http::request::Parts;

use crate::changes::{Change, TupleFilter};
use crate::protocol::call::Unreadable;
use crate::protocol::kit::grpc::next_message;
use crate::protocol::reply::Reply;
use crate::token::Zookie;

/// Over which wire of an API its change feed is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedWire {
    /// gRPC.
    #[default]
    Grpc,
    /// HTTP with JSON.
    Http,
}

/// How an API reports the changes of its store, over one wire: what to ask, and what the replies mean.
///
/// The layer makes the calls: see [`Handle::feed`](crate::Handle::feed).
pub trait FeedProtocol: fmt::Debug + Send + Sync {
    /// What a checkpoint says.
    fn checkpoints(&self) -> Checkpoints;

    /// The request that opens the feed: after the revision that `from` names, or from now on. `None` if it can't be
    /// written, for example without a tenant.
    fn open(&self, tenant: &str, from: Option<&Zookie>) -> Option<(Parts, Bytes)>;

    /// Takes the next message out of what has `arrived` of a stream of replies; `None` if it has not arrived completely. By
    /// default the messages are those of a gRPC stream.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if the rest can't be read, or has a message of more than `longest` bytes.
    fn next(&self, arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable> {
        next_message(arrived, longest)
    }

    /// What one message of the feed reports, in its order.
    ///
    /// # Errors
    ///
    /// [`FeedFailure`]: the message says that the feed has failed, or can't be read at all. What is only unknown is
    /// [`Reported::Anything`].
    fn reports(&self, message: &[u8]) -> Result<Vec<Report>, FeedFailure>;

    /// How a call ended, by its status, headers and trailers, and of a stream by the rest of its body.
    ///
    /// # Errors
    ///
    /// [`FeedFailure`] if it did not succeed.
    fn ended(&self, reply: &Reply<'_>) -> Result<(), FeedFailure>;

    /// A request that succeeds only while the store still has all changes after the revision that `at` names. Without it the
    /// store itself refuses to open a feed that has a gap.
    fn check(&self, tenant: &str, at: &Zookie) -> Option<(Parts, Bytes)> {
        let _ = (tenant, at);
        None
    }

    /// The request that reads the schema, if the layer knows its language.
    fn read_schema(&self, tenant: &str) -> Option<(Parts, Bytes)> {
        let _ = tenant;
        None
    }

    /// The schema in a whole reply to [`read_schema`](Self::read_schema).
    ///
    /// # Errors
    ///
    /// [`FeedFailure`] if the reply has none.
    fn schema(&self, reply: &Reply<'_>) -> Result<ReadSchema, FeedFailure> {
        let _ = reply;
        Err(FeedFailure::interrupted("the API has no schema to read"))
    }

    /// The request that reads relationships at exactly the revision that `at` names. Its reply is a stream. `None` if the
    /// API has no such call, or can't be asked for these names.
    fn read_relationships(&self, tenant: &str, filter: TupleFilter<'_>, at: &Zookie) -> Option<(Parts, Bytes)> {
        let _ = (tenant, filter, at);
        None
    }

    /// The relationship in one message of the reply to [`read_relationships`](Self::read_relationships), and the token of
    /// the revision that it was read at.
    ///
    /// # Errors
    ///
    /// [`FeedFailure`] if the message has none that can be read.
    fn relationship(&self, message: &[u8]) -> Result<(Change, String), FeedFailure> {
        let _ = message;
        Err(FeedFailure::interrupted("the API has no relationships to read"))
    }
}

/// What a checkpoint of a change feed says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checkpoints {
    /// Nothing: changes may be missing.
    Nothing,
    /// Every change that its revision sees was reported before.
    Through,
    /// Every change strictly below its revision was reported before. One at the revision itself may follow.
    Below,
}

/// What a message of a change feed reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The token of the revision that made it visible.
    pub token: String,
    /// What it is.
    pub what: Reported,
}

/// One thing that a message of a change feed reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Relationships changed.
    Changed(Vec<Change>),
    /// The schema changed.
    SchemaChanged,
    /// Something changed that is no change of a relationship, or that could not be read for this reason.
    Anything(Option<Unreadable>),
    /// A checkpoint.
    Checkpoint,
}

/// A schema, as the store replied it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadSchema {
    /// The whole schema.
    pub text: String,
    /// The token of the revision that it was read at.
    pub token: String,
    /// Whether the feed reports changes of the schema. Where it does not, no checkpoint is believed.
    pub is_followed: bool,
}

impl ReadSchema {
    /// A schema whose changes the feed reports.
    pub fn new(text: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            token: token.into(),
            is_followed: true,
        }
    }
}

/// Why a call of a change feed failed. The text names no token, object or subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct FeedFailure {
    why: Cow<'static, str>,
    is_lost: bool,
}

impl FeedFailure {
    /// It may succeed when it is tried again.
    pub fn interrupted(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            why: why.into(),
            is_lost: false,
        }
    }

    /// Changes are missing, or can't be read: to go on, the feed has to begin anew.
    pub fn lost(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            why: why.into(),
            is_lost: true,
        }
    }

    pub(crate) const fn interrupted_because(why: &'static str) -> Self {
        Self {
            why: Cow::Borrowed(why),
            is_lost: false,
        }
    }

    pub(crate) const fn lost_because(why: &'static str) -> Self {
        Self {
            why: Cow::Borrowed(why),
            is_lost: true,
        }
    }

    /// Whether the feed has to begin anew.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }
}
