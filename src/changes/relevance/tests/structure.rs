use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::changes::relevance::structure::TooFar;
use crate::changes::relevance::tests::model::{State, Subjects, World, random_worlds};
use crate::changes::relevance::tests::selectivity::{self, Selectivity};
use crate::changes::relevance::tests::{Walked, effort, verdict};
use crate::changes::relevance::{Rules, Structure};
use crate::changes::{Change, Effect, Object, Question, Subject};
use crate::schema::Schema;

const STEPS: usize = 6;

/// What happened in a world: a state, and changes one after the other.
struct Sequence {
    states: Vec<State>,
    changes: Vec<Change>,
    solutions: Vec<Vec<Subjects>>,
}

impl Sequence {
    fn begin(world: &World, rng: &mut StdRng) -> Self {
        let state = world.random_state(rng);
        Self {
            solutions: vec![world.solve(&state)],
            states: vec![state],
            changes: Vec::new(),
        }
    }

    fn change(&mut self, world: &World, rng: &mut StdRng) {
        let mut state = self.states[self.changes.len()].clone();
        // Half of the time one that changed before, so that things go back and forth.
        let before: Vec<_> = (0..state.len())
            .filter(|tuple| state[*tuple] != self.states[0][*tuple])
            .collect();
        let changed = match before.choose(rng) {
            Some(tuple) if rng.random_bool(0.3) => *tuple,
            _ => rng.random_range(0..state.len()),
        };
        state[changed] = !state[changed];
        self.changes.push(Change {
            effect: if state[changed] { Effect::Added } else { Effect::Removed },
            ..world.tuples[changed].change.clone()
        });
        self.solutions.push(world.solve(&state));
        self.states.push(state);
    }

    /// A state that sees the first `seen` changes, and some of the others.
    fn random_state_after(&self, world: &World, rng: &mut StdRng, seen: usize) -> State {
        let mut state = self.states[seen].clone();
        for change in &self.changes[seen..] {
            if rng.random() {
                let tuple = world.tuples.iter().position(|tuple| tuple.is_of(change)).unwrap();
                state[tuple] = change.effect == Effect::Added;
            }
        }
        state
    }
}

/// The relationships are read while the first changes arrive.
fn load(world: &World, rules: &Arc<Rules>, rng: &mut StdRng, sequence: &mut Sequence) -> Structure {
    let structure = Structure::new(Arc::clone(rules), 1_000_000);
    let exists: Vec<_> = (0..world.tuples.len())
        .filter(|tuple| sequence.states[0][*tuple])
        .collect();
    for tuple in exists {
        structure.load(&world.tuples[tuple].change);
        if rng.random_ratio(1, 20) && sequence.changes.len() < STEPS / 2 {
            sequence.change(world, rng);
            structure.apply(sequence.changes.last().unwrap());
        }
    }
    assert!(!structure.is_ready());
    structure.loaded();
    structure
}

/// A question in a sequence, with what a walk found for it.
struct Followed<'a> {
    place: usize,
    subject: usize,
    question: &'a Question,
    /// The answer sees this many changes.
    seen: usize,
    walked: Walked,
    /// The walk saw this many.
    walked_at: usize,
    /// Of a state that sees, beside the first `seen`, some of those that the walk saw.
    sees_some: Rc<Vec<Subjects>>,
}

impl Followed<'_> {
    fn holds(&self, solution: &[Subjects]) -> bool {
        solution[self.place] >> self.subject & 1 == 1
    }
}

/// Walks for answers that see some or all of the changes.
fn follow<'a>(
    structure: &Structure,
    world: &World,
    rng: &mut StdRng,
    sequence: &Sequence,
    questions: &'a [(usize, usize, Question)],
    followed: &mut Vec<Followed<'a>>,
) {
    for seen in 0..=sequence.changes.len() {
        let sees_some = Rc::new(world.solve(&sequence.random_state_after(world, rng, seen)));
        for &(place, subject, ref question) in questions {
            let walked = Walked::new(structure, question).unwrap();
            if sequence.changes[seen..].iter().any(|change| walked.depends_on(change)) {
                continue;
            }
            followed.push(Followed {
                place,
                subject,
                question,
                seen,
                walked,
                walked_at: sequence.changes.len(),
                sees_some: Rc::clone(&sees_some),
            });
        }
    }
}

/// Every answer is the same in every state from its own on, up to the first change that concerns it, whenever the walk was.
#[test]
fn an_answer_that_no_visited_change_concerns_stays_true() {
    let wanted = effort(1_000_000);
    let (mut tried, mut counts) = (0, Selectivity::default());
    for (world, mut rng) in random_worlds(2) {
        let rules = Arc::new(Rules::new(&Schema::read(&world.text).unwrap()));
        let mut questions = world.questions();
        questions.retain(|_| rng.random_ratio(1, 10));
        let mut sequence = Sequence::begin(&world, &mut rng);
        let structure = load(&world, &rules, &mut rng, &mut sequence);
        let mut followed = Vec::new();
        follow(&structure, &world, &mut rng, &sequence, &questions, &mut followed);
        while sequence.changes.len() < STEPS {
            sequence.change(&world, &mut rng);
            structure.apply(sequence.changes.last().unwrap());
            follow(&structure, &world, &mut rng, &sequence, &questions, &mut followed);
        }
        let between: Vec<_> = (0..=STEPS)
            .map(|seen| world.solve(&sequence.random_state_after(&world, &mut rng, seen)))
            .collect();
        for answer in &followed {
            let (seen, question) = (answer.seen, answer.question);
            let was = answer.holds(&sequence.solutions[seen]);
            let since = &sequence.changes[seen..];
            let concerned = since
                .iter()
                .position(|change| answer.walked.concerns(change, question, verdict(was)));
            let until = seen + concerned.unwrap_or(since.len());
            let same = &sequence.solutions[seen..=until];
            // Where no change concerns it, it is the same without some of them too.
            let without_some = concerned.is_none().then_some(&between[seen]);
            for solution in same.iter().chain(without_some) {
                tried += 1;
                let is = answer.holds(solution);
                assert!(
                    is == was,
                    "{question:?} was {was} after {seen} of {:?}\n{}",
                    sequence.changes,
                    world.text
                );
            }
            // It may see some of the later changes too, if the walk saw them.
            let was = answer.holds(&answer.sees_some);
            for until in answer.walked_at..=STEPS {
                let mut later = sequence.changes[seen..until].iter();
                if later.any(|change| answer.walked.concerns(change, question, verdict(was))) {
                    break;
                }
                assert_eq!(
                    answer.holds(&sequence.solutions[until]),
                    was,
                    "{question:?}\n{}",
                    world.text
                );
            }
            if seen < STEPS && answer.holds(&sequence.solutions[seen + 1]) == was {
                let reach = rules.reach(&question.resource.kind, &question.permission).unwrap();
                let concerned = concerned == Some(0);
                selectivity::count_with_structure(&mut counts, &reach, &since[0], question, was, concerned);
            }
        }
        if tried >= wanted {
            break;
        }
    }
    println!("random schemas, sequences, {tried} states: {counts}");
    assert!(
        counts.with_structure() < 0.8 * counts.with_sign(),
        "the structure is not selective"
    );
}

const SCHEMA: &str = "
    definition user {}
    definition team {
        relation direct: user | team#member
        relation lead: user
        permission member = direct + lead
    }
    definition repo {
        relation org: team
        relation writer: user | team#member
        relation reader: user
        permission push = writer + org->member - reader
    }";

fn structure(capacity: usize) -> Structure {
    Structure::new(Arc::new(Rules::new(&Schema::read(SCHEMA).unwrap())), capacity)
}

fn member(resource: (&str, &str), relation: &str, team: &str) -> Change {
    let subject = Subject::userset(Object::new("team", team), "member");
    Change::added(Object::new(resource.0, resource.1), relation, subject)
}

fn visited(structure: &Structure, limit: usize) -> Result<Vec<String>, TooFar> {
    let mut visited = Vec::new();
    structure.walk(("repo", "r"), "push", limit, |v| {
        visited.push(format!(
            "{}:{}#{} {:?} {:?}",
            v.kind, v.resource, v.relation, v.role, v.sign
        ));
    })?;
    visited.sort();
    Ok(visited)
}

#[test]
fn a_walk_visits_what_the_resource_leads_to() {
    let structure = structure(100);
    let wanted: Vec<_> = structure
        .wanted()
        .into_iter()
        .map(|w| format!("{}#{}", w.kind, w.relation))
        .collect();
    assert_eq!(wanted, ["repo#org", "repo#writer", "team#direct"]);
    structure.load(&member(("repo", "r"), "writer", "a"));
    structure.load(&member(("repo", "other"), "writer", "c"));
    structure.load(&member(("team", "a"), "direct", "b"));
    structure.load(&member(("team", "b"), "direct", "a"));
    assert_eq!(visited(&structure, 100), Err(TooFar));
    structure.loaded();
    let own = [
        "repo:r#org Through Plus",
        "repo:r#reader Direct Minus",
        "repo:r#writer Direct Plus",
    ];
    let of_teams = [
        "team:a#direct Direct Plus",
        "team:a#lead Direct Plus",
        "team:b#direct Direct Plus",
        "team:b#lead Direct Plus",
    ];
    assert_eq!(visited(&structure, 100).unwrap(), [&own[..], &of_teams[..]].concat());
    assert_eq!(visited(&structure, 5), Err(TooFar));
    structure.apply(&Change {
        effect: Effect::Removed,
        ..member(("repo", "r"), "writer", "a")
    });
    assert_eq!(visited(&structure, 5).unwrap(), own);
    let team = Subject::of(Object::new("team", "b"));
    structure.apply(&Change::added(Object::new("repo", "r"), "org", team));
    assert_eq!(visited(&structure, 100).unwrap(), [&own[..], &of_teams[..]].concat());
}

#[test]
fn what_was_removed_while_reading_stays_removed() {
    let structure = structure(100);
    let writer = member(("repo", "r"), "writer", "a");
    structure.apply(&Change {
        effect: Effect::Removed,
        ..writer.clone()
    });
    structure.load(&writer);
    assert_eq!(structure.len(), 0);
    structure.apply(&writer);
    structure.load(&writer);
    structure.loaded();
    assert_eq!(structure.len(), 1);
}

#[test]
fn a_structure_over_its_capacity_is_given_up() {
    let structure = structure(40);
    structure.loaded();
    for team in 0..40 {
        structure.apply(&member(("repo", "r"), "writer", &team.to_string()));
        // Plain subjects of a relation without an arrow are not kept.
        let user = Subject::of(Object::new("user", team.to_string()));
        structure.apply(&Change::added(Object::new("repo", "r"), "writer", user));
    }
    assert_eq!((structure.len(), structure.is_full()), (40, false));
    for team in 0..20 {
        structure.apply(&Change {
            effect: Effect::Removed,
            ..member(("repo", "r"), "writer", &team.to_string())
        });
    }
    assert_eq!((structure.len(), structure.is_full()), (20, false));
    for team in 0..50 {
        structure.apply(&member(("repo", "r"), "writer", &team.to_string()));
    }
    assert!(structure.is_full());
    assert_eq!(visited(&structure, 100), Err(TooFar));
}

/// Walks go on while relationships change, and always see one of the teams that have the repository.
#[test]
fn walks_go_on_while_relationships_change() {
    let structure = structure(10_000);
    structure.loaded();
    structure.apply(&member(("repo", "r"), "writer", "0"));
    let (walked, done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let visited = visited(&structure, 100).unwrap();
                    assert!(
                        visited.iter().any(|visited| visited.starts_with("team:")),
                        "{visited:?}"
                    );
                    walked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for team in 0..20_000 {
            structure.apply(&member(("repo", "r"), "writer", &(team + 1).to_string()));
            structure.apply(&Change {
                effect: Effect::Removed,
                ..member(("repo", "r"), "writer", &team.to_string())
            });
        }
        // Each thread has its turn.
        while walked.load(Ordering::Relaxed) < 100 {
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(structure.len(), 1);
}
