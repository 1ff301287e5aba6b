//! Many callers ask the same question while no answer is stored yet.
//!
//! Callers arrive within 20 ms, while an upstream that takes as long answers the first of them; where their floors
//! move, within 40 ms. Time is paused, so that the counts are those of the code and not of the machine, and every row
//! meets the same seeded plans. Each reply says at which revision it was evaluated, and is wrong where that is below
//! the revision of the token that its caller sent. (Tokio wakes those who wait for one thing in an order of its own, so
//! a median can differ by one between runs where our callers wait for a head read.)
//!
//! The bench fails if an answer of ours is wrong or missing. A row of ours whose callers' tokens are stripped shows
//! that the judge sees wrong answers, and fails if there are none.

mod plan;
mod rows;
mod run;
mod upstream;

use std::process::ExitCode;

use plan::{Plan, Scene};
use rows::Row;
use run::Outcome;
use tower_zookie_benches::{Effort, Report, Sample};

fn main() -> std::io::Result<ExitCode> {
    let effort = Effort::from_args();
    let crowds: &[usize] = effort.pick(&[100], &[100, 1_000], &[100, 1_000]);
    let seeds = effort.pick(2, 25, 200);
    let mut report = Report::new("stampede");
    let mut broken = Vec::new();
    for scene in Scene::ALL {
        for &callers in crowds {
            let setting = format!("{callers} callers, {}", scene.name());
            let plans: Vec<_> = (0..seeds).map(|seed| Plan::new(scene, callers, seed)).collect();
            for row in Row::ALL {
                if row == Row::OursBlind && !scene.has_writes() {
                    continue;
                }
                let outcomes: Vec<_> = plans.iter().map(|plan| run::run(row, scene, plan)).collect();
                add(&mut report, row, scene, &setting, &outcomes);
                if let Some(why) = is_broken(row, callers, &outcomes) {
                    broken.push(format!("{setting}: {}: {why}", row.name()));
                }
            }
        }
    }
    report.finish()?;
    println!("Medians over {seeds} seeded runs, the same for each row. Times are of the simulation.");
    println!("\"tokens stripped\" is there to show that wrong answers are seen.");
    for line in &broken {
        eprintln!("{line}");
    }
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn add(report: &mut Report, row: Row, scene: Scene, setting: &str, outcomes: &[Outcome]) {
    let mut measure = |metric, unit, get: &dyn Fn(&Outcome) -> Option<f64>| {
        let values: Option<Vec<f64>> = outcomes.iter().map(get).collect();
        if let Some(values) = values {
            report.measured(row.name(), setting, metric, Sample::of(&values), unit);
        }
    };
    measure("upstream calls", "", &|outcome| Some(outcome.upstream_calls as f64));
    measure("answered", "", &|outcome| Some(outcome.answered as f64));
    measure("wrong", "", &|outcome| Some(outcome.wrong as f64));
    if scene == Scene::GivingUp {
        measure("calls to first answer", "", &|outcome| {
            outcome.calls_to_first.map(|calls| calls as f64)
        });
    }
    measure("all answered after", "ms", &|outcome| {
        outcome.all_answered_after.map(|after| after.as_millis() as f64)
    });
    let cached = outcomes.iter().filter(|outcome| outcome.cached_after).count();
    let share = 100.0 * cached as f64 / outcomes.len() as f64;
    report.counted(row.name(), setting, "cached afterwards", share, "%");
}

/// Errors that make the numbers worthless: a wrong or missing answer of ours, or a judge that can't see wrong ones.
fn is_broken(row: Row, callers: usize, outcomes: &[Outcome]) -> Option<String> {
    let wrong: usize = outcomes.iter().map(|outcome| outcome.wrong).sum();
    let unanswered: usize = outcomes.iter().map(|outcome| callers - outcome.answered).sum();
    match row {
        Row::Ours if wrong > 0 => Some(format!("{wrong} wrong answers")),
        Row::Ours if unanswered > 0 => Some(format!("{unanswered} callers were not answered")),
        Row::OursBlind if wrong == 0 => Some("the judge saw no wrong answer, and there must be some".to_owned()),
        _ => None,
    }
}
