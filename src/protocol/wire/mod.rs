//! How messages are spelled: in Protocol Buffers over gRPC, and in JSON through a grpc-gateway.
//!
//! A wire turns bytes into the fields of a table, and edits them. It walks the bytes and decodes nothing into structs,
//! for two reasons: a field that this crate does not know still belongs to the question, and what the layer does not
//! rewrite is forwarded byte for byte.

mod grpc;
mod json;

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, Uri};

use crate::cache::Fingerprint;
use crate::protocol::call::{Key, Route, Unreadable};
use crate::protocol::feed::FeedWire;
use crate::protocol::kit::grpc::Code;
use crate::protocol::operation::{Field, Operation};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::Reply;
use crate::protocol::stored_response::StoredResponse;

pub(super) use self::grpc::Grpc;
pub(super) use self::json::Gateway;

/// One spelling of an API.
pub(super) trait Wire: fmt::Debug + Send + Sync + 'static {
    /// Whether the server's replies repeat headers of the request.
    const ECHOES: bool;

    /// Which wire of a change feed this is.
    const FEED: FeedWire;

    type Reader<'m>: Reader<'m>;
    type Question: Question<Self>;

    /// The operation that a request calls: its index in `operations`. Paths over HTTP begin with `base`.
    fn called(operations: &[Operation], base: &str, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<usize>;

    /// The method and path of an operation.
    fn endpoint(operation: &Operation, base: &str) -> (Method, String);

    /// Whether a request with these headers can be read.
    fn check_headers(headers: &HeaderMap) -> Result<(), Unreadable>;

    /// The message of a request.
    fn request(body: &[u8]) -> Result<Self::Reader<'_>, Unreadable>;

    /// The names of the metadata that a request has for the server.
    fn metadata(headers: &HeaderMap) -> impl Iterator<Item = &str>;

    /// The caller's own timeout.
    fn timeout(headers: &HeaderMap) -> Option<Duration>;

    /// The body with this edit, and a bulk with only these items. `None` if nothing changes.
    fn rewrite(body: &Bytes, edit: Option<&Edit<'_>>, items: Option<(&'static Field, &[usize])>) -> Option<Bytes>;

    /// How a call ended.
    fn ended<'a>(reply: &Reply<'a>) -> Ended<'a>;

    /// A message of a reply.
    fn reply(message: &[u8]) -> Result<Self::Reader<'_>, Unreadable>;

    /// What the cache stores of a whole reply. `trailers` adds those of the system.
    fn whole(content_type: HeaderValue, reply: &Reply<'_>, trailers: fn(&mut HeaderMap)) -> StoredResponse;

    /// A reply with these fields, and with the field `results` for the answers. A missing answer is `missing`.
    fn merge(
        first: Option<(&Field, Put<'_>)>,
        results: &Field,
        answers: &[Option<&StoredResponse>],
        missing: &dyn Fn(usize) -> Bytes,
        trailers: fn(&mut HeaderMap),
    ) -> StoredResponse;

    /// A message with these fields, as the text of one answer.
    fn spell(fields: &[(&Field, Put<'_>)]) -> Bytes;

    /// Turns the parts of a request into those of a call to `operation`, and returns its body. `tenant` is in the path
    /// where the API has it there.
    fn call_instead(
        parts: &mut Parts,
        operation: &Operation,
        base: &str,
        tenant: Option<(&Field, &str)>,
        fields: &[(&Field, Put<'_>)],
    ) -> Option<Bytes>;

    /// The tenant that a request's path names. Empty where the message names it.
    fn tenant<'u>(base: &str, uri: &'u Uri) -> Cow<'u, [u8]>;

    /// A call of the layer's own to `operation`. `tenant` is in the path where the API has it there. `None` if the path
    /// can't have it.
    fn call(
        operation: &Operation,
        base: &str,
        tenant: Option<(&Field, &str)>,
        fields: &[(&Field, Put<'_>)],
    ) -> Option<(Parts, Bytes)>;

    /// Takes the next message out of what has `arrived` of a stream of replies.
    fn next(arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable>;

    /// What a message of a stream of replies is.
    fn streamed(message: &[u8]) -> Result<Streamed<'_>, Unreadable>;

    /// A rejection in the API's form.
    fn reject(why: &Rejection) -> Response<Bytes>;
}

/// Reads one value of a message.
pub(super) trait Reader<'m>: Clone {
    /// Reads a message. `member` has to read the value of each member. A null of JSON is the same as a missing field.
    fn message(
        &mut self,
        fields: &'static [Field],
        member: impl FnMut(&Member<'_>, &mut Self) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable>;

    /// Reads the elements of a repeated field, as far as they are in this value.
    fn each(&mut self, element: impl FnMut(&mut Self) -> Result<(), Unreadable>) -> Result<(), Unreadable>;

    /// Reads a text.
    fn text(&mut self) -> Result<Cow<'m, [u8]>, Unreadable>;

    /// Reads a `bool`.
    fn flag(&mut self) -> Result<bool, Unreadable>;

    /// Reads an enum: the index of its name in `names`, whose numbers begin with 1. `None` for any other.
    fn choice(&mut self, names: &[&str]) -> Result<Option<usize>, Unreadable>;

    /// Reads an integer, whatever it is.
    fn integer(&mut self) -> Result<(), Unreadable>;

    /// Reads a timestamp: the time from `now` until then. Zero if that has passed.
    fn until(&mut self, now: SystemTime) -> Result<Duration, Unreadable>;

    /// Reads any value, and returns its bytes.
    fn raw(&mut self) -> Result<&'m [u8], Unreadable>;

    /// Whether the value is the same as a missing one. The value stays unread.
    fn is_unset(&self) -> Result<bool, Unreadable>;

    /// Checks that nothing follows the message.
    fn end(self) -> Result<(), Unreadable>;
}

/// The name of a value in a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'n> {
    /// The field that it is, if the table has it, and the field's index.
    pub(super) field: Option<(usize, &'static Field)>,
    /// Its name, where names are spelled out.
    pub(super) name: &'n str,
}

impl Member<'_> {
    /// Whether the name is the field's other name.
    pub(super) fn is_alias(&self) -> bool {
        let (name, field) = (self.name, self.field);
        field.is_some_and(|(_, field)| name != field.name && name == field.alias)
    }
}

/// A question while its message is read.
pub(super) trait Question<W: Wire + ?Sized>: Clone + Sized {
    /// The start of every question of a call to `route`: everything in method, URI and headers that can change an
    /// answer.
    fn new(system: &str, route: Route, parts: &Parts, key: &Key<'_>) -> Result<Self, Unreadable>;

    /// Adds a member.
    fn add(&mut self, member: &Member<'_>, value: &mut W::Reader<'_>) -> Result<(), Unreadable>;

    /// An empty part of this question.
    fn part(&self) -> Self;

    /// Adds a part that is complete, under this member.
    fn add_part(&mut self, member: &Member<'_>, part: &Self);

    /// This question and an item of a bulk.
    fn with_item(&self, item: Fingerprint) -> Fingerprint;

    fn finish(&self) -> Fingerprint;
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ended<'a> {
    /// It succeeded. The reply's content type and message, if it can be read.
    Succeeded(Option<(HeaderValue, &'a [u8])>),
    Failed(Code, Cow<'a, [u8]>),
    /// It may have succeeded.
    Unclear,
}

/// A message of a stream of replies.
#[derive(Debug)]
pub(super) enum Streamed<'m> {
    Message(&'m [u8]),
    /// The call has failed.
    Failed(Code),
}

/// A change of one field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit<'a> {
    /// The message with the field, if it is not the whole one. Without it nothing changes.
    pub(super) within: Option<&'static Field>,
    pub(super) field: &'static Field,
    pub(super) value: Put<'a>,
    /// The field has this value already. Only a name that not every build reads is replaced.
    pub(super) is_stated: bool,
}

/// A value to write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Put<'a> {
    /// `null` in JSON.
    Nothing,
    True,
    Number(u64),
    /// An enum's number and name.
    Choice(u64, &'a str),
    /// A text without characters that JSON escapes.
    Text(&'a str),
    Message(&'a [(&'a Field, Put<'a>)]),
    /// A repeated field.
    List(&'a [Put<'a>]),
    /// A value of a message of the same wire.
    Raw(&'a [u8]),
}

impl Put<'_> {
    /// Whether the value is the same as a missing one.
    pub(super) fn is_unset(&self) -> bool {
        matches!(self, Self::Nothing | Self::Number(0) | Self::Text(""))
    }
}
