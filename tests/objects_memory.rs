//! The store of objects' tokens in memory does what every such store has to do.

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tower_zookie::objects::{MemoryObjects, ObjectTokens};
use tower_zookie_testing::objects::{Case, Replicas, cases};

struct InMemory(MemoryObjects);

impl Replicas for InMemory {
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn ObjectTokens>> + Send + '_>> {
        Box::pin(async { Arc::new(self.0.clone()) as Arc<dyn ObjectTokens> })
    }
}

fn main() -> ExitCode {
    let trials = cases().into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(case: Case) -> Trial {
    Trial::test(case.name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let store = InMemory(MemoryObjects::new(10_000)?);
        runtime.block_on((case.run)(Arc::new(store)));
        Ok(())
    })
}
