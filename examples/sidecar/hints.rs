//! What is printed at the start.

use crate::proxy::Route;
use crate::proxy::upstream::Speaks;

const REQUEST: &str = r#"{"resource":{"objectType":"document","objectId":"plan"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"alice"}}}"#;

/// What comes in where, and where it goes.
pub(crate) fn forwarded(route: &Route, tls: bool) -> String {
    let (what, listen, upstream) = (name(route.speaks), route.listen, &route.upstream);
    format!("{what} on {}://{listen}, forwarded to {upstream}", scheme(tls))
}

/// A command line worth trying twice: the second time, the answer comes from memory.
pub(crate) fn worth_trying(route: &Route, tls: bool) -> String {
    let listen = route.listen;
    match route.speaks {
        Speaks::Grpc => format!(
            "grpcurl -v {} -H 'authorization: Bearer KEY' -d '{REQUEST}' {listen} \
             authzed.api.v1.PermissionsService/CheckPermission",
            if tls { "-cacert FILE" } else { "-plaintext" }
        ),
        Speaks::Http => format!(
            "curl -i {}-H 'authorization: Bearer KEY' --json '{REQUEST}' {}://{listen}/v1/permissions/check",
            if tls { "--cacert FILE " } else { "" },
            scheme(tls)
        ),
    }
}

fn name(speaks: Speaks) -> &'static str {
    match speaks {
        Speaks::Grpc => "gRPC",
        Speaks::Http => "HTTP",
    }
}

fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}
