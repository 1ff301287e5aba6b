use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::changes::change::{Change, Effect, Subject};
use crate::changes::concern::{Asked, Concern};
use crate::changes::names::{Stamped, Word};
use crate::changes::place::{Place, Places};
use crate::changes::question::{Question, Verdict};
use crate::changes::relevance::{Entry, Role, Rules, Sign, Structure};
use crate::changes::stamps::{Slot, Stamps};
use crate::changes::timeline::Timeline;
use crate::revision::Revision;

/// How much of a feed is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Bytes of stamps.
    pub(crate) stamps: u64,
    /// Relationships that lead on; 0 for none.
    pub(crate) structure: usize,
}

/// A time during which a feed is followed without a gap.
#[derive(Debug)]
pub(crate) struct Era {
    is_over: AtomicBool,
    /// The store's history that the feed tells of: see `Knowledge::history`.
    history: u64,
    /// The feed tells everything, so that what no change concerns stays true.
    pub(super) is_complete: bool,
    /// The number of the newest change.
    latest: AtomicU64,
    /// The number of the newest change that concerns every question.
    concerns_all: AtomicU64,
    /// The number of the newest change of the schema.
    schema: AtomicU64,
    pub(super) stamps: Stamps,
    known: RwLock<Known>,
    places: Places,
    keeps_structure: bool,
}

/// How many relations, permissions and relationships one walk visits.
const MOST_VISITED: usize = 1024;

#[derive(Debug)]
struct Known {
    timeline: Timeline,
    schema: InForce,
    /// The relationships that lead on, in the schema that is in force.
    structure: Option<Arc<Structure>>,
}

/// What is known of the schema that is in force at the frontier.
#[derive(Clone, Debug)]
pub(super) enum InForce {
    /// It was not read yet since it changed last.
    Unread,
    /// The store has none that could be read.
    None,
    /// It can't be read.
    Unreadable,
    Rules(Arc<Rules>),
}

impl Era {
    pub(super) fn new(start: Revision, history: u64, is_complete: bool, memory: Memory) -> Self {
        Self {
            is_over: AtomicBool::new(false),
            history,
            is_complete,
            latest: AtomicU64::new(0),
            concerns_all: AtomicU64::new(0),
            schema: AtomicU64::new(0),
            stamps: Stamps::new(memory.stamps),
            known: RwLock::new(Known {
                timeline: Timeline::new(start),
                schema: InForce::Unread,
                structure: None,
            }),
            places: Places::default(),
            keeps_structure: memory.structure > 0,
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it tells of this history of the store, and has not ended.
    pub(crate) fn is_of(&self, history: u64) -> bool {
        self.history == history && !self.is_over.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(super) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    pub(super) fn concerns_all(&self) -> u64 {
        self.concerns_all.load(Ordering::Acquire)
    }

    pub(super) fn schema(&self) -> u64 {
        self.schema.load(Ordering::Acquire)
    }

    /// Every change that a reader there sees has its number and its stamps. Read it before the stamps.
    pub(crate) fn frontier(&self) -> Revision {
        self.known().timeline.frontier().clone()
    }

    /// Whether answers can be known to stay true.
    pub(super) fn is_ready(&self) -> bool {
        self.is_complete && matches!(self.in_force(), InForce::None | InForce::Rules(_))
    }

    fn structure(&self) -> Option<Arc<Structure>> {
        self.known().structure.clone()
    }

    /// How many relationships that lead on are kept, if all of them are.
    pub(crate) fn kept_structure(&self) -> Option<u64> {
        let structure = self.structure()?;
        structure.is_ready().then(|| structure.len() as u64)
    }

    pub(super) fn in_force(&self) -> InForce {
        self.known().schema.clone()
    }
}

/// What the one task does that follows the feed.
impl Era {
    fn is_known(&self, at: &Revision) -> bool {
        self.known().timeline.frontier() >= at
    }

    /// `false`: the frontier sees them already.
    pub(super) fn changed(&self, at: &Revision, changes: &[Change]) -> bool {
        if self.is_known(at) {
            return false;
        }
        let number = self.latest() + 1;
        let rules = match self.in_force() {
            InForce::Rules(rules) => Some(rules),
            _ => None,
        };
        for change in changes {
            self.stamp(change, rules.as_deref(), number);
        }
        // After the stamps: who walks the structure reads the stamps afterwards.
        if let Some(structure) = self.structure() {
            changes.iter().for_each(|change| structure.apply(change));
        }
        self.number(at, number);
        true
    }

    /// Something changed that concerns every question.
    pub(super) fn anything_changed(&self, at: &Revision) -> bool {
        if self.is_known(at) {
            return false;
        }
        let number = self.latest() + 1;
        // It may have been a relationship that leads on.
        self.known_mut().structure = None;
        self.concerns_all.store(number, Ordering::Release);
        self.number(at, number);
        true
    }

    pub(super) fn schema_changed(&self, at: &Revision) -> bool {
        if self.is_known(at) {
            return false;
        }
        let number = self.latest() + 1;
        let mut known = self.known_mut();
        known.schema = InForce::Unread;
        known.structure = None;
        drop(known);
        self.schema.store(number, Ordering::Release);
        self.concerns_all.store(number, Ordering::Release);
        self.number(at, number);
        true
    }

    /// The stamps come before the number, and both before the checkpoint that covers them.
    fn number(&self, at: &Revision, number: u64) {
        self.known_mut().timeline.push(at.clone());
        self.latest.store(number, Ordering::Release);
    }

    pub(super) fn checkpoint(&self, at: &Revision) {
        self.known_mut().timeline.checkpoint(at);
    }

    /// The store answered with this schema at `at`. `true`: it is in force at the frontier. `None`: that is not known yet.
    /// `false`: it has changed since.
    pub(super) fn adopt(&self, schema: &InForce, at: &Revision) -> Option<bool> {
        let mut known = self.known_mut();
        if !known.timeline.frontier().is_at_or_after(at) {
            return None;
        }
        let Some(position) = known.timeline.first_position(at) else {
            return Some(false);
        };
        let place = Place::new(at.clone(), position);
        while known.timeline.advance(&place) {}
        if self.schema() > place.position() {
            return Some(false);
        }
        known.schema = schema.clone();
        Some(true)
    }

    /// The store has no schema that could be read.
    pub(super) fn has_no_schema(&self) {
        self.known_mut().schema = InForce::None;
    }

    /// Begins to keep the relationships that lead on, where the schema is known and the frontier sees every change that was
    /// reported: they are to be read there. To be called by the one reader, while it reads none.
    pub(super) fn begin_structure(&self, limit: usize) -> Option<(Arc<Structure>, Revision)> {
        // One that is not read to its end was left by a reader whose feed broke off.
        if self.structure().is_some_and(|structure| !structure.is_loading()) {
            return None;
        }
        let mut known = self.known_mut();
        let InForce::Rules(rules) = &known.schema else {
            return None;
        };
        if !known.timeline.is_complete() {
            return None;
        }
        let structure = Arc::new(Structure::new(Arc::clone(rules), limit));
        known.structure = Some(Arc::clone(&structure));
        Some((structure, known.timeline.frontier().clone()))
    }

    pub(super) fn drop_structure(&self, structure: &Arc<Structure>) {
        let mut known = self.known_mut();
        known.structure.take_if(|known| Arc::ptr_eq(known, structure));
    }

    fn stamp(&self, change: &Change, rules: Option<&Rules>, number: u64) {
        let Change {
            effect,
            resource,
            relation,
            subject,
        } = change;
        let both = || rules.is_none_or(|rules| rules.is_conditional(&resource.kind, relation));
        let directions: &[bool] = match effect {
            Effect::Added => &[true],
            Effect::Removed => &[false],
            Effect::Touched if both() => &[true, false],
            Effect::Touched => &[true],
        };
        for &adds in directions {
            for resource_id in [None, Some(&*resource.id)] {
                for subject in [Word::Any, word(subject)] {
                    let stamped = Stamped {
                        adds,
                        kind: &resource.kind,
                        relation,
                        resource: resource_id,
                        subject,
                    };
                    self.stamps.stamp(&stamped, number);
                }
            }
        }
    }
}

fn word(subject: &Subject) -> Word<'_> {
    match subject.relation {
        Some(_) => Word::Userset,
        None => Word::Object {
            kind: &subject.object.kind,
            id: &subject.object.id,
        },
    }
}

/// What answers ask.
impl Era {
    /// Where a revision stands. `None` if it lacks what came before the feed.
    pub(super) fn place(&self, revision: &Revision) -> Option<Arc<Place>> {
        let first = self.known().timeline.first_position(revision)?;
        Some(self.places.of(revision, || first))
    }

    /// The number up to which the revision of `place` sees every change.
    pub(super) fn position(&self, place: &Place, latest: u64) -> u64 {
        let position = place.position();
        if position >= latest || place.is_settled() {
            return position;
        }
        self.known().timeline.advance(place);
        place.position()
    }

    /// Which changes concern a question, and whether its answers can be known to stay true.
    pub(super) fn concern(&self, question: Option<&Question>, verdict: Verdict) -> (Concern, bool) {
        // In this order: a change in between makes the number too low, so that the answer is not extended.
        let schema = self.schema();
        match (self.in_force(), question) {
            (InForce::Unread, _) => (Concern::Unknown, false),
            (InForce::None, _) => (Concern::Every, true),
            // What is not understood may change with the clock.
            (InForce::Unreadable, _) | (InForce::Rules(_), None) => (Concern::Every, false),
            (InForce::Rules(rules), Some(question)) => {
                match rules.reach(&question.resource.kind, &question.permission) {
                    None => (Concern::Every, false),
                    Some(reach) => {
                        let mut slots = Vec::new();
                        for entry in &reach.entries {
                            self.add_slots(entry, question, verdict, &mut slots);
                        }
                        slots.sort_unstable();
                        slots.dedup();
                        let asked = Asked::new(question.clone(), verdict);
                        let concern = Concern::These {
                            slots: slots.into(),
                            schema,
                            asked: self.keeps_structure.then(|| Box::new(asked)),
                        };
                        (concern, !reach.expires)
                    }
                }
            }
        }
    }

    /// Whether the frontier sees everything that a reader there sees.
    pub(super) fn covers(&self, revision: &Revision) -> bool {
        self.known().timeline.frontier() >= revision
    }

    pub(super) fn is_structure_ready(&self) -> bool {
        self.structure().is_some_and(|structure| structure.is_ready())
    }

    /// Which changes after `position` concern a question, by the relationships that lead on now. `None` if that is too much,
    /// or if others may have led on at `position`.
    pub(super) fn walk(&self, Asked { question, verdict, .. }: &Asked, position: u64) -> Option<Box<[Slot]>> {
        let structure = self.structure()?;
        let Question { resource, subject, .. } = question;
        let (mut slots, mut leading) = (Vec::new(), Vec::new());
        let resource = (&*resource.kind, &*resource.id);
        let walked = structure.walk(resource, &question.permission, MOST_VISITED, |visited| {
            let slot = |adds: bool, subject| {
                self.stamps.slot(&Stamped {
                    adds,
                    kind: visited.kind,
                    relation: visited.relation,
                    resource: Some(visited.resource),
                    subject,
                })
            };
            let leads_on = if visited.role == Role::Through {
                Word::Any
            } else {
                Word::Userset
            };
            leading.extend([true, false].map(|adds| slot(adds, leads_on)));
            for &adds in directions(visited.sign, *verdict) {
                slots.push(slot(adds, leads_on));
                if visited.role == Role::Direct {
                    slots.extend(final_words(subject).into_iter().flatten().map(|word| slot(adds, word)));
                }
            }
        });
        // The stamps are read after the walk: a change that it saw early, or missed, has them by then.
        walked.ok()?;
        if leading.iter().any(|slot| self.stamps.at(*slot) > position) {
            return None;
        }
        slots.sort_unstable();
        slots.dedup();
        Some(slots.into())
    }

    fn add_slots(&self, entry: &Entry, question: &Question, verdict: Verdict, slots: &mut Vec<Slot>) {
        let leads_on = if entry.role == Role::Through {
            Word::Any
        } else {
            Word::Userset
        };
        let finals = match entry.role {
            Role::Through => [None, None],
            Role::Direct => final_words(&question.subject),
        };
        for &adds in directions(entry.sign, verdict) {
            for subject in finals.into_iter().flatten().chain([leads_on]) {
                slots.push(self.stamps.slot(&Stamped {
                    adds,
                    kind: &entry.kind,
                    relation: &entry.relation,
                    resource: entry.own.then_some(&question.resource.id),
                    subject,
                }));
            }
        }
    }
}

/// The words that mean a subject itself: the object, and all objects of its type. A userset is among those that lead on.
fn final_words(subject: &Subject) -> [Option<Word<'_>>; 2] {
    let kind = &*subject.object.kind;
    let itself = subject.relation.is_none().then_some(Word::Object {
        kind,
        id: &subject.object.id,
    });
    [itself, Some(Word::Object { kind, id: "*" })]
}

/// What can change a verdict: adding relationships of this sign, or removing them.
fn directions(sign: Sign, verdict: Verdict) -> &'static [bool] {
    match (sign, verdict) {
        (Sign::Plus, Verdict::No) | (Sign::Minus, Verdict::Yes) => &[true],
        (Sign::Plus, Verdict::Yes) | (Sign::Minus, Verdict::No) => &[false],
        (Sign::Both, _) | (_, Verdict::Unclear) => &[true, false],
    }
}
