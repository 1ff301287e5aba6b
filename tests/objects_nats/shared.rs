//! What every store has to do.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tower_zookie::objects::{NatsObjects, ObjectTokens};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{Case, Replicas};

struct OnNats(NatsServer);

impl Replicas for OnNats {
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn ObjectTokens>> + Send + '_>> {
        Box::pin(async { Arc::new(open(&self.0).await) as Arc<dyn ObjectTokens> })
    }
}

pub(crate) async fn run(case: Case) {
    (case.run)(Arc::new(OnNats(NatsServer::start()))).await;
}

/// One more replica, which waits for long: this may run on a slow machine.
pub(crate) async fn open(server: &NatsServer) -> NatsObjects {
    let settings = NatsObjects::builder(server.url()).timeout(Duration::from_secs(60));
    settings.connect().await.expect("the server is there")
}
