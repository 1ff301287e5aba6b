//! The contract, as far as `DecisionCache` alone can keep it: each test bears the number of its rule.

mod ages;
mod epochs;
mod exact;
mod flights;
mod floors;
mod labels;
mod limits;
mod probes;
mod support;
mod windows;
