//! Serves the API behind a `ZookieLayer`: `cargo run --package own-protocol-example -- 127.0.0.1:8080`.
//!
//! ```sh
//! alias call="curl -s --include --json"
//!
//! # A write. Its reply names revision 2.
//! call '{"subject":"user:u1","action":"read","resource":"doc:1","allowed":true}' 127.0.0.1:8080/v1/grants
//! # A check that includes it. Its header `cache-status` says `fwd=miss; stored`; once more, it says `hit`.
//! call '{"subject":"user:u1","action":"read","resource":"doc:1","at":"2"}' 127.0.0.1:8080/v1/check
//! # Another grant, which names revision 3, does not end the answer: with the new revision it is a hit too.
//! call '{"subject":"user:u9","action":"read","resource":"doc:1","allowed":true}' 127.0.0.1:8080/v1/grants
//! call '{"subject":"user:u1","action":"read","resource":"doc:1","at":"3"}' 127.0.0.1:8080/v1/check
//! # A bulk with the same question. Its answers are spelled in another way, so it is a miss.
//! call '{"checks":[{"subject":"user:u1","action":"read","resource":"doc:1"}]}' 127.0.0.1:8080/v1/check-all
//! # A bulk of which the cache knows one of two answers. All hold at one revision.
//! call '{"checks":[{"subject":"user:u1","action":"read","resource":"doc:1"},
//!                  {"subject":"user:u2","action":"read","resource":"doc:1"}]}' 127.0.0.1:8080/v1/check-all
//! # The answer before the write, and at the newest revision.
//! call '{"subject":"user:u1","action":"read","resource":"doc:1","at":"1","read":"exactly"}' 127.0.0.1:8080/v1/check
//! call '{"subject":"user:u1","action":"read","resource":"doc:1","read":"latest"}' 127.0.0.1:8080/v1/check
//! # A revision that the store has not reached: 503.
//! call '{"subject":"user:u1","action":"read","resource":"doc:1","at":"9"}' 127.0.0.1:8080/v1/check
//! ```

use std::error::Error;
use std::sync::Arc;

use own_protocol::{Store, behind_following_layer};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    let (service, _) = behind_following_layer(Arc::new(Store::default()))?;
    axum::serve(listener, service).await?;
    Ok(())
}
