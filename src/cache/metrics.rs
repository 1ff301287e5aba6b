use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::cache::stats::{Distribution, Stats};

/// Ages are distinguished from 1 ms to 67 s, which is where a window's interval may sensibly lie.
const AGE_BITS: std::ops::RangeInclusive<u32> = 10..=26;
const LAG_BITS: std::ops::RangeInclusive<u32> = 0..=20;

const HITS: &str = "tower_zookie_hits_total";
const MISSES: &str = "tower_zookie_misses_total";
const COALESCED: &str = "tower_zookie_coalesced_total";
const UPSTREAM_CALLS: &str = "tower_zookie_upstream_calls_total";
const PROBES: &str = "tower_zookie_probes_total";
const BACKGROUND_READS: &str = "tower_zookie_background_reads_total";
const BYPASSED: &str = "tower_zookie_bypassed_total";
const REJECTED: &str = "tower_zookie_rejected_total";
const NOT_STORED_BY_REPLY: &str = "tower_zookie_not_stored_by_reply_total";
const KEPT_SHORTER: &str = "tower_zookie_kept_shorter_total";
const ENTRIES: &str = "tower_zookie_entries";
const BYTES: &str = "tower_zookie_bytes";
const WARNINGS: &str = "tower_zookie_warnings_total";
const HIT_AGES: &str = "tower_zookie_hit_age_seconds_bucket";
const TOKEN_LAGS: &str = "tower_zookie_token_lag_bucket";

impl Stats {
    /// Gives these numbers to the recorder of the [`metrics`] crate, whichever exporter that is. Call it when a scrape
    /// comes, or every few seconds: nothing is recorded between the calls, so that a hit costs no more than without.
    ///
    /// | name | kind | labels | unit | what |
    /// |---|---|---|---|---|
    /// | `tower_zookie_hits_total` | counter | | questions | answered from the cache |
    /// | `tower_zookie_misses_total` | counter | `reason`: see [`Miss`](crate::cache::Miss) | questions | not answered from the cache |
    /// | `tower_zookie_coalesced_total` | counter | | questions | answered by a call that another caller had begun |
    /// | `tower_zookie_upstream_calls_total` | counter | | calls | made for questions; a bulk is one |
    /// | `tower_zookie_probes_total` | counter | | calls | of these, the ones that only asked how far the store has come |
    /// | `tower_zookie_background_reads_total` | counter | | calls | of these, the ones made in the background |
    /// | `tower_zookie_bypassed_total` | counter | | requests | on check routes that went around the cache |
    /// | `tower_zookie_rejected_total` | counter | | requests | rejected by the layer itself |
    /// | `tower_zookie_not_stored_by_reply_total` | counter | | replies | whose own headers forbid storing their answers |
    /// | `tower_zookie_kept_shorter_total` | counter | | replies | whose own `max-age` or `Expires` ends their answers before `time_to_live` does |
    /// | `tower_zookie_warnings_total` | counter | `warning`: see [`Warning`](crate::Warning) | warnings | given, logged or not |
    /// | `tower_zookie_entries` | gauge | | answers | stored now |
    /// | `tower_zookie_bytes` | gauge | | bytes | that they take, keys included |
    /// | `tower_zookie_hit_age_seconds_bucket` | counter | `le`: seconds, or `+Inf` | questions | answered from the cache by an answer of at most this age |
    /// | `tower_zookie_token_lag_bucket` | counter | `le`: revisions, or `+Inf` | questions | whose floor lay at most this far below their answer, where the store counts revisions |
    ///
    /// The last two are cumulative, as Prometheus wants the buckets of a histogram:
    /// `histogram_quantile(0.99, rate(tower_zookie_hit_age_seconds_bucket[5m]))`.
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
        let labels: &[Label] = &labels.iter().map(to_label).collect::<Vec<_>>();
        // Named one by one, so that a new number can't be forgotten here.
        let Stats {
            hits,
            misses,
            coalesced,
            upstream_calls,
            probes,
            background_reads,
            bypassed,
            rejected,
            not_stored_by_reply,
            kept_shorter,
            entries,
            bytes,
            age_micros,
            token_lag,
            warnings,
        } = self;
        describe();
        for (name, number) in [
            (HITS, hits),
            (COALESCED, coalesced),
            (UPSTREAM_CALLS, upstream_calls),
            (PROBES, probes),
            (BACKGROUND_READS, background_reads),
            (BYPASSED, bypassed),
            (REJECTED, rejected),
            (NOT_STORED_BY_REPLY, not_stored_by_reply),
            (KEPT_SHORTER, kept_shorter),
        ] {
            counter!(name, labels.iter()).absolute(*number);
        }
        for (warning, number) in warnings {
            count_with(WARNINGS, labels, Label::from_static_parts("warning", warning), *number);
        }
        for (why, number) in misses.iter() {
            count_with(MISSES, labels, Label::from_static_parts("reason", why.name()), number);
        }
        gauge!(ENTRIES, labels.iter()).set(*entries as f64);
        gauge!(BYTES, labels.iter()).set(*bytes as f64);
        let seconds = |micros: u64| (micros as f64 / 1e6).to_string();
        publish_buckets(HIT_AGES, labels, age_micros, AGE_BITS, seconds);
        publish_buckets(TOKEN_LAGS, labels, token_lag, LAG_BITS, |lag| lag.to_string());
    }
}

fn publish_buckets(
    name: &'static str,
    labels: &[Label],
    distribution: &Distribution,
    bits: std::ops::RangeInclusive<u32>,
    end: impl Fn(u64) -> String,
) {
    for bits in bits {
        let (upper, at_most) = distribution.at_most(bits);
        count_with(name, labels, Label::new("le", end(upper)), at_most);
    }
    count_with(
        name,
        labels,
        Label::from_static_parts("le", "+Inf"),
        distribution.count(),
    );
}

fn count_with(name: &'static str, labels: &[Label], label: Label, number: u64) {
    let labels: Vec<_> = labels.iter().cloned().chain([label]).collect();
    counter!(name, labels).absolute(number);
}

fn describe() {
    for (name, what) in [
        (HITS, "Questions answered from the cache."),
        (MISSES, "Questions not answered from the cache, by reason."),
        (
            COALESCED,
            "Questions answered by an upstream call that another caller had begun.",
        ),
        (UPSTREAM_CALLS, "Calls made to the upstream for questions."),
        (PROBES, "Calls made to the upstream for its head revision alone."),
        (BYPASSED, "Requests on check routes that went around the cache."),
        (REJECTED, "Requests that the layer rejected by itself."),
        (
            NOT_STORED_BY_REPLY,
            "Replies whose own headers forbid storing their answers.",
        ),
        (
            KEPT_SHORTER,
            "Replies whose own max-age or Expires ends their answers before time_to_live does.",
        ),
        (
            HIT_AGES,
            "Questions answered from the cache by an answer of at most this age, in seconds.",
        ),
        (
            TOKEN_LAGS,
            "Questions whose floor lay at most this many revisions below their answer.",
        ),
    ] {
        describe_counter!(name, Unit::Count, what);
    }
    describe_gauge!(ENTRIES, Unit::Count, "Answers stored now.");
    describe_gauge!(BYTES, Unit::Bytes, "Bytes that the stored answers take, keys included.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString};

    use super::*;
    use crate::cache::Miss;
    use crate::cache::purpose::Purpose;
    use crate::cache::stats::Counters;

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

    fn some() -> Counters {
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
        counters
    }

    #[test]
    fn every_number_is_published_under_its_name() {
        let shown = shown(&[(&some().read(7, 1234), &[])]);
        for line in [
            "tower_zookie_hits_total 3",
            "tower_zookie_misses_total{reason=\"floor\"} 1",
            "tower_zookie_misses_total{reason=\"age\"} 0",
            "tower_zookie_coalesced_total 4",
            "tower_zookie_upstream_calls_total 2",
            "tower_zookie_probes_total 1",
            "tower_zookie_bypassed_total 2",
            "tower_zookie_rejected_total 1",
            "tower_zookie_not_stored_by_reply_total 1",
            "tower_zookie_kept_shorter_total 2",
            "tower_zookie_entries 7",
            "tower_zookie_bytes 1234",
            "tower_zookie_hit_age_seconds_bucket{le=\"0.001023\"} 1",
            "tower_zookie_hit_age_seconds_bucket{le=\"2.097151\"} 1",
            "tower_zookie_hit_age_seconds_bucket{le=\"4.194303\"} 2",
            "tower_zookie_hit_age_seconds_bucket{le=\"67.108863\"} 2",
            "tower_zookie_hit_age_seconds_bucket{le=\"+Inf\"} 3",
            "tower_zookie_token_lag_bucket{le=\"0\"} 1",
            "tower_zookie_token_lag_bucket{le=\"3\"} 1",
            "tower_zookie_token_lag_bucket{le=\"7\"} 2",
            "tower_zookie_token_lag_bucket{le=\"+Inf\"} 2",
        ] {
            assert!(shown.iter().any(|found| found == line), "{line} is not in {shown:#?}");
        }
        let misses = shown.iter().filter(|line| line.starts_with(MISSES)).count();
        assert_eq!(misses, Miss::ALL.len());
    }

    #[test]
    fn several_layers_are_distinguished() {
        let layer = |name: &'static str| [("upstream", name)];
        let (one, other) = (some().read(1, 1), Counters::default().read(2, 2));
        let shown = shown(&[(&one, &layer("one")), (&other, &layer("other"))]);
        for line in [
            "tower_zookie_hits_total{upstream=\"one\"} 3",
            "tower_zookie_hits_total{upstream=\"other\"} 0",
            "tower_zookie_misses_total{upstream=\"one\",reason=\"floor\"} 1",
            "tower_zookie_entries{upstream=\"other\"} 2",
        ] {
            assert!(shown.iter().any(|found| found == line), "{line} is not in {shown:#?}");
        }
    }

    #[test]
    fn publishing_twice_counts_nothing_twice() {
        let stats = some().read(7, 1234);
        let shown = shown(&[(&stats, &[]), (&stats, &[])]);
        assert!(shown.contains(&"tower_zookie_hits_total 3".to_owned()));
    }
}
