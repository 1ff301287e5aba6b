//! One thing changed at a time, and the rest as usual.

use std::time::Duration;

use tower_zookie_benches::{Effort, Report};

use crate::AnyError;
use crate::feed::FeedTerms;
use crate::part::Changing;
use crate::policy::Kind;
use crate::simulate::{Tally, simulate};
use crate::workload::{Popularity, Recordings, Scenario, Terms};

/// The number of intervals after which an entry of ours ends.
const INTERVALS: u32 = 20;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Nothing.
    Usual,
    Interval,
    WriteRate,
    Skew,
    TokenAge,
    CacheSize,
    Feed,
    Groups,
}

/// The values of [`Sweep::Feed`]: the delay in seconds, or that the feed is lost half of the time.
const LOST: f64 = -1.0;

impl Sweep {
    pub(crate) const ALL: [Self; 8] = [
        Self::Usual,
        Self::Interval,
        Self::WriteRate,
        Self::Skew,
        Self::TokenAge,
        Self::CacheSize,
        Self::Feed,
        Self::Groups,
    ];

    /// The name of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Interval => "interval",
            Self::WriteRate => "write_rate",
            Self::Skew => "skew",
            Self::TokenAge => "token_age",
            Self::CacheSize => "cache_size",
            Self::Feed => "feed",
            Self::Groups => "groups",
        }
    }

    /// The values that are tried. A smoke run tries only the smallest and the largest.
    fn values(self, effort: Effort) -> Vec<f64> {
        let all: &[f64] = match self {
            Self::Usual => &[0.0],
            Self::Interval => &[1.0, 2.0, 5.0, 10.0, 20.0],
            Self::WriteRate => &[3e3, 12e3, 50e3, 120e3, 300e3],
            Self::Skew => &[0.6, 0.8, 0.99, 1.2],
            Self::TokenAge => &[0.0, 0.01, 0.1, 0.3, 1.0],
            Self::CacheSize => &[256.0, 512.0, 1024.0, 2048.0, 4096.0, 16384.0],
            Self::Feed => &[0.0, 0.1, 1.0, 5.0, LOST],
            Self::Groups => &[0.0, 0.25, 0.5, 0.75, 1.0],
        };
        match effort {
            Effort::Smoke if all.len() > 1 => vec![all[0], all[all.len() - 1]],
            _ => all.to_vec(),
        }
    }

    fn change(self, value: f64, scenario: &mut Scenario, terms: &mut Terms) {
        match self {
            Self::Usual => {}
            Self::Interval => {
                terms.interval = Duration::from_secs_f64(value);
                terms.time_to_live = terms.interval * INTERVALS;
            }
            Self::WriteRate => scenario.compression = value,
            Self::Skew => scenario.popularity = Popularity::Zipf(value),
            Self::TokenAge => scenario.recent = value,
            Self::CacheSize => terms.entries = value as usize,
            Self::Feed if value == LOST => terms.feed.is_lost_half_the_time = true,
            Self::Feed => terms.feed.delay = Duration::from_secs_f64(value),
            // It changes the history itself.
            Self::Groups => {}
        }
    }

    /// The policies that the change can make a difference to.
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Feed => &Kind::WITH_FEED,
            _ => &Kind::ALL,
        }
    }

    /// A value in readable form.
    fn label(self, value: f64, writes: f64, groups: f64) -> String {
        match self {
            Self::Usual => String::new(),
            Self::Interval => format!("{value} s"),
            Self::WriteRate => format!("{writes:.2}"),
            Self::Skew => format!("{value}"),
            Self::TokenAge => format!("{} %", value * 100.0),
            Self::CacheSize => format!("{value}"),
            Self::Feed if value == LOST => "lost half of the time".to_owned(),
            Self::Feed => format!("{value} s"),
            Self::Groups => format!("{:.0} %", groups * 100.0),
        }
    }

    fn setting(self, label: &str, value: f64) -> String {
        match self {
            Self::Usual => "as usual".to_owned(),
            Self::Interval => format!("interval {label}"),
            Self::WriteRate => format!("{label} writes/s (history × {value})"),
            Self::Skew => format!("Zipf {label}, independent"),
            Self::TokenAge => format!("{label} recent tokens"),
            Self::CacheSize => format!("{label} entries"),
            Self::Feed if value == LOST => format!("feed {label}"),
            Self::Feed => format!("feed delayed by {label}"),
            Self::Groups => format!("{label} of the writes touch groups"),
        }
    }
}

/// All policies at one value.
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) label: String,
    pub(crate) setting: String,
    pub(crate) writes: f64,
    pub(crate) tallies: Vec<(Kind, Tally)>,
}

/// What is usual: the popularity's own order, a history at 50,000 times its speed, one recent token to a hundred old
/// ones, SpiceDB's interval and staleness for everybody, and a feed as fast as the replies.
pub(crate) fn usual(effort: Effort) -> (Scenario, Terms) {
    let scenario = Scenario {
        checks: effort.pick(10_000, 150_000, 300_000),
        rate: 500.0,
        compression: 50_000.0,
        popularity: Popularity::Recorded,
        recent: 1.0 / 101.0,
    };
    let terms = Terms {
        interval: Duration::from_secs(5),
        staleness: 10,
        entries: 10_000,
        time_to_live: Duration::from_secs(5) * INTERVALS,
        latency: Duration::from_millis(10),
        // A report takes as long as the way back of a reply.
        feed: FeedTerms {
            delay: Duration::from_millis(5),
            is_lost_half_the_time: false,
        },
    };
    (scenario, terms)
}

pub(crate) fn sweep(
    sweep: Sweep,
    effort: Effort,
    recordings: &Recordings,
    failures: &mut Vec<String>,
) -> Result<Vec<Point>, AnyError> {
    let point = |value| {
        let (mut scenario, mut terms) = usual(effort);
        sweep.change(value, &mut scenario, &mut terms);
        let seconds = scenario.checks as f64 / scenario.rate;
        let part = match sweep {
            Sweep::Groups => Some(recordings.part(changing(value))?),
            _ => None,
        };
        if let Some(part) = &part {
            // As many writes a second as usual.
            let (writes, _) = recordings.last_writes(seconds * scenario.compression);
            scenario.compression = part.seconds_of(writes) / seconds;
        }
        let recordings = part.as_ref().unwrap_or(recordings);
        let workload = recordings.workload(&scenario);
        let writes = workload.write_rate();
        let (_, groups) = recordings.last_writes(seconds * scenario.compression);
        let label = sweep.label(value, writes, groups);
        let setting = sweep.setting(&label, value);
        let tallies = sweep.kinds().iter().map(|kind| {
            let tally = simulate(&workload, &terms, || kind.build(&terms, &workload.world));
            (*kind, tally)
        });
        let tallies: Vec<_> = tallies.collect();
        for (kind, tally) in &tallies {
            let broken = tally.over_age > 0 || (kind.promises_floors() && tally.violations + tally.below_floor > 0);
            if broken {
                failures.push(format!("{} breaks its promise with {setting}: {tally:?}", kind.name()));
            }
        }
        if sweep == Sweep::WriteRate {
            failures.extend(behind_quantized(&tallies, &setting));
        }
        Ok(Point {
            value,
            label,
            setting,
            writes,
            tallies,
        })
    };
    sweep.values(effort).into_iter().map(point).collect()
}

/// Below a half, so much less of what leads on to others changes, and above a half so much less of the rest.
fn changing(value: f64) -> Changing {
    Changing {
        groups: (value * 2.0).min(1.0).powi(2),
        people: (2.0 - value * 2.0).min(1.0).powi(2),
    }
}

/// Whether ours hits less often than a cache that shares answers across windows without a write between them, as
/// SpiceDB's on PostgreSQL does.
fn behind_quantized(tallies: &[(Kind, Tally)], setting: &str) -> Option<String> {
    let hits = |sought| {
        let found = tallies.iter().find(|(kind, _)| *kind == sought);
        found.map_or(0.0, |(_, tally)| tally.hit_share())
    };
    let (ours, quantized) = (hits(Kind::Ours), hits(Kind::QuantizedByWrites));
    hits_less(ours, quantized).then(|| format!("ours hits {ours:.4}, the quantized {quantized:.4}, with {setting}"))
}

/// Whether ours is lower by more than the random keys of its fingerprints explain.
pub(crate) fn hits_less(ours: f64, others: f64) -> bool {
    ours < others - 0.002
}

/// How many answers of all policies are wrong.
pub(crate) fn wrong_answers(points: &[Point]) -> u64 {
    let tallies = points.iter().flat_map(|point| &point.tallies);
    tallies.map(|(_, tally)| tally.violations).sum()
}

pub(crate) fn add(points: &[Point], report: &mut Report) {
    for point in points {
        for (kind, tally) in &point.tallies {
            let mut add = |metric, value, unit| report.counted(kind.name(), &point.setting, metric, value, unit);
            add("hits", tally.hit_share() * 100.0, "%");
            add("coalesced", tally.coalesced_share() * 100.0, "%");
            add("upstream calls", tally.upstream_calls as f64, "");
            add("mean age", tally.mean_age(), "s");
            add("violations", tally.violations as f64, "");
            add("stale", tally.stale() as f64, "");
        }
    }
}

/// One line for each policy and value.
pub(crate) fn csv(points: &[Point]) -> String {
    let mut csv = "value,writes_per_second,policy,checks,hits,coalesced,upstream_calls,mean_age_seconds,violations,\
                   below_floor,over_age\n"
        .to_owned();
    for point in points {
        for (kind, tally) in &point.tallies {
            let Tally {
                checks,
                hits,
                coalesced,
                upstream_calls,
                violations,
                below_floor,
                over_age,
                ..
            } = tally;
            csv += &format!(
                "{},{:.4},\"{}\",{checks},{hits},{coalesced},{upstream_calls},{:.4},{violations},{below_floor},{over_age}\n",
                point.value,
                point.writes,
                kind.name(),
                tally.mean_age(),
            );
        }
    }
    csv
}
