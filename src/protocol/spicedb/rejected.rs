use crate::protocol::grpc::Code;

/// Whether SpiceDB rejected the revision of the request: it has expired, is not reached yet, or belongs to another
/// datastore or another kind of datastore. SpiceDB's errors about a question have other codes or messages.
pub(super) fn rejects_revision(code: Code, message: &[u8]) -> bool {
    match code {
        Code::OutOfRange => true,
        Code::Unknown => message.starts_with(b"ZedToken specified references a different datastore instance"),
        Code::InvalidArgument => message == b"invalid revision requested",
        _ => false,
    }
}
