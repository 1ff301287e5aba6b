//! Calls without a message.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::server::Serves;
use super::{System, both_ways, call, post};
use crate::caller::Caller;

/// A while in which a server that waits has said nothing. A slow machine only makes the test weaker.
const SILENT: Duration = Duration::from_millis(300);

fn methods(system: System) -> Vec<String> {
    let more: &[&str] = match system {
        System::SpiceDb => &[
            "/authzed.api.v1.PermissionsService/CheckBulkPermissions",
            "/authzed.api.v1.PermissionsService/WriteRelationships",
            "/authzed.api.v1.PermissionsService/DeleteRelationships",
            "/authzed.api.v1.PermissionsService/ExpandPermissionTree",
            "/authzed.api.v1.SchemaService/WriteSchema",
            "/authzed.api.v1.SchemaService/DiffSchema",
            "/authzed.api.v1.ExperimentalService/BulkCheckPermission",
        ],
        System::Permify => &[
            "/base.v1.Permission/BulkCheck",
            "/base.v1.Permission/Expand",
            "/base.v1.Permission/LookupEntity",
            "/base.v1.Permission/SubjectPermission",
            "/base.v1.Data/Write",
            "/base.v1.Data/Delete",
            "/base.v1.Data/ReadRelationships",
            "/base.v1.Schema/Write",
            "/base.v1.Schema/Read",
            "/base.v1.Tenancy/Delete",
        ],
    };
    let check = system.check().0.uri().path().to_owned();
    let of_any = [
        &*check,
        system.passing(),
        "/unknown.Service/Method",
        "/grpc.health.v1.Health/Check",
    ];
    more.iter().chain(&of_any).map(|path| (*path).to_owned()).collect()
}

#[tokio::test]
async fn a_call_without_a_message_ends_as_it_did() {
    both_ways(Serves::default(), async |system: System, address: SocketAddr| {
        let caller = Caller::patient(address).await;
        let mut waiting = Vec::new();
        for method in methods(system) {
            let request = || post(&method).body(()).unwrap();
            let whole = call(&caller, request(), Bytes::new()).await.unwrap();
            assert_eq!(
                (whole.status_alone(), &whole.headers["grpc-message"]),
                ("2", &"EOF".parse().unwrap()),
                "{method}"
            );
            // A body that ends later.
            let (reply, mut stream) = caller.begin(request()).await;
            tokio::task::yield_now().await;
            stream.send_data(Bytes::new(), true).unwrap();
            assert_eq!(reply.await.unwrap().headers()["grpc-status"], "2", "{method}");
            // The head is all that there is.
            let (reply, _) = caller.ready().await.unwrap().send_request(request(), true).unwrap();
            waiting.push((method, reply));
        }
        sleep(SILENT).await;
        for (method, reply) in waiting {
            let ended = tokio::time::timeout(Duration::ZERO, reply).await.ok();
            assert!(ended.is_none(), "{method} of {address}: {ended:?}");
        }
    })
    .await;
}
