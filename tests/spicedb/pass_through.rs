//! The pass-through switch before SpiceDB.

use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Requirement, ZedToken, at_least, check, exactly, full};

use crate::server::Server;

const CHECK: &str = "PermissionsService/CheckPermission";

#[tokio::test(start_paused = true)]
async fn rule_09_pass_through_leaves_a_message_as_its_caller_wrote_it() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    client.handle().set_pass_through(true);
    for consistency in [None, at_least(&token), exactly(&token), full()] {
        let body = framed(&check("plan", "ada", consistency));
        for _ in 0..2 {
            server.calls();
            let reply = client.send(CHECK, body.clone()).await;
            // It compares the header with the message.
            reply.at();
            let calls = server.calls();
            assert_eq!((calls.len(), &calls[0].body), (1, &body));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_pass_through_puts_a_token_of_the_metadata_into_the_message() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    client.handle().set_pass_through(true);
    server.calls();
    let reply = client
        .metadata("zookie", &token)
        .check(&check("plan", "ada", None))
        .await;
    assert!(reply.has());
    let stated = server.calls()[0].consistency.clone();
    assert_eq!(stated, Some(Requirement::AtLeastAsFresh(ZedToken::new(&token))));
}
