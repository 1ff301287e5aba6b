//! Shared by the benches: how much work to do, how to measure on a noisy machine, and how to report.
//!
//! A bench compares rows that do the same work under one setting, side by side in one run. It prints a table and writes
//! the same numbers to `target/BENCH/summary.json`.

#![forbid(unsafe_code)]

mod effort;
pub mod peers;
mod report;
mod sample;

pub use effort::Effort;
pub use report::{Measure, Report};
pub use sample::{Sample, interleaved};
