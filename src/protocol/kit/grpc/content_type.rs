use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

/// The usual spellings of gRPC's content type.
static SPELLINGS: [HeaderValue; 2] = [
    HeaderValue::from_static("application/grpc"),
    HeaderValue::from_static("application/grpc+proto"),
];

/// Whether a request is gRPC, for [`Protocol::claim`](crate::protocol::Protocol::claim). It says yes where any server
/// does: Go's servers look for one content type that starts like gRPC's, accept any parameters, and read an unknown codec
/// as Protocol Buffers. It allocates nothing.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    types.any(|content_type| after_grpc(content_type).is_some())
}

/// The content type of a request or reply, if it has exactly one and that is gRPC's. The value is a copy: a stored
/// reply must not keep the received headers in memory.
pub fn content_type(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else {
        return None;
    };
    if let Some(usual) = SPELLINGS.iter().find(|spelling| *spelling == content_type) {
        return Some(usual.clone());
    }
    after_grpc(content_type)?;
    HeaderValue::from_bytes(content_type.as_bytes()).ok()
}

/// Whether a content type of gRPC names Protocol Buffers or no codec.
pub fn is_proto(content_type: &HeaderValue) -> bool {
    after_grpc(content_type).is_some_and(|rest| {
        let codec = rest.split(|byte| *byte == b';').next().unwrap_or_default();
        codec.is_empty() || codec.eq_ignore_ascii_case(b"+proto")
    })
}

/// The rest after `application/grpc`: empty, a codec after `+`, or parameters after `;`.
fn after_grpc(content_type: &HeaderValue) -> Option<&[u8]> {
    const GRPC: &[u8] = b"application/grpc";
    let (grpc, rest) = content_type.as_bytes().split_at_checked(GRPC.len())?;
    let ours = grpc.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';'));
    ours.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_grpc_by_its_content_type() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            content_type(&headers)
        };
        for (spelling, proto) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;v=1", true),
            ("application/grpc+proto; charset=utf-8", true),
            ("Application/gRPC+Proto;v=1", true),
            ("application/grpc+json", false),
            ("application/grpc+protobuf", false),
        ] {
            let found = read(&[spelling]).unwrap();
            assert_eq!((&found, is_proto(&found)), (&HeaderValue::from_static(spelling), proto));
        }
        for other in [
            &[][..],
            &["application/grpc-web"],
            &["application/grpcs"],
            &["application/gr"],
            &["application/json"],
            &["application/grpc", "application/grpc"],
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
