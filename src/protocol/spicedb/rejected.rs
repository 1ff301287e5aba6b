use crate::protocol::grpc::Code;

/// Whether SpiceDB would not answer at the revision that it was told: expired or not reached, of another datastore, or of
/// another kind of datastore. None of its complaints about a question reads so.
pub(super) fn rejects_revision(code: Code, message: &[u8]) -> bool {
    match code {
        Code::OutOfRange => true,
        Code::Unknown => message.starts_with(b"ZedToken specified references a different datastore instance"),
        Code::InvalidArgument => message == b"invalid revision requested",
        _ => false,
    }
}
