//! What is printed at the start.

use crate::proxy::Route;
use crate::proxy::speaks::Speaks;
use crate::proxy::system::System;

/// What operators can ask for.
pub const ENDPOINTS: &str = "/stats /metrics /healthz /readyz /version, POST /explain, /purge, /pass-through?on|off";

/// A question in an API's own form.
struct Question {
    method: &'static str,
    path: &'static str,
    header: &'static str,
    grpc: &'static str,
    http: &'static str,
}

const IN_SPICEDB: &str = r#"{"resource":{"objectType":"document","objectId":"plan"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"alice"}}}"#;

const SPICEDB: Question = Question {
    method: "authzed.api.v1.PermissionsService/CheckPermission",
    path: "/v1/permissions/check",
    header: "authorization: Bearer KEY",
    grpc: IN_SPICEDB,
    http: IN_SPICEDB,
};

/// It has no snap token: without the header it would be asked at head each time.
const PERMIFY: Question = Question {
    method: "base.v1.Permission/Check",
    path: "/v1/tenants/t1/permissions/check",
    header: "zookie-consistency: minimize-latency",
    grpc: r#"{"tenant_id":"t1","metadata":{"depth":20},"entity":{"type":"document","id":"plan"},"permission":"view","subject":{"type":"user","id":"alice"}}"#,
    http: r#"{"metadata":{"depth":20},"entity":{"type":"document","id":"plan"},"permission":"view","subject":{"type":"user","id":"alice"}}"#,
};

/// What comes in where, and where it goes.
pub fn forwarded(route: &Route, tls: bool) -> String {
    let (what, listen, upstream) = (name(route.speaks), route.listen, &route.upstream);
    format!("{what} on {}://{listen}, forwarded to {upstream}", scheme(tls))
}

/// A command line worth trying twice: the second time, the answer comes from memory.
pub fn worth_trying(system: &System, route: &Route, tls: bool) -> String {
    let listen = route.listen;
    let Question {
        method,
        path,
        header,
        grpc,
        http,
    } = match system {
        System::SpiceDb(_) => SPICEDB,
        System::Permify(_) => PERMIFY,
    };
    match route.speaks {
        Speaks::Grpc => format!(
            "grpcurl -v {} -H '{header}' -d '{grpc}' {listen} {method}",
            if tls { "-cacert FILE" } else { "-plaintext" }
        ),
        Speaks::Http => format!(
            "curl -i {}-H '{header}' --json '{http}' {}://{listen}{path}",
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
