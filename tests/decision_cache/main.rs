//! The contract, as far as `DecisionCache` alone can ensure it. Each test has the number of its rule.

mod ages;
mod epochs;
mod exact;
mod flights;
mod floors;
mod followed;
mod head_reads;
mod labels;
mod leaders;
mod limits;
mod script;
mod scripted;
mod support;
mod windows;
