use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::changes::change::{Change, Effect, Subject};
use crate::changes::relevance::members::{Consults, Leaf, MemberId, Name, Relation, To};
use crate::changes::relevance::reach::{Role, Sign};
use crate::changes::relevance::rules::Rules;

/// So that a change seldom meets a reader.
const SHARDS: usize = 64;

/// The relationships that lead on: those of relations at which arrows start, and those whose subjects are usersets. A walk
/// from a resource visits every relation of every object that the answers to a question about it depend on.
///
/// One task loads them once, and applies every change since. Any number of tasks walk. For an answer, walk when the frontier
/// covers its revision, and read the stamps of what was visited afterwards:
/// - A stamp above the answer's position of something that leads on, added or removed: a userset, and at the start of an
///   arrow any subject. Then the answer may have come another way, and the walk says nothing about it.
/// - Otherwise the answer stays true until a change of what was visited, in a direction that its sign names. Walking again
///   is not needed: what leads on later without ending the answer can only confirm it.
#[derive(Debug)]
pub(crate) struct Structure {
    rules: Arc<Rules>,
    hasher: RandomState,
    shards: Box<[RwLock<Shard>]>,
    count: AtomicUsize,
    capacity: usize,
    stage: AtomicU8,
    /// While the relationships are read: those that were removed since, which must not come back.
    removed: Mutex<HashSet<(Start, Lead)>>,
}

type Shard = HashMap<Start, Leads>;

/// A relation of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Start {
    relation: MemberId,
    object: Arc<str>,
}

/// What it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lead {
    kind: Name,
    userset: Option<MemberId>,
    object: Arc<str>,
}

/// Most relations of most objects lead to few others.
#[derive(Debug)]
enum Leads {
    Few(Vec<Lead>),
    Many(HashSet<Lead>),
}

/// The most that is searched one by one.
const FEW: usize = 16;

/// Relationships to read at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The type of their resources.
    pub(crate) kind: Box<str>,
    /// Their relation.
    pub(crate) relation: Box<str>,
    /// Only those whose subjects are usersets of this type and relation.
    pub(crate) usersets: Option<(Box<str>, Box<str>)>,
}

/// A relation of an object that the answers to a question depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visited<'a> {
    pub(crate) kind: &'a str,
    pub(crate) relation: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) role: Role,
    pub(crate) sign: Sign,
}

/// The structure is not known, or the answer depends on more than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooFar;

const LOADING: u8 = 0;
const READY: u8 = 1;
const FULL: u8 = 2;

/// What the one task does that follows the feed.
impl Structure {
    /// It holds up to `capacity` relationships.
    pub(crate) fn new(rules: Arc<Rules>, capacity: usize) -> Self {
        Self {
            rules,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            count: AtomicUsize::new(0),
            capacity,
            stage: AtomicU8::new(LOADING),
            removed: Mutex::default(),
        }
    }

    /// What to read at the start.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let members = self.rules.members();
        let mut wanted = Vec::new();
        for (_, member) in members.all() {
            let Consults::Relation(relation) = &member.consults else {
                continue;
            };
            let those_of = |usersets| Wanted {
                kind: members.text(member.kind).into(),
                relation: members.text(member.name).into(),
                usersets,
            };
            if !relation.is_wanted() {
                continue;
            }
            if relation.has_arrow {
                wanted.push(those_of(None));
                continue;
            }
            for leads_to in &relation.leads_to {
                if let Some(userset) = leads_to.userset {
                    let userset = members.text(members.get(userset).name).into();
                    wanted.push(those_of(Some((members.text(leads_to.kind).into(), userset))));
                }
            }
        }
        wanted
    }

    /// A relationship that was read at the revision at which this structure began.
    pub(crate) fn load(&self, relationship: &Change) {
        let Some((start, lead)) = self.leading(relationship) else {
            return;
        };
        // Held, so that a removal comes before or after.
        let removed = self.removed();
        if !removed.contains(&(start.clone(), lead.clone())) {
            self.insert(start, lead);
        }
    }

    /// Everything that is wanted was loaded.
    pub(crate) fn loaded(&self) {
        *self.removed() = HashSet::new();
        let _ = self
            .stage
            .compare_exchange(LOADING, READY, Ordering::AcqRel, Ordering::Acquire);
    }

    /// A change after the revision at which this structure began. Its stamps come first.
    pub(crate) fn apply(&self, change: &Change) {
        if self.stage() == FULL {
            return;
        }
        let Some((start, lead)) = self.leading(change) else {
            return;
        };
        let mut removed = self.removed();
        let is_loading = self.is_loading();
        match change.effect {
            Effect::Added | Effect::Touched => {
                if is_loading {
                    removed.remove(&(start.clone(), lead.clone()));
                }
                self.insert(start, lead);
            }
            Effect::Removed => {
                self.remove(&start, &lead);
                if is_loading {
                    removed.insert((start, lead));
                    self.limit(removed.len());
                }
            }
        }
    }

    /// Where a relationship leads from and to, if it does.
    fn leading(&self, change: &Change) -> Option<(Start, Lead)> {
        let members = self.rules.members();
        let Change {
            resource,
            relation,
            subject,
            ..
        } = change;
        let member = members.find_named(&resource.kind, relation)?;
        let relation = members.relation_of(member)?;
        let Subject {
            object,
            relation: userset,
        } = subject;
        let kind = members.name(&object.kind)?;
        let userset = match userset {
            Some(userset) => Some(members.find(kind, members.name(userset)?)?),
            None => None,
        };
        let leads_on = relation.is_wanted() && (relation.has_arrow || userset.is_some());
        let start = Start {
            relation: member,
            object: (&*resource.id).into(),
        };
        let lead = Lead {
            kind,
            userset,
            object: (&*object.id).into(),
        };
        leads_on.then_some((start, lead))
    }

    fn insert(&self, start: Start, lead: Lead) {
        let is_new = {
            let mut shard = self.shard(&start).write().unwrap_or_else(PoisonError::into_inner);
            // The shard is cleared under this lock only, so a cleared one is not filled again.
            self.stage() != FULL && shard.entry(start).or_default().insert(lead)
        };
        if is_new {
            let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
            self.limit(count);
        }
    }

    fn remove(&self, start: &Start, lead: &Lead) {
        let mut shard = self.shard(start).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(leads) = shard.get_mut(start)
            && leads.remove(lead)
        {
            self.count.fetch_sub(1, Ordering::Relaxed);
            if leads.is_empty() {
                shard.remove(start);
            }
        }
    }

    /// Gives everything up if it is more than it may be.
    fn limit(&self, count: usize) {
        if count <= self.capacity {
            return;
        }
        self.stage.store(FULL, Ordering::Release);
        for shard in &self.shards {
            *shard.write().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    fn removed(&self) -> MutexGuard<'_, HashSet<(Start, Lead)>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What answers ask.
impl Structure {
    /// Whether walks can succeed.
    pub(crate) fn is_ready(&self) -> bool {
        self.stage() == READY
    }

    /// Whether not all of it was read yet.
    pub(crate) fn is_loading(&self) -> bool {
        self.stage() == LOADING
    }

    /// Whether there was too much to keep.
    pub(crate) fn is_full(&self) -> bool {
        self.stage() == FULL
    }

    /// How many relationships it has.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn stage(&self) -> u8 {
        self.stage.load(Ordering::Acquire)
    }

    /// Visits every relation of every object that the answers to a question about this resource depend on.
    ///
    /// # Errors
    ///
    /// [`TooFar`] if that is more than `limit` relations, permissions and relationships, or the structure is not known. The
    /// walk may have visited a part.
    pub(crate) fn walk(
        &self,
        (kind, id): (&str, &str),
        permission: &str,
        limit: usize,
        visit: impl FnMut(Visited<'_>),
    ) -> Result<(), TooFar> {
        let root = self.rules.members().find_named(kind, permission).ok_or(TooFar)?;
        let mut walk = Walk {
            structure: self,
            visit,
            seen: HashSet::new(),
            open: Vec::new(),
            left: limit,
        };
        walk.open(root, id.into(), true)?;
        walk.run()?;
        // Otherwise some of it may have been given up meanwhile.
        if self.is_ready() { Ok(()) } else { Err(TooFar) }
    }

    fn shard(&self, start: &Start) -> &RwLock<Shard> {
        &self.shards[self.hasher.hash_one(start) as usize % SHARDS]
    }
}

impl Relation {
    /// Whether its relationships can lead on. Answers that depend on what expires are not asked about.
    fn is_wanted(&self) -> bool {
        let has_usersets = self.leads_to.iter().any(|leads_to| leads_to.userset.is_some());
        !self.expires && (self.has_arrow || has_usersets)
    }
}

struct Walk<'a, F> {
    structure: &'a Structure,
    visit: F,
    seen: HashSet<(MemberId, Arc<str>, bool)>,
    open: Vec<(MemberId, Arc<str>, bool)>,
    left: usize,
}

impl<F: FnMut(Visited<'_>)> Walk<'_, F> {
    fn step(&mut self) -> Result<(), TooFar> {
        self.left = self.left.checked_sub(1).ok_or(TooFar)?;
        Ok(())
    }

    /// `plus`: behind an even number of exclusions.
    fn open(&mut self, member: MemberId, object: Arc<str>, plus: bool) -> Result<(), TooFar> {
        let consulted = (member, object, plus);
        if !self.seen.contains(&consulted) {
            self.step()?;
            self.seen.insert(consulted.clone());
            self.open.push(consulted);
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), TooFar> {
        let members = self.structure.rules.members();
        while let Some((member, object, plus)) = self.open.pop() {
            match &members.get(member).consults {
                Consults::Permission(leaves) => {
                    for leaf in leaves {
                        self.leaf(*leaf, &object, plus)?;
                    }
                }
                Consults::Relation(_) => {
                    for lead in self.leads(member, &object)? {
                        if let Some(userset) = lead.userset {
                            self.open(userset, lead.object, plus)?;
                        }
                    }
                    self.visit(member, &object, Role::Direct, Sign::of(plus));
                }
            }
        }
        Ok(())
    }

    fn leaf(&mut self, leaf: Leaf, object: &Arc<str>, plus: bool) -> Result<(), TooFar> {
        let plus = plus == leaf.plus;
        match leaf.to {
            To::Same(member) => self.open(member, Arc::clone(object), plus),
            To::Arrow { relation, target, all } => {
                self.step()?;
                for lead in self.leads(relation, object)? {
                    if let Some(member) = self.structure.rules.members().find(lead.kind, target) {
                        self.open(member, lead.object, plus)?;
                    }
                }
                self.visit(relation, object, Role::Through, Sign::of_arrow(plus, all));
                Ok(())
            }
        }
    }

    fn leads(&mut self, relation: MemberId, object: &Arc<str>) -> Result<Vec<Lead>, TooFar> {
        let structure = self.structure;
        if structure
            .rules
            .members()
            .relation_of(relation)
            .is_none_or(|r| r.expires)
        {
            return Err(TooFar);
        }
        let start = Start {
            relation,
            object: Arc::clone(object),
        };
        let shard = structure.shard(&start).read().unwrap_or_else(PoisonError::into_inner);
        let Some(leads) = shard.get(&start) else {
            return Ok(Vec::new());
        };
        self.left = self.left.checked_sub(leads.len()).ok_or(TooFar)?;
        Ok(leads.to_vec())
    }

    fn visit(&mut self, relation: MemberId, resource: &str, role: Role, sign: Sign) {
        let members = self.structure.rules.members();
        let member = members.get(relation);
        (self.visit)(Visited {
            kind: members.text(member.kind),
            relation: members.text(member.name),
            resource,
            role,
            sign,
        });
    }
}

impl Default for Leads {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Leads {
    fn len(&self) -> usize {
        match self {
            Self::Few(leads) => leads.len(),
            Self::Many(leads) => leads.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn to_vec(&self) -> Vec<Lead> {
        match self {
            Self::Few(leads) => leads.clone(),
            Self::Many(leads) => leads.iter().cloned().collect(),
        }
    }

    fn insert(&mut self, lead: Lead) -> bool {
        match self {
            Self::Few(leads) if leads.contains(&lead) => false,
            Self::Few(leads) if leads.len() < FEW => {
                leads.push(lead);
                true
            }
            Self::Few(leads) => {
                let mut many: HashSet<_> = leads.drain(..).collect();
                many.insert(lead);
                *self = Self::Many(many);
                true
            }
            Self::Many(leads) => leads.insert(lead),
        }
    }

    fn remove(&mut self, lead: &Lead) -> bool {
        match self {
            Self::Few(leads) => {
                let at = leads.iter().position(|other| other == lead);
                at.map(|at| leads.swap_remove(at)).is_some()
            }
            Self::Many(leads) => leads.remove(lead),
        }
    }
}
