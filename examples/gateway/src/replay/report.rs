//! The output of a run.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::layer::Api;
use tower_zookie::Handle;
use tower_zookie::cache::Stats;

use super::Scene;
use super::client::Record;

/// Shows each second how far the run is.
pub(super) async fn progress(scene: &Scene, layer: Option<&Handle<Api>>, length: Duration) {
    let mut before = (0, Stats::default());
    for second in 1..=length.as_secs() {
        tokio::time::sleep_until(scene.began + Duration::from_secs(second)).await;
        let replies = scene.replies.load(Ordering::Relaxed);
        let stats = layer.map(Handle::stats).unwrap_or_default();
        let hits = stats.hits - before.1.hits;
        let questions = hits + stats.misses.total() - before.1.misses.total();
        println!(
            "{second:>4} s  {:>7} requests  {:>5.1} % hits",
            replies - before.0,
            percent(hits, questions)
        );
        before = (replies, stats);
    }
}

pub(super) fn table(records: &[Record], took: Duration, layer: Option<&Handle<Api>>) {
    let mut latencies: Vec<Duration> = records.iter().map(|record| record.took).collect();
    latencies.sort_unstable();
    let quantile = |q: f64| {
        let index = (latencies.len() as f64 * q) as usize;
        latencies
            .get(index.min(latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!();
    row("requests", records.len());
    row(
        "requests/s",
        format!("{:.0}", records.len() as f64 / took.as_secs_f64()),
    );
    row("latency p50", format!("{:.2?}", quantile(0.5)));
    row("latency p99", format!("{:.2?}", quantile(0.99)));
    let Some(stats) = layer.map(Handle::stats) else { return };
    let misses = &stats.misses;
    let questions = stats.hits + misses.total();
    let share = |count| format!("{count} ({:.1} %)", percent(count, questions));
    row("questions", questions);
    row("hits", share(stats.hits));
    row("coalesced", share(stats.coalesced));
    row("upstream calls", share(stats.upstream_calls));
    let by_reason = misses.iter().filter(|(_, count)| *count > 0);
    let by_reason: Vec<_> = by_reason.map(|(why, count)| format!("{why} {count}")).collect();
    row("misses", by_reason.join(", "));
    row("entries", format!("{} ({} KiB)", stats.entries, stats.bytes >> 10));
}

fn row(name: &str, value: impl Display) {
    println!("{name:<15} {value}");
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
