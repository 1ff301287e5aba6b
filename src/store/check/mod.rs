//! Evaluates a check as the least solution of a system of boolean equations.
//!
//! Every `(object, relation or permission)` that a check visits is a node. A node holds as soon as a node that it is
//! computed from holds, and edges pass this on to the nodes that depend on it. Cycles and diamonds need no special
//! handling: each node is expanded once, and a node that nothing proves does not hold. There is no recursion.
//!
//! An exclusion whose left side holds waits until no other task is left. Its right side can then no longer hold, if it
//! does not hold already and does not depend on another waiting exclusion.

mod exclusion;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::store::clock::At;
use crate::store::objects::SubjectKey;
use crate::store::rules::{Allowed, Form, Op, Permission, Rule, Rules, Symbol};
use crate::store::state::State;

type NodeId = u32;
const NO_EDGE: u32 = u32::MAX;

/// Numbers for a check's resource and subject if no retained relationship names them.
pub(super) const UNKNOWN_RESOURCE: u32 = u32::MAX;
pub(super) const UNKNOWN_SUBJECT: u32 = u32::MAX - 1;

/// Why a check has no solution.
#[derive(Debug)]
pub(super) enum Unsolved {
    ExclusionCycle,
    TooManySteps,
}

/// A check with names as numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) resource: u32,
    pub(super) resource_type: Symbol,
    pub(super) permission: Symbol,
    pub(super) subject: SubjectKey,
    /// The wildcard that includes the subject, if a retained relationship names it.
    pub(super) wildcard: Option<SubjectKey>,
}

struct Node<'a> {
    holds: bool,
    /// It can no longer hold. Only exclusions compute this.
    failed: bool,
    /// The first edge to the nodes that depend on it, and the first edge from the nodes that it depends on.
    first_up: u32,
    first_down: u32,
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    /// Holds if any node that it depends on holds.
    Any,
    /// Holds if all operands hold; they are evaluated one after the other.
    All { place: Place<'a>, asked: usize },
    /// Holds if the left operand holds and the right one does not.
    Except { place: Place<'a>, phase: Phase },
}

#[derive(Clone, Copy)]
enum Phase {
    Left,
    Right(NodeId),
    Excluded,
}

/// A term of a permission of an object.
#[derive(Clone, Copy)]
struct Place<'a> {
    object: u32,
    permission: &'a Permission,
    term: u32,
}

struct Edge {
    from: NodeId,
    to: NodeId,
    next_up: u32,
    next_down: u32,
}

#[derive(Clone, Copy)]
enum Task<'a> {
    Expand {
        node: NodeId,
        object: u32,
        name: Symbol,
        rule: &'a Rule,
    },
    Term {
        parent: NodeId,
        place: Place<'a>,
    },
}

/// Which subjects of a relation count: those that the schema in force allows. `None` where all are allowed.
#[derive(Clone, Copy)]
struct Counted<'a> {
    state: &'a State,
    allowed: Option<&'a [Allowed]>,
}

impl Counted<'_> {
    fn counts(&self, subject: SubjectKey) -> bool {
        let Some(allowed) = self.allowed else { return true };
        let form = match subject.relation {
            Symbol::NONE if self.state.objects.is_wildcard(subject.object) => Form::Wildcard,
            Symbol::NONE => Form::Object,
            relation => Form::Userset(relation),
        };
        let subject_type = self.state.objects.object_type(subject.object);
        let this = subject_type.map(|subject_type| Allowed { subject_type, form });
        this.is_some_and(|this| allowed.contains(&this))
    }
}

pub(super) struct Evaluation<'a> {
    state: &'a State,
    rules: &'a Rules,
    at: At<'a>,
    question: Question,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge>,
    named: HashMap<(u32, Symbol), NodeId>,
    tasks: Vec<Task<'a>>,
    waiting: Vec<NodeId>,
    steps_left: u64,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(state: &'a State, rules: &'a Rules, at: At<'a>, question: Question, max_steps: u64) -> Self {
        Self {
            state,
            rules,
            at,
            question,
            nodes: Vec::new(),
            edges: Vec::new(),
            named: HashMap::new(),
            tasks: Vec::new(),
            waiting: Vec::new(),
            steps_left: max_steps,
        }
    }

    pub(super) fn solve(mut self) -> Result<bool, Unsolved> {
        let Some(root) = self.named_node(self.question.resource, self.question.permission) else {
            return Ok(false);
        };
        loop {
            if self.holds(root) {
                return Ok(true);
            }
            if let Some(task) = self.tasks.pop() {
                self.step()?;
                self.run(task)?;
            } else if !self.settle_exclusions(root)? {
                return Ok(false);
            }
        }
    }

    fn step(&mut self) -> Result<(), Unsolved> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Unsolved::TooManySteps)?;
        Ok(())
    }

    fn holds(&self, node: NodeId) -> bool {
        self.nodes[node as usize].holds
    }

    fn add(&mut self, kind: Kind<'a>, dependent: Option<NodeId>) -> NodeId {
        let node = self.nodes.len() as NodeId;
        self.nodes.push(Node {
            holds: false,
            failed: false,
            first_up: NO_EDGE,
            first_down: NO_EDGE,
            kind,
        });
        if let Some(dependent) = dependent {
            self.add_edge(node, dependent);
        }
        node
    }

    fn add_edge(&mut self, from: NodeId, to: NodeId) {
        let edge = self.edges.len() as u32;
        let next_up = std::mem::replace(&mut self.nodes[from as usize].first_up, edge);
        let next_down = std::mem::replace(&mut self.nodes[to as usize].first_down, edge);
        self.edges.push(Edge {
            from,
            to,
            next_up,
            next_down,
        });
    }

    /// The node of a relation or permission, if the object's type has one with this name.
    fn named_node(&mut self, object: u32, name: Symbol) -> Option<NodeId> {
        let object_type = match self.state.objects.object_type(object) {
            Some(object_type) => object_type,
            None => self.question.resource_type,
        };
        let rule = self.rules.rule(object_type, name)?;
        let node = self.nodes.len() as NodeId;
        match self.named.entry((object, name)) {
            Entry::Occupied(entry) => return Some(*entry.get()),
            Entry::Vacant(entry) => entry.insert(node),
        };
        self.add(Kind::Any, None);
        let subject = self.question.subject;
        if (subject.object, subject.relation) == (object, name) {
            // A userset includes itself.
            self.nodes[node as usize].holds = true;
        } else {
            self.tasks.push(Task::Expand {
                node,
                object,
                name,
                rule,
            });
        }
        Some(node)
    }

    fn depend(&mut self, parent: NodeId, on: NodeId) {
        if self.holds(on) {
            self.prove(parent);
        } else {
            self.add_edge(on, parent);
        }
    }

    fn run(&mut self, task: Task<'a>) -> Result<(), Unsolved> {
        match task {
            Task::Expand { node, .. } if self.holds(node) => Ok(()),
            Task::Expand {
                node,
                object,
                name,
                rule,
            } => match rule {
                Rule::Relation(_) => self.expand_relation(node, object, name),
                Rule::Permission(permission) => {
                    let term = permission.root;
                    let place = Place {
                        object,
                        permission,
                        term,
                    };
                    self.expand_term(node, place)
                }
            },
            Task::Term { parent, .. } if self.holds(parent) => Ok(()),
            Task::Term { parent, place } => self.expand_term(parent, place),
        }
    }

    fn counted(&self, object: u32, relation: Symbol) -> Counted<'a> {
        let state = self.state;
        let allowed = || match self.rules.rule(state.objects.object_type(object)?, relation)? {
            Rule::Relation(allowed) => Some(allowed.as_slice()),
            Rule::Permission(_) => None,
        };
        Counted {
            state,
            allowed: state.may_hold_foreign().then(|| allowed().unwrap_or_default()),
        }
    }

    fn expand_relation(&mut self, node: NodeId, object: u32, relation: Symbol) -> Result<(), Unsolved> {
        let (state, at, question) = (self.state, self.at, self.question);
        let Some(subjects) = state.objects.subjects(object, relation) else {
            return Ok(());
        };
        let counted = self.counted(object, relation);
        let exists = |key: SubjectKey| {
            subjects
                .get(&key)
                .is_some_and(|history| history.exists_at(at) && counted.counts(key))
        };
        if exists(question.subject) || question.wildcard.is_some_and(exists) {
            self.prove(node);
            return Ok(());
        }
        let plain = SubjectKey {
            relation: Symbol::NONE,
            object: u32::MAX,
        };
        for (key, history) in subjects.range(plain..) {
            self.step()?;
            if history.exists_at(at)
                && counted.counts(*key)
                && let Some(userset) = self.named_node(key.object, key.relation)
            {
                self.depend(node, userset);
            }
        }
        Ok(())
    }

    fn expand_term(&mut self, parent: NodeId, place: Place<'a>) -> Result<(), Unsolved> {
        match &place.permission.terms[place.term as usize] {
            Op::Nil => {}
            Op::Reference(name) => {
                if let Some(node) = self.named_node(place.object, *name) {
                    self.depend(parent, node);
                }
            }
            Op::Arrow { relation, target } => {
                let (state, at) = (self.state, self.at);
                let counted = self.counted(place.object, *relation);
                let subjects = state.objects.subjects(place.object, *relation);
                for (key, history) in subjects.into_iter().flatten() {
                    self.step()?;
                    if history.exists_at(at)
                        && counted.counts(*key)
                        && let Some(node) = self.named_node(key.object, *target)
                    {
                        self.depend(parent, node);
                    }
                }
            }
            Op::Union(operands) => {
                // Last in, first out: the leftmost operand is evaluated first.
                for &term in operands.iter().rev() {
                    let place = Place { term, ..place };
                    self.tasks.push(Task::Term { parent, place });
                }
            }
            Op::Intersection(_) => {
                let node = self.add(Kind::All { place, asked: 0 }, Some(parent));
                self.advance(node);
            }
            Op::Exclusion(left, _) => {
                let phase = Phase::Left;
                let node = self.add(Kind::Except { place, phase }, Some(parent));
                self.ask(Place { term: *left, ..place }, node);
            }
        }
        Ok(())
    }

    /// Evaluates one operand of `dependent`, which is notified once if the operand holds.
    fn ask(&mut self, place: Place<'a>, dependent: NodeId) -> NodeId {
        let parent = self.add(Kind::Any, Some(dependent));
        self.tasks.push(Task::Term { parent, place });
        parent
    }

    /// Notifies `node` that a node it depends on holds. Returns whether `node` now holds.
    fn advance(&mut self, node: NodeId) -> bool {
        match self.nodes[node as usize].kind {
            Kind::Any => true,
            Kind::All { place, asked } => {
                let Op::Intersection(operands) = &place.permission.terms[place.term as usize] else {
                    return true;
                };
                let Some(&term) = operands.get(asked) else {
                    return true;
                };
                let asked = asked + 1;
                self.nodes[node as usize].kind = Kind::All { place, asked };
                self.ask(Place { term, ..place }, node);
                false
            }
            Kind::Except { place, phase } => {
                let phase = match (phase, &place.permission.terms[place.term as usize]) {
                    (Phase::Left, Op::Exclusion(_, right)) => {
                        self.waiting.push(node);
                        Phase::Right(self.ask(Place { term: *right, ..place }, node))
                    }
                    _ => Phase::Excluded,
                };
                self.nodes[node as usize].kind = Kind::Except { place, phase };
                false
            }
        }
    }

    /// Marks `node` as holding, and every node that holds because of it.
    fn prove(&mut self, node: NodeId) {
        let mut proven = vec![node];
        while let Some(node) = proven.pop() {
            let Node { holds, first_up, .. } = &mut self.nodes[node as usize];
            if std::mem::replace(holds, true) {
                continue;
            }
            let mut edge = *first_up;
            while edge != NO_EDGE {
                let Edge { to, next_up, .. } = self.edges[edge as usize];
                if !self.holds(to) && self.advance(to) {
                    proven.push(to);
                }
                edge = next_up;
            }
        }
    }
}
