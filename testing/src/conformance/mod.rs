//! Runs any protocol against the rules of the contract.
//!
//! The author of a protocol implements [`Api`]: how the API spells requests and replies. The suite puts the real layer
//! before a small model of a store that keeps all its versions, sends the requests of honest callers and of an adversary,
//! and judges every reply by the store's history. It also calls the methods of the protocol directly.
//!
//! [`conformance!`](crate::conformance!) makes one test of each rule:
//!
//! ```ignore
//! tower_zookie_testing::conformance!(own, Own::default());
//! ```

mod api;
mod carried;
mod judge;
mod key;
mod methods;
mod plan;
mod store;
mod tally;
mod world;

pub use api::{Answer, Api, Asks, Fresh, in_headers, stated};
pub use key::keys;
pub use methods::messages;
pub use plan::Focus;
pub use world::histories;

/// What a rule's check found wrong, beginning with the rule: `rule 1: …`.
pub type Wrong = String;

/// The tests of one protocol, in a module of this name.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $api:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn rule_01_floor() {
                $crate::conformance::histories(&$api, $crate::conformance::Focus::Floors).unwrap();
            }

            #[test]
            fn rule_02_exact() {
                $crate::conformance::histories(&$api, $crate::conformance::Focus::Snapshots).unwrap();
            }

            #[test]
            fn rule_10_whole_key() {
                $crate::conformance::keys(&$api).unwrap();
            }

            #[test]
            fn rule_16_one_snapshot() {
                $crate::conformance::histories(&$api, $crate::conformance::Focus::Bulks).unwrap();
            }

            #[test]
            fn messages_keep_their_meaning() {
                $crate::conformance::messages(&$api).unwrap();
            }
        }
    };
}
