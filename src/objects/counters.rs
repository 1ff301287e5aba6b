use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::ObjectStats;

macro_rules! counters {
    ($($name:ident),*) => {
        /// Counts what a layer does with the tokens of objects.
        #[derive(Debug, Default)]
        pub(crate) struct ObjectCounters {
            $(pub(crate) $name: Counter,)*
        }

        impl ObjectCounters {
            pub(super) fn read(&self) -> ObjectStats {
                ObjectStats {
                    $($name: self.$name.0.load(Ordering::Relaxed),)*
                    ..ObjectStats::default()
                }
            }
        }
    };
}

counters!(
    from_memory,
    looked_up,
    queries,
    failed_queries,
    unsettled,
    not_known,
    unnamed,
    recorded,
    heads_recorded,
    left_unsettled,
    not_recorded,
    feeds_ended
);

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
