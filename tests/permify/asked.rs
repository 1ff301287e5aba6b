//! What callers ask, and the answers that they get.

use tokio::time::Instant;
use tower_zookie::protocol::permify::Engine;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::permify::SnapTokens;
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::permify::Client;
use tower_zookie_testing::permify::messages::Metadata;

use crate::api::{bulk, check};
use crate::bypass::Bypass;
use crate::store::version;
use crate::world::ConsistencyLevel;

/// What a caller asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) way: usize,
    pub(crate) tenant: &'static str,
    pub(crate) whats: Vec<(&'static str, &'static str)>,
    pub(crate) pinned: Option<usize>,
    pub(crate) consistency: ConsistencyLevel,
    pub(crate) message: Option<String>,
    pub(crate) header: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) bypass: Option<Bypass>,
}

impl Asked {
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &String> {
        self.message.iter().chain(&self.header).chain(&self.cookie)
    }

    /// Whether every two of the tokens are ordered.
    pub(crate) fn is_ordered(&self) -> bool {
        in_order(self.tokens())
    }

    /// Whether no single read can satisfy the request: at head and at a token, or at two tokens that are not ordered.
    pub(crate) fn can_not_be_met(&self) -> bool {
        self.consistency == ConsistencyLevel::Full && self.tokens().next().is_some() || !self.is_ordered()
    }

    /// Whether a header demands something that the message would have to state.
    pub(crate) fn demands_beside(&self) -> bool {
        self.consistency != ConsistencyLevel::None || self.header.is_some() || self.cookie.is_some()
    }
}

fn in_order<'a>(tokens: impl Iterator<Item = &'a String>) -> bool {
    let format = SnapTokens::new(Engine::Postgres);
    let revisions: Vec<_> = tokens.map(|token| format.decode(token).unwrap()).collect();
    let ordered = |a| revisions.iter().all(|b| b.partial_cmp(a).is_some());
    revisions.iter().all(ordered)
}

#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) asked: Asked,
    pub(crate) arrived: Instant,
    pub(crate) replied: Instant,
    pub(crate) reply: Reply,
}

pub(crate) async fn answered(client: Client, asked: Asked) -> Answered {
    let arrived = Instant::now();
    let reply = ask(&client, &asked).await;
    let replied = Instant::now();
    Answered {
        asked,
        arrived,
        replied,
        reply,
    }
}

async fn ask(client: &Client, asked: &Asked) -> Reply {
    let mut client = client.clone();
    if let Some(token) = &asked.header {
        client = client.metadata("zookie", token);
    }
    if let Some(token) = &asked.cookie {
        client = client.cookie(token);
    }
    client = match asked.consistency {
        ConsistencyLevel::None => client,
        ConsistencyLevel::Exact => client.metadata("zookie-consistency", "at-exact-snapshot"),
        ConsistencyLevel::Full => client.metadata("zookie-consistency", "fully-consistent"),
    };
    let metadata = Some(Metadata {
        schema_version: asked.pinned.map(version).unwrap_or_default(),
        snap_token: asked.message.clone().unwrap_or_default(),
        depth: 20,
    });
    let tenant = asked.tenant.to_owned();
    match &*asked.whats {
        [(document, user)] => {
            let mut request = check(document, user, "");
            (request.tenant_id, request.metadata) = (tenant, metadata);
            sent(&client, "Permission/Check", &request, asked.bypass).await
        }
        whats => {
            let mut request = bulk(whats, "");
            (request.tenant_id, request.metadata) = (tenant, metadata);
            sent(&client, "Permission/BulkCheck", &request, asked.bypass).await
        }
    }
}

async fn sent(client: &Client, method: &str, request: &impl prost::Message, bypass: Option<Bypass>) -> Reply {
    match bypass {
        None => client.call(method, request).await,
        Some(bypass) => bypass.send(client, method, request).await,
    }
}
