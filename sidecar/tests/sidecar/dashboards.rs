//! Every metric and label in the dashboard and the alert rules is one that a sidecar shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::admin::get;
use crate::caller::Caller;
use crate::checks::make;
use crate::recorded::Recorded;
use crate::running::Running;

const DASHBOARD: &str = include_str!("../../../deploy/grafana/dashboard.json");
const RULES: &str = include_str!("../../../deploy/grafana/rules.yaml");

/// What Prometheus itself adds to each series.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

type Labels = BTreeMap<String, String>;
/// A label, an operator and a value.
type Matcher = (String, String, String);

/// The series of a scrape: name and labels.
pub(crate) struct Scrape(Vec<(String, Labels)>);

impl Scrape {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(
            lines
                .map(|line| {
                    let (series, number) = line.rsplit_once(' ').unwrap();
                    number.parse::<f64>().unwrap_or_else(|_| panic!("no number: {line}"));
                    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                    let labels = matchers(labels.strip_suffix('}').unwrap());
                    let labels = labels.into_iter().map(|(name, _, value)| (name, value));
                    (name.to_owned(), labels.collect())
                })
                .collect(),
        )
    }

    /// The labels of a metric, each with its values.
    pub(crate) fn labels(&self, metric: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut labels = BTreeMap::new();
        for (label, value) in self
            .0
            .iter()
            .filter(|(name, _)| name == metric)
            .flat_map(|(_, labels)| labels)
        {
            let values: &mut BTreeSet<String> = labels.entry(label.clone()).or_default();
            values.insert(value.clone());
        }
        labels
    }

    /// What an expression names that is not there.
    fn lacks(&self, expression: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let mut labels: BTreeSet<&str> = OF_PROMETHEUS.into();
        let used = selectors(expression);
        if used.is_empty() {
            missing.push("any metric".to_owned());
        }
        for (name, matchers) in &used {
            let series: Vec<&Labels> = self
                .0
                .iter()
                .filter(|(of, _)| of == name)
                .map(|(_, labels)| labels)
                .collect();
            if series.is_empty() {
                missing.push(name.clone());
            }
            labels.extend(series.iter().flat_map(|labels| labels.keys().map(String::as_str)));
            for (label, operator, values) in matchers {
                let values = match operator.ends_with('~') {
                    true => values.split('|').collect(),
                    false => vec![values.as_str()],
                };
                for value in values.into_iter().filter(|value| !value.starts_with('$')) {
                    if !series
                        .iter()
                        .any(|labels| labels.get(label).is_some_and(|found| found == value))
                    {
                        missing.push(format!("{name}{{{label}=\"{value}\"}}"));
                    }
                }
            }
        }
        let grouped = expression.split("by (").skip(1).flat_map(|after| {
            let names = after.split(')').next().unwrap_or_default();
            names.split(',').map(str::trim)
        });
        missing.extend(
            grouped
                .filter(|label| !labels.contains(label))
                .map(|label| format!("by ({label})")),
        );
        missing
    }
}

/// `a="b",c=~"d"` as name, operator and value. No value has an escape or a comma.
fn matchers(text: &str) -> Vec<Matcher> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    let read = |part: &str| {
        let (start, value) = part.trim_end_matches('"').split_once('"')?;
        let name = start.trim_end_matches(['=', '~', '!']);
        Some((name.trim().to_owned(), start[name.len()..].to_owned(), value.to_owned()))
    };
    parts
        .map(|part| read(part).unwrap_or_else(|| panic!("no matcher: {part}")))
        .collect()
}

/// The metrics of this crate that an expression names, each with its matchers.
fn selectors(expression: &str) -> Vec<(String, Vec<Matcher>)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find("tower_zookie_") {
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let braces = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        found.push((
            name.to_owned(),
            braces.map_or(Vec::new(), |(inside, _)| matchers(inside)),
        ));
    }
    found
}

/// Every string under one of these names.
fn under<'a>(names: &[&str], value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| under(names, one, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if names.contains(&name.as_str()) => found.push(text),
                    _ => under(names, member, found),
                }
            }
        }
        _ => {}
    }
}

/// The expressions of the rules, which are on one line each or in a folded block.
fn rules() -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = RULES.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(at, line)| {
        let expression = line.trim_start().strip_prefix("expr: ")?;
        Some(match expression {
            ">-" => {
                let block = lines[at + 1..].iter().take_while(|next| indent(next) > indent(line));
                block.map(|line| line.trim()).collect::<Vec<_>>().join(" ")
            }
            one => one.to_owned(),
        })
    });
    starts.collect()
}

#[tokio::test]
async fn every_selector_of_the_dashboards_matches_a_series() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let sidecar = Running::before(spicedb.address).await;
    let caller = Caller::new(sidecar.address()).await;
    for _ in 0..2 {
        make(&caller, spicedb.recording.call("check-default")).await;
    }
    let scrape = Scrape::read(&get(sidecar.admin, "/metrics").await.1);
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut shown = Vec::new();
    under(&["expr"], &dashboard["panels"], &mut shown);
    let variable = dashboard["templating"]["list"][1]["query"].as_str().unwrap();
    let rules = rules();
    assert!(shown.len() > 25 && rules.len() > 8);
    for expression in shown
        .into_iter()
        .chain([variable])
        .chain(rules.iter().map(String::as_str))
    {
        assert_eq!(scrape.lacks(expression), [""; 0], "{expression}");
    }
}

#[test]
fn what_a_scrape_lacks_is_found() {
    let scrape = Scrape::read("# HELP x\ntower_zookie_a_total{reason=\"floor\",of=\"x\"} 1\ntower_zookie_b 2.5\n");
    for (expression, lacks) in [
        ("rate(tower_zookie_b[5m])", None),
        (
            "sum by (reason, instance) (tower_zookie_a_total{reason=~\"floor\",job=\"$job\"})",
            None,
        ),
        ("tower_zookie_c", Some("tower_zookie_c")),
        ("up", Some("any metric")),
        (
            "tower_zookie_a_total{reason=\"age\"}",
            Some("tower_zookie_a_total{reason=\"age\"}"),
        ),
        (
            "tower_zookie_a_total{reason!=\"age\"}",
            Some("tower_zookie_a_total{reason=\"age\"}"),
        ),
        (
            "tower_zookie_a_total{reason=~\"floor|old\"}",
            Some("tower_zookie_a_total{reason=\"old\"}"),
        ),
        ("sum by (le) (tower_zookie_a_total)", Some("by (le)")),
    ] {
        let lacks: Vec<String> = lacks.into_iter().map(str::to_owned).collect();
        assert_eq!(scrape.lacks(expression), lacks, "{expression}");
    }
}
