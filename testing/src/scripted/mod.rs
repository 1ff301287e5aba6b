//! A scripted upstream, and a client that reads what the layer says.

mod client;
mod upstream;

pub use client::{Body, Client, Reply, Sent, bulk_body};
pub use upstream::{NODE, Seen, Trouble, Upstream, capabilities, evaluate_all, z, zookie_of};

use tower_zookie::protocol::{AuthZen, CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::token::InferaDb;

/// A check by path, one by body, a write and a schema write.
pub fn routes() -> Routes {
    Routes::builder(InferaDb::new("test"))
        .capabilities(capabilities())
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .check(
            CheckRoute::post("/allow")
                .verdict(Verdict::json("allowed"))
                .request_token("at")
                .reply_token("zookie"),
        )
        .write(WriteRoute::post("/relationships").reply_token("zookie"))
        .write(WriteRoute::put("/schema").schema())
        .build()
        .unwrap()
}

pub fn authzen() -> AuthZen {
    AuthZen::new(InferaDb::new("test")).capabilities(capabilities())
}

pub type Both = (AuthZen, Routes);

pub fn both() -> Both {
    (authzen(), routes())
}
