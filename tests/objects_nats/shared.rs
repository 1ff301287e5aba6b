//! What every store has to do.

use std::pin::Pin;
use std::sync::Arc;

use tower_zookie::objects::ObjectTokens;
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{Case, Replicas};

use crate::tools;

struct OnNats(NatsServer);

impl Replicas for OnNats {
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn ObjectTokens>> + Send + '_>> {
        Box::pin(async { Arc::new(tools::open(&self.0).await) as Arc<dyn ObjectTokens> })
    }
}

pub(crate) async fn run(case: Case) {
    (case.run)(Arc::new(OnNats(NatsServer::start()))).await;
}
