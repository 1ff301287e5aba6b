//! Statistics as metrics: one table of them, given to a recorder or written as Prometheus text.

use std::fmt::Write;
use std::ops::RangeInclusive;

use metrics::{Label, counter, describe_counter, describe_gauge, gauge};

use crate::cache::distribution::Distribution;
use crate::cache::object_stats::ObjectStats;
use crate::cache::stats::{ProbeResults, Stats};
use crate::cache::token_stats::{RefusedTokens, Tokens};
use crate::cache::upstream_stats::UpstreamStats;
use crate::changes::FeedStats;

/// Ages are distinguished from 1 ms to 67 s, which is where a window's interval may sensibly lie.
const AGE_BITS: RangeInclusive<u32> = 10..=26;
/// Ages of tokens are distinguished from 1 s to 12 days.
const TOKEN_AGE_BITS: RangeInclusive<u32> = 0..=20;
const LAG_BITS: RangeInclusive<u32> = 0..=20;
/// Upstream calls are distinguished from 0.25 ms to 33 s.
const LATENCY_BITS: RangeInclusive<u32> = 8..=25;
const MICROSECONDS: f64 = 1e6;

/// A metric and its series.
struct Metric<'a> {
    name: &'static str,
    what: &'static str,
    value: Value<'a>,
}

enum Value<'a> {
    Counter(u64),
    /// One series for each value of a label.
    CounterBy(&'static str, Vec<(&'static str, u64)>),
    /// One series for each pair of values of two labels.
    CounterByTwo([&'static str; 2], Vec<([&'static str; 2], u64)>),
    Gauge(f64),
    /// A gauge of 1 whose label says something.
    Info(&'static str, &'static str),
    Histogram {
        of: &'a Distribution,
        bits: RangeInclusive<u32>,
        /// How many of its numbers make one of the metric's unit.
        per_unit: f64,
    },
}

impl Value<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) | Self::CounterBy(..) | Self::CounterByTwo(..) => "counter",
            Self::Gauge(_) | Self::Info(..) => "gauge",
            Self::Histogram { .. } => "histogram",
        }
    }
}

impl Stats {
    /// Gives these numbers to the recorder of the [`metrics`] crate, whichever exporter that is. Call it when a scrape
    /// comes, or every few seconds: nothing is recorded between the calls, so that a hit costs no more than without.
    ///
    /// `docs/operations.md` lists the metrics. A histogram NAME becomes the counters `NAME_bucket` (with the label `le`) and
    /// `NAME_count`, and the gauge `NAME_sum`, because the `metrics` crate has no histogram whose buckets can be set.
    /// `histogram_quantile(0.99, rate(tower_zookie_hit_age_seconds_bucket[5m]))` works with these too. To give Prometheus
    /// real histograms use [`prometheus_text`](Self::prometheus_text).
    ///
    /// Every series has these labels too, each a name and a value. One layer needs no labels; several in one process need
    /// labels that tell them apart.
    ///
    /// ```
    /// # use tower_zookie::cache::Stats;
    /// # let (documents, billing) = (Stats::default(), Stats::default());
    /// documents.publish_metrics(&[("upstream", "documents")]);
    /// billing.publish_metrics(&[("upstream", "billing")]);
    /// ```
    pub fn publish_metrics(&self, labels: &[(&str, &str)]) {
        let to_label = |(name, value): &(&str, &str)| Label::new((*name).to_owned(), (*value).to_owned());
        let labels: Vec<Label> = labels.iter().map(to_label).collect();
        let with = |name: &'static str, value: String| -> Vec<Label> {
            labels.iter().cloned().chain([Label::new(name, value)]).collect()
        };
        for Metric { name, what, value } in self.metrics() {
            match value {
                Value::Counter(number) => {
                    describe_counter!(name, what);
                    counter!(name, labels.iter()).absolute(number);
                }
                Value::CounterBy(label, numbers) => {
                    describe_counter!(name, what);
                    for (of, number) in numbers {
                        counter!(name, with(label, of.to_owned())).absolute(number);
                    }
                }
                Value::CounterByTwo(names, numbers) => {
                    describe_counter!(name, what);
                    for (of, number) in numbers {
                        let mut both = with(names[0], of[0].to_owned());
                        both.push(Label::new(names[1], of[1]));
                        counter!(name, both).absolute(number);
                    }
                }
                Value::Gauge(number) => {
                    describe_gauge!(name, what);
                    gauge!(name, labels.iter()).set(number);
                }
                Value::Info(label, text) => {
                    describe_gauge!(name, what);
                    gauge!(name, with(label, text.to_owned())).set(1.0);
                }
                Value::Histogram { of, bits, per_unit } => {
                    let [bucket, count, sum] = ["bucket", "count", "sum"].map(|part| format!("{name}_{part}"));
                    describe_counter!(bucket.clone(), what);
                    describe_counter!(count.clone(), what);
                    describe_gauge!(sum.clone(), what);
                    for (upper, at_most) in buckets(of, bits, per_unit) {
                        counter!(bucket.clone(), with("le", upper)).absolute(at_most);
                    }
                    counter!(count, labels.iter()).absolute(of.count());
                    gauge!(sum, labels.iter()).set(of.sum() as f64 / per_unit);
                }
            }
        }
    }

    /// These numbers in Prometheus' text format (`text/plain; version=0.0.4`), for an endpoint `/metrics` that needs no
    /// exporter. Every series has these labels too.
    ///
    /// ```
    /// # use tower_zookie::cache::Stats;
    /// # let stats = Stats::default();
    /// let text = stats.prometheus_text(&[("upstream", "documents")]);
    /// assert!(text.contains("tower_zookie_hits_total{upstream=\"documents\"} 0\n"));
    /// ```
    pub fn prometheus_text(&self, labels: &[(&str, &str)]) -> String {
        let mut text = String::new();
        for Metric { name, what, value } in self.metrics() {
            let _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} {}", value.kind());
            let mut line = |part: &str, more: &[(&str, &str)], number: f64| {
                let of = series(labels, more);
                let _ = writeln!(text, "{name}{part}{of} {number}");
            };
            match value {
                Value::Counter(number) => line("", &[], number as f64),
                Value::CounterBy(label, numbers) => {
                    for (of, number) in numbers {
                        line("", &[(label, of)], number as f64);
                    }
                }
                Value::CounterByTwo(names, numbers) => {
                    for (of, number) in numbers {
                        line("", &[(names[0], of[0]), (names[1], of[1])], number as f64);
                    }
                }
                Value::Gauge(number) => line("", &[], number),
                Value::Info(label, text) => line("", &[(label, text)], 1.0),
                Value::Histogram { of, bits, per_unit } => {
                    for (upper, at_most) in buckets(of, bits, per_unit) {
                        line("_bucket", &[("le", &upper)], at_most as f64);
                    }
                    line("_sum", &[], of.sum() as f64 / per_unit);
                    line("_count", &[], of.count() as f64);
                }
            }
        }
        text
    }

    /// Every metric, also those of which nothing has been counted yet.
    fn metrics(&self) -> Vec<Metric<'_>> {
        use Value::{Counter, CounterBy, CounterByTwo, Gauge, Histogram, Info};
        // Named one by one, so that a new number can't be forgotten here.
        let Self {
            hits,
            misses,
            coalesced,
            proven,
            upstream_calls,
            // The sum of their results, and those under way.
            probes: _,
            probe_results,
            background_reads,
            bypassed,
            passed,
            rejected,
            not_stored_by_reply,
            kept_shorter,
            entries,
            bytes,
            capacity,
            evictions,
            flights,
            pass_through,
            tokens,
            tokens_signed,
            tokens_refused,
            token_age_seconds,
            upstream: UpstreamStats { latency_micros, errors },
            age_micros,
            token_lag,
            warnings,
            objects,
            feeds,
            version,
        } = self;
        let metric = |name, what, value| Metric { name, what, value };
        let objects = object_metrics(&objects.clone().unwrap_or_default());
        let all = vec![
            metric(
                "tower_zookie_build_info",
                "Always 1. The label says the version.",
                Info("version", version),
            ),
            metric(
                "tower_zookie_hits_total",
                "Questions answered from the cache.",
                Counter(*hits),
            ),
            metric(
                "tower_zookie_misses_total",
                "Questions not answered from the cache, by reason.",
                CounterBy(
                    "reason",
                    misses.iter().map(|(why, count)| (why.name(), count)).collect(),
                ),
            ),
            metric(
                "tower_zookie_coalesced_total",
                "Questions answered by an upstream call that another caller had begun.",
                Counter(*coalesced),
            ),
            metric(
                "tower_zookie_proven_total",
                "Questions of fully consistent requests answered from the cache, after a head read.",
                Counter(*proven),
            ),
            metric(
                "tower_zookie_upstream_calls_total",
                "Calls made to the upstream for questions. A bulk is one call.",
                Counter(*upstream_calls),
            ),
            metric(
                "tower_zookie_probes_total",
                "Calls that only asked how far the store has come, by result.",
                CounterBy("result", by_result(probe_results).into()),
            ),
            metric(
                "tower_zookie_background_reads_total",
                "Calls made in the background, so that entries do not all end at once.",
                Counter(*background_reads),
            ),
            metric(
                "tower_zookie_upstream_latency_seconds",
                "How long the upstream's replies took.",
                Histogram {
                    of: latency_micros,
                    bits: LATENCY_BITS,
                    per_unit: MICROSECONDS,
                },
            ),
            metric(
                "tower_zookie_upstream_errors_total",
                "Upstream calls that failed, by gRPC status, HTTP status, or no_reply.",
                CounterBy("status", errors.iter().map(|(name, count)| (*name, *count)).collect()),
            ),
            metric(
                "tower_zookie_bypassed_total",
                "Requests on check routes that went around the cache.",
                Counter(*bypassed),
            ),
            metric(
                "tower_zookie_passed_total",
                "Requests that the protocol does not claim. They are only passed on.",
                Counter(*passed),
            ),
            metric(
                "tower_zookie_rejected_total",
                "Requests that the layer rejected by itself.",
                Counter(*rejected),
            ),
            metric(
                "tower_zookie_tokens_total",
                "Tokens of requests, by the place where they travelled, and whether they had a right signature.",
                CounterByTwo(["carrier", "kind"], by_kind(tokens, tokens_signed)),
            ),
            metric(
                "tower_zookie_tokens_refused_total",
                "Tokens of requests that the layer could not use, by reason.",
                CounterBy("reason", by_refusal(tokens_refused).into()),
            ),
            metric(
                "tower_zookie_not_stored_by_reply_total",
                "Replies whose own headers forbid storing their answers.",
                Counter(*not_stored_by_reply),
            ),
            metric(
                "tower_zookie_kept_shorter_total",
                "Replies whose own max-age or Expires ends their answers before time_to_live does.",
                Counter(*kept_shorter),
            ),
            metric(
                "tower_zookie_warnings_total",
                "Warnings, logged or not, by name.",
                CounterBy(
                    "warning",
                    warnings.iter().map(|(name, count)| (*name, *count)).collect(),
                ),
            ),
            metric("tower_zookie_entries", "Answers stored now.", Gauge(*entries as f64)),
            metric(
                "tower_zookie_bytes",
                "Bytes that the stored answers take, keys included.",
                Gauge(*bytes as f64),
            ),
            metric(
                "tower_zookie_capacity_bytes",
                "Bytes that the stored answers may take.",
                Gauge(*capacity as f64),
            ),
            metric(
                "tower_zookie_evictions_total",
                "Answers dropped because the capacity was used up.",
                Counter(*evictions),
            ),
            metric(
                "tower_zookie_flights",
                "Upstream calls under way that several callers can share.",
                Gauge(*flights as f64),
            ),
            metric(
                "tower_zookie_pass_through",
                "1 while every request is forwarded, else 0.",
                Gauge(f64::from(u8::from(*pass_through))),
            ),
            metric(
                "tower_zookie_hit_age_seconds",
                "The ages of the answers served from the cache.",
                Histogram {
                    of: age_micros,
                    bits: AGE_BITS,
                    per_unit: MICROSECONDS,
                },
            ),
            metric(
                "tower_zookie_token_age_seconds",
                "How long ago the tokens of requests with a right signature were issued.",
                Histogram {
                    of: token_age_seconds,
                    bits: TOKEN_AGE_BITS,
                    per_unit: 1.0,
                },
            ),
            metric(
                "tower_zookie_token_lag",
                "How many revisions the floors of questions lay below their answers, where the store counts them.",
                Histogram {
                    of: token_lag,
                    bits: LAG_BITS,
                    per_unit: 1.0,
                },
            ),
        ];
        all.into_iter().chain(objects).chain(feed_metrics(feeds)).collect()
    }
}

/// The metrics of tokens that are remembered per object.
fn object_metrics(stats: &ObjectStats) -> [Metric<'static>; 6] {
    let ObjectStats {
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
        lag_seconds,
        followed,
        feeds_ended,
    } = *stats;
    let metric = |name, what, value| Metric { name, what, value };
    let checks = [
        ("memory", from_memory),
        ("store", looked_up),
        ("unsettled", unsettled),
        ("unknown", not_known),
        ("unnamed", unnamed),
    ];
    let writes = [
        ("recorded", recorded),
        ("head", heads_recorded),
        ("unsettled", left_unsettled),
        ("failed", not_recorded),
    ];
    let queries = [
        ("answered", queries.saturating_sub(failed_queries)),
        ("failed", failed_queries),
    ];
    [
        metric(
            "tower_zookie_object_checks_total",
            "Checks without a token, by where their objects' tokens come from, or by why they were fully consistent.",
            Value::CounterBy("tokens", checks.into()),
        ),
        metric(
            "tower_zookie_object_queries_total",
            "Queries for the tokens of objects, by result.",
            Value::CounterBy("result", queries.into()),
        ),
        metric(
            "tower_zookie_object_writes_total",
            "Writes, by what was recorded for their objects.",
            Value::CounterBy("recorded", writes.into()),
        ),
        metric(
            "tower_zookie_object_lag_seconds",
            "How old this process's picture of all objects' tokens is. NaN if it has none.",
            Value::Gauge(lag_seconds.unwrap_or(f64::NAN)),
        ),
        metric(
            "tower_zookie_object_records",
            "Records of objects in this process's memory.",
            Value::Gauge(followed as f64),
        ),
        metric(
            "tower_zookie_object_feeds_ended_total",
            "How often the feed of the store of objects' tokens ended.",
            Value::Counter(feeds_ended),
        ),
    ]
}

/// What was heard from change feeds, as metrics.
fn feed_metrics(stats: &FeedStats) -> [Metric<'static>; 8] {
    let FeedStats {
        followed,
        ready,
        lag_seconds,
        changes,
        repeated,
        checkpoints,
        begun,
        ended,
        structure,
        extended,
    } = *stats;
    let metric = |name, what, value| Metric { name, what, value };
    let reports = [("change", changes), ("repeated", repeated), ("checkpoint", checkpoints)];
    [
        metric(
            "tower_zookie_feeds",
            "Change feeds that are followed now.",
            Value::Gauge(followed as f64),
        ),
        metric(
            "tower_zookie_feeds_ready",
            "Change feeds that are followed now and can show that answers stay true.",
            Value::Gauge(ready as f64),
        ),
        metric(
            "tower_zookie_feed_lag_seconds",
            "How old an answer at the frontier of the change feed would be. NaN if nothing says so.",
            Value::Gauge(lag_seconds.unwrap_or(f64::NAN)),
        ),
        metric(
            "tower_zookie_feed_reports_total",
            "What change feeds reported: transactions, repeated ones, and how far they are complete.",
            Value::CounterBy("report", reports.into()),
        ),
        metric(
            "tower_zookie_feeds_begun_total",
            "How often a change feed was begun without a predecessor.",
            Value::Counter(begun),
        ),
        metric(
            "tower_zookie_feeds_ended_total",
            "How often a change feed ended or did not open.",
            Value::Counter(ended),
        ),
        metric(
            "tower_zookie_feed_structure",
            "Relationships that lead on, of the change feeds whose structure is kept.",
            Value::Gauge(structure as f64),
        ),
        metric(
            "tower_zookie_extended_total",
            "Answers found to be still true at the frontier of a change feed.",
            Value::Counter(extended),
        ),
    ]
}

/// The upper end of each bucket, and how many numbers are no greater.
fn buckets(of: &Distribution, bits: RangeInclusive<u32>, per_unit: f64) -> impl Iterator<Item = (String, u64)> {
    let ends = bits.map(move |bits| {
        let (upper, at_most) = of.at_most(bits);
        ((upper as f64 / per_unit).to_string(), at_most)
    });
    ends.chain([("+Inf".to_owned(), of.count())])
}

/// The labels of a series as text.
fn series(labels: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    let labels = labels.iter().chain(more);
    let labels: Vec<String> = labels
        .map(|(name, value)| {
            let value = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    match labels.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", labels.join(",")),
    }
}

fn by_result(probes: &ProbeResults) -> [(&'static str, u64); 2] {
    let ProbeResults { named, failed } = *probes;
    [("named", named), ("failed", failed)]
}

fn by_carrier(tokens: &Tokens) -> [(&'static str, u64); 5] {
    let Tokens {
        header,
        metadata,
        cookie,
        query,
        message,
    } = *tokens;
    [
        ("header", header),
        ("metadata", metadata),
        ("cookie", cookie),
        ("query", query),
        ("message", message),
    ]
}

fn by_kind(all: &Tokens, signed: &Tokens) -> Vec<([&'static str; 2], u64)> {
    let pairs = by_carrier(all).into_iter().zip(by_carrier(signed));
    let both = pairs.flat_map(|((carrier, all), (_, signed))| {
        [
            ([carrier, "unsigned"], all.saturating_sub(signed)),
            ([carrier, "signed"], signed),
        ]
    });
    both.collect()
}

fn by_refusal(refused: &RefusedTokens) -> [(&'static str, u64); 11] {
    let RefusedTokens {
        malformed,
        too_long,
        too_many_entries,
        too_many_tokens,
        foreign,
        expired,
        do_not_join,
        unknown_key,
        wrong_signature,
        too_old,
        from_future,
    } = *refused;
    [
        ("malformed", malformed),
        ("too_long", too_long),
        ("too_many_entries", too_many_entries),
        ("too_many_tokens", too_many_tokens),
        ("foreign", foreign),
        ("expired", expired),
        ("do_not_join", do_not_join),
        ("unknown_key", unknown_key),
        ("wrong_signature", wrong_signature),
        ("too_old", too_old),
        ("from_future", from_future),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;
    use crate::cache::Miss;
    use crate::cache::purpose::Purpose;
    use crate::cache::stats::Counters;
    use crate::cache::token_stats::{CarriedIn, Refusal};
    use crate::cache::upstream_stats::UpstreamError;

    /// Keeps each series under the name that Prometheus gives it.
    #[derive(Default)]
    struct Series {
        counters: Named,
        gauges: Named,
    }

    type Named = Mutex<BTreeMap<String, Arc<AtomicU64>>>;

    fn series(of: &Named, key: &Key) -> Arc<AtomicU64> {
        let labels = key.labels().map(|label| format!("{}={:?}", label.key(), label.value()));
        let labels: Vec<_> = labels.collect();
        let name = match labels.is_empty() {
            true => key.name().to_owned(),
            false => format!("{}{{{}}}", key.name(), labels.join(",")),
        };
        Arc::clone(of.lock().unwrap().entry(name).or_default())
    }

    impl Recorder for Series {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(series(&self.counters, key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(series(&self.gauges, key))
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            panic!("{key} is a histogram")
        }
    }

    impl Series {
        fn shown(&self) -> Vec<String> {
            let (counters, gauges) = (self.counters.lock().unwrap(), self.gauges.lock().unwrap());
            let counters = counters
                .iter()
                .map(|(name, number)| format!("{name} {}", number.load(Ordering::Relaxed)));
            let gauges = gauges
                .iter()
                .map(|(name, bits)| format!("{name} {}", f64::from_bits(bits.load(Ordering::Relaxed))));
            counters.chain(gauges).collect()
        }
    }

    /// What a Prometheus exporter would show of these numbers, without the descriptions.
    fn shown(stats: &[(&Stats, &[(&str, &str)])]) -> Vec<String> {
        let recorder = Series::default();
        metrics::with_local_recorder(&recorder, || {
            stats.iter().for_each(|(stats, labels)| stats.publish_metrics(labels));
        });
        recorder.shown()
    }

    fn some() -> Stats {
        let counters = Counters::default();
        counters.hit(Duration::from_micros(900));
        counters.hit(Duration::from_secs(3));
        counters.hit(Duration::from_secs(300));
        counters.miss(Miss::Floor);
        counters.coalesced(4);
        counters.upstream_call(Purpose::Answer);
        counters.upstream_call(Purpose::Probe);
        counters.bypassed();
        counters.bypassed();
        counters.rejected();
        counters.not_stored_by_reply();
        counters.kept_shorter();
        counters.kept_shorter();
        counters.lag(0);
        counters.lag(5);
        counters.probed(true);
        counters.passed();
        counters.token(CarriedIn::Cookie);
        counters.token(CarriedIn::Message);
        counters.token_signed(CarriedIn::Message, 40);
        counters.token_refused(Refusal::TooLong);
        counters.upstream_replied(Duration::from_millis(3));
        counters.upstream_failed(UpstreamError::Grpc(14));
        Stats {
            entries: 7,
            bytes: 1234,
            capacity: 4096,
            evictions: 5,
            flights: 6,
            pass_through: true,
            ..counters.read()
        }
    }

    const LINES: [&str; 37] = [
        concat!("tower_zookie_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "tower_zookie_hits_total 3",
        "tower_zookie_misses_total{reason=\"floor\"} 1",
        "tower_zookie_misses_total{reason=\"age\"} 0",
        "tower_zookie_coalesced_total 4",
        "tower_zookie_upstream_calls_total 2",
        "tower_zookie_probes_total{result=\"named\"} 1",
        "tower_zookie_bypassed_total 2",
        "tower_zookie_passed_total 1",
        "tower_zookie_rejected_total 1",
        "tower_zookie_tokens_total{carrier=\"cookie\",kind=\"unsigned\"} 1",
        "tower_zookie_tokens_total{carrier=\"message\",kind=\"signed\"} 1",
        "tower_zookie_token_age_seconds_bucket{le=\"63\"} 1",
        "tower_zookie_tokens_refused_total{reason=\"too_long\"} 1",
        "tower_zookie_upstream_errors_total{status=\"UNAVAILABLE\"} 1",
        "tower_zookie_upstream_errors_total{status=\"no_reply\"} 0",
        "tower_zookie_upstream_latency_seconds_bucket{le=\"0.004095\"} 1",
        "tower_zookie_not_stored_by_reply_total 1",
        "tower_zookie_kept_shorter_total 2",
        "tower_zookie_entries 7",
        "tower_zookie_bytes 1234",
        "tower_zookie_capacity_bytes 4096",
        "tower_zookie_evictions_total 5",
        "tower_zookie_flights 6",
        "tower_zookie_pass_through 1",
        "tower_zookie_hit_age_seconds_bucket{le=\"0.001023\"} 1",
        "tower_zookie_hit_age_seconds_bucket{le=\"2.097151\"} 1",
        "tower_zookie_hit_age_seconds_bucket{le=\"4.194303\"} 2",
        "tower_zookie_hit_age_seconds_bucket{le=\"67.108863\"} 2",
        "tower_zookie_hit_age_seconds_bucket{le=\"+Inf\"} 3",
        "tower_zookie_hit_age_seconds_count 3",
        "tower_zookie_hit_age_seconds_sum 303.0009",
        "tower_zookie_token_lag_bucket{le=\"0\"} 1",
        "tower_zookie_token_lag_bucket{le=\"3\"} 1",
        "tower_zookie_token_lag_bucket{le=\"7\"} 2",
        "tower_zookie_token_lag_bucket{le=\"+Inf\"} 2",
        "tower_zookie_token_lag_sum 5",
    ];

    #[test]
    fn every_number_is_published_under_its_name() {
        let shown = shown(&[(&some(), &[])]);
        for line in LINES {
            assert!(shown.iter().any(|found| found == line), "{line} is not in {shown:#?}");
        }
        let misses = shown
            .iter()
            .filter(|line| line.starts_with("tower_zookie_misses_total"));
        assert_eq!(misses.count(), Miss::ALL.len());
    }

    #[test]
    fn the_text_has_the_same_numbers_and_real_histograms() {
        let text = some().prometheus_text(&[]);
        let lines: Vec<&str> = text.lines().collect();
        let types = [
            "# TYPE tower_zookie_hits_total counter",
            "# TYPE tower_zookie_entries gauge",
            "# TYPE tower_zookie_hit_age_seconds histogram",
            "# TYPE tower_zookie_upstream_latency_seconds histogram",
            "# TYPE tower_zookie_token_lag histogram",
        ];
        for line in LINES.into_iter().chain(types) {
            assert!(lines.contains(&line), "{line} is not in {text}");
        }
        let mut published = shown(&[(&some(), &[])]);
        let mut written: Vec<_> = lines.into_iter().filter(|line| !line.starts_with('#')).collect();
        published.sort();
        written.sort();
        assert_eq!(published, written);
    }

    #[test]
    fn labels_are_escaped_in_the_text() {
        let text = Stats::default().prometheus_text(&[("of", "a \"b\"\\\n")]);
        assert!(
            text.contains(r#"tower_zookie_hits_total{of="a \"b\"\\\n"} 0"#),
            "{text}"
        );
    }

    #[test]
    fn several_layers_are_distinguished() {
        let layer = |name: &'static str| [("upstream", name)];
        let shown = shown(&[(&some(), &layer("one")), (&Counters::default().read(), &layer("other"))]);
        for line in [
            "tower_zookie_hits_total{upstream=\"one\"} 3",
            "tower_zookie_hits_total{upstream=\"other\"} 0",
            "tower_zookie_misses_total{upstream=\"one\",reason=\"floor\"} 1",
            "tower_zookie_entries{upstream=\"one\"} 7",
        ] {
            assert!(shown.iter().any(|found| found == line), "{line} is not in {shown:#?}");
        }
    }

    #[test]
    fn publishing_twice_counts_nothing_twice() {
        let stats = some();
        let shown = shown(&[(&stats, &[]), (&stats, &[])]);
        assert!(shown.contains(&"tower_zookie_hits_total 3".to_owned()));
    }
}
