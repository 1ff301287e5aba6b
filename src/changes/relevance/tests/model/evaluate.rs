use std::collections::BTreeMap;

use crate::changes::relevance::tests::model::{Place, State, Subjects, TupleSubject, World};
use crate::schema::tree::{Expression, MemberKind, SubjectForm, TermKind};

/// A relation or permission of a type, one that it needs, and how many exclusions lie between.
type Need<'a> = ((&'a str, &'a str), (&'a str, &'a str), usize);

impl World {
    /// Who has each relation and permission: the least solution. By the number of the place, then the subject's.
    pub(in crate::changes::relevance::tests) fn solve(&self, state: &State) -> Vec<Subjects> {
        // A userset includes itself.
        let mut solution: Vec<Subjects> = (0..self.places.len())
            .map(|place| 1 << (self.objects.len() + place))
            .collect();
        let deepest = self.levels.iter().max().copied().unwrap_or(0);
        for level in 0..=deepest {
            loop {
                let mut changed = false;
                for place in (0..self.places.len()).filter(|place| self.levels[*place] == level) {
                    let value = solution[place] | self.value(place, state, &solution);
                    changed |= value != solution[place];
                    solution[place] = value;
                }
                if !changed {
                    break;
                }
            }
        }
        solution
    }

    fn value(&self, place: usize, state: &State, solution: &[Subjects]) -> Subjects {
        match self.member(place) {
            None => 0,
            Some(MemberKind::Relation(_)) => {
                let subjects = self.existing(place, state).map(|subject| match subject {
                    TupleSubject::Object(object) => 1 << object,
                    TupleSubject::Userset(userset) => solution[userset],
                    TupleSubject::Wildcard(object) => self.wildcard(object),
                });
                subjects.fold(0, |all, some| all | some)
            }
            Some(MemberKind::Permission(expression)) => self.term(place, expression, expression.root, state, solution),
        }
    }

    fn existing(&self, relation: usize, state: &State) -> impl Iterator<Item = TupleSubject> {
        let tuples = self.places[relation].tuples.iter().filter(|tuple| state[**tuple]);
        tuples.map(|tuple| self.tuples[*tuple].subject)
    }

    fn wildcard(&self, object: usize) -> Subjects {
        let included = self.subjects.iter().enumerate().filter(|(_, subject)| {
            subject.object.kind == self.objects[object].kind
                && (subject.relation.is_none() || self.wildcards_include_usersets)
        });
        included.fold(0, |all, (subject, _)| all | 1 << subject)
    }

    fn term(&self, place: usize, all: &Expression, term: u32, state: &State, solution: &[Subjects]) -> Subjects {
        let object = self.places[place].object;
        let value = |term: &u32| self.term(place, all, *term, state, solution);
        match &all.terms[term as usize].kind {
            TermKind::Nil => 0,
            TermKind::Oneself => 1 << object,
            TermKind::Reference(name) => self.place(object, name).map_or(0, |place| solution[place]),
            TermKind::Arrow { relation, target, all } => {
                let Some(relation) = self.place(object, relation) else {
                    return 0;
                };
                let led_to = self.existing(relation, state).map(|subject| {
                    let object = match subject {
                        TupleSubject::Object(object) | TupleSubject::Wildcard(object) => object,
                        TupleSubject::Userset(place) => self.places[place].object,
                    };
                    self.place(object, target).map_or(0, |place| solution[place])
                });
                if *all {
                    led_to.reduce(|all, some| all & some).unwrap_or(0)
                } else {
                    led_to.fold(0, |all, some| all | some)
                }
            }
            TermKind::Union(terms) => terms.iter().map(value).fold(0, |all, some| all | some),
            TermKind::Intersection(terms) => terms.iter().map(value).fold(!0, |all, some| all & some),
            TermKind::Exclusion(left, right) => value(left) & !value(right),
        }
    }

    /// How many exclusions are below each place. `None` if that has no end.
    pub(super) fn levels(&self) -> Option<Vec<usize>> {
        let mut needs = Vec::new();
        for (kind, definition) in self.schema.definitions() {
            for (name, member) in &definition.members {
                let of = (&**kind, &**name);
                match &member.kind {
                    MemberKind::Relation(allowed) => {
                        for subject in allowed {
                            if let SubjectForm::Userset(name) = &subject.form {
                                needs.push((of, (&*subject.type_name, &**name), 0));
                            }
                        }
                    }
                    MemberKind::Permission(expression) => self.needs(of, expression, expression.root, 0, &mut needs),
                }
            }
        }
        let mut levels: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let members = self
            .schema
            .definitions()
            .values()
            .map(|definition| definition.members.len());
        let most: usize = members.sum();
        loop {
            let mut changed = false;
            for (of, on, exclusions) in &needs {
                let level = levels.get(on).copied().unwrap_or(0) + exclusions;
                let known = levels.entry(*of).or_insert(0);
                if level > *known {
                    if level > most {
                        return None;
                    }
                    *known = level;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        let level = |place: &Place| {
            let place = (&*self.objects[place.object].kind, &*place.name);
            levels.get(&place).copied().unwrap_or(0)
        };
        Some(self.places.iter().map(level).collect())
    }

    fn needs<'a>(
        &'a self,
        of: (&'a str, &'a str),
        expression: &'a Expression,
        term: u32,
        exclusions: usize,
        needs: &mut Vec<Need<'a>>,
    ) {
        let mut below = |term: &u32, exclusions| self.needs(of, expression, *term, exclusions, needs);
        match &expression.terms[term as usize].kind {
            TermKind::Nil | TermKind::Oneself => {}
            TermKind::Reference(name) => needs.push((of, (of.0, name), exclusions)),
            TermKind::Arrow { relation, target, .. } => {
                let Some(MemberKind::Relation(allowed)) = self.schema.member(of.0, relation) else {
                    return;
                };
                for subject in allowed {
                    if self.schema.member(&subject.type_name, target).is_some() {
                        needs.push((of, (&subject.type_name, target), exclusions));
                    }
                }
            }
            TermKind::Union(terms) | TermKind::Intersection(terms) => {
                terms.iter().for_each(|term| below(term, exclusions));
            }
            TermKind::Exclusion(left, right) => {
                below(left, exclusions);
                below(right, 1);
            }
        }
    }
}
