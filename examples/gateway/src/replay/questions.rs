//! Which question each rank of the popularity sequence stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use gateway::AnyError;
use gateway::checker::{Change, Question};

const SEQUENCE: &str = "orm-busy-1m.u32.zst";

/// A popularity sequence, and the question of each rank in it.
#[derive(Debug)]
pub(super) struct Questions {
    sequence: Vec<u32>,
    questions: Vec<Arc<Question>>,
}

impl Questions {
    /// Questions about what exists in the recorded transactions. The sequence is that of the folder, or the one that
    /// comes with this example.
    pub(super) fn new(schema: &str, recorded: &[Vec<Change>], folder: &Path) -> Result<Self, AnyError> {
        let own = folder.join(SEQUENCE);
        let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(SEQUENCE);
        let packed = std::fs::read(if own.exists() { own } else { default })?;
        let bytes = zstd::decode_all(&*packed)?;
        let numbers = bytes
            .chunks_exact(4)
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let sequence: Vec<u32> = numbers.collect();
        let ranks = sequence.iter().max().map_or(0, |max| max + 1);
        let made = Made::new(schema, recorded);
        let questions: Vec<_> = (0..ranks)
            .map(|rank| made.question(rank).map(Arc::new))
            .collect::<Option<_>>()
            .ok_or(
                "the transactions hold no relationship of an object that is no userset, so there is nothing to ask",
            )?;
        if questions.is_empty() {
            return Err("the popularity sequence is empty".into());
        }
        Ok(Self { sequence, questions })
    }

    pub(super) fn rank(&self, index: usize) -> u32 {
        self.sequence[index % self.sequence.len()]
    }

    pub(super) fn of(&self, rank: u32) -> &Arc<Question> {
        &self.questions[rank as usize]
    }
}

/// What is there to be asked about.
struct Made {
    /// Every tuple's resource and subject.
    pairs: Vec<(String, String)>,
    subjects: Vec<String>,
    /// The resources whose tuples name an object as their subject, directly or as a userset.
    about: BTreeMap<String, Vec<String>>,
    /// The relations and permissions of each type.
    names: BTreeMap<String, Vec<String>>,
}

impl Made {
    fn new(schema: &str, recorded: &[Vec<Change>]) -> Self {
        let mut about: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut pairs, mut subjects) = (Vec::new(), BTreeSet::new());
        for change in recorded.iter().flatten() {
            let (resource, subject) = (&change.tuple.resource, &change.tuple.subject);
            match subject.split_once('#') {
                Some((object, _)) => {
                    about.entry(object.to_owned()).or_default().insert(resource.clone());
                }
                None if subject.ends_with(":*") => {}
                None => {
                    pairs.push((resource.clone(), subject.clone()));
                    subjects.insert(subject.clone());
                }
            }
        }
        Self {
            pairs,
            subjects: subjects.into_iter().collect(),
            about: about
                .into_iter()
                .map(|(key, set)| (key, set.into_iter().collect()))
                .collect(),
            names: names(schema),
        }
    }

    /// Half of the questions are about a user that has, had or will have a relationship with the resource.
    fn question(&self, rank: u32) -> Option<Question> {
        let mut dice = Dice(rank.into());
        let (object, insider) = dice.pick(&self.pairs)?;
        let resource = match self.about.get(object) {
            Some(related) if dice.roll(2) == 0 => dice.pick(related)?,
            _ => object,
        };
        let subject = if dice.roll(2) == 0 {
            insider
        } else {
            dice.pick(&self.subjects)?
        };
        let names = self.names.get(resource.split(':').next()?)?;
        Some(Question {
            resource: resource.clone(),
            permission: dice.pick(names)?.clone(),
            subject: subject.clone(),
        })
    }
}

/// The names after `relation` and `permission`, by the definition they stand in.
fn names(schema: &str) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut definition = String::new();
    let lines = schema.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = lines
        .flat_map(|line| line.split([' ', '\t', ':', '=', '{', '}', ';']))
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    for pair in words.windows(2) {
        match pair[0] {
            "definition" => definition = pair[1].to_owned(),
            "relation" | "permission" => names.entry(definition.clone()).or_default().push(pair[1].to_owned()),
            _ => {}
        }
    }
    names
}

/// SplitMix64: the same rolls for the same rank, in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.roll(all.len()))
    }
}
