//! A small world in which everything can be tried: few objects of each type, all relationships that a schema allows
//! between them, and all questions about them.

mod evaluate;
mod schema;
mod worlds;

pub(super) use schema::random_schema;
pub(super) use worlds::random_worlds;

use crate::changes::{Change, Object, Question, Subject};
use crate::schema::Schema;
use crate::schema::tree::{MemberKind, SubjectForm};

/// A set of subjects, one bit each.
pub(super) type Subjects = u128;

/// Whether each relationship of [`World::tuples`] exists.
pub(super) type State = Vec<bool>;

#[derive(Debug)]
pub(super) struct World {
    pub(super) text: String,
    schema: Schema,
    objects: Vec<Object>,
    /// Each relation and permission of each object.
    places: Vec<Place>,
    /// Every relationship that the schema allows.
    pub(super) tuples: Vec<Tuple>,
    /// Every subject: the objects, then the places.
    subjects: Vec<Subject>,
    /// Whether a wildcard includes the usersets of its type too, as in SpiceDB.
    pub(super) wildcards_include_usersets: bool,
    levels: Vec<usize>,
}

#[derive(Debug)]
struct Place {
    object: usize,
    name: Box<str>,
    /// The relationships of a relation, by their numbers.
    tuples: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tuple {
    place: usize,
    pub(super) subject: TupleSubject,
    pub(super) change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TupleSubject {
    Object(usize),
    Userset(usize),
    /// With an object of the type.
    Wildcard(usize),
}

impl World {
    /// `None` if a permission depends on its own absence, so that there is no answer.
    pub(super) fn new(text: &str, objects_of_each: usize) -> Option<Self> {
        let schema = Schema::read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut world = Self {
            text: text.to_owned(),
            objects: Vec::new(),
            places: Vec::new(),
            tuples: Vec::new(),
            subjects: Vec::new(),
            wildcards_include_usersets: true,
            levels: Vec::new(),
            schema: schema.clone(),
        };
        for (kind, definition) in schema.definitions() {
            for id in 0..objects_of_each {
                let object = world.objects.len();
                world.objects.push(Object::new(kind.clone(), format!("{kind}{id}")));
                for name in definition.members.keys() {
                    let (name, tuples) = (name.clone(), Vec::new());
                    world.places.push(Place { object, name, tuples });
                }
            }
        }
        let plain = world.objects.iter().cloned().map(Subject::of);
        let usersets = world.places.iter().map(|place| {
            let object = world.objects[place.object].clone();
            Subject::userset(object, place.name.clone())
        });
        world.subjects = plain.chain(usersets).collect();
        assert!(world.subjects.len() <= 128);
        for place in 0..world.places.len() {
            world.add_tuples(place);
        }
        world.levels = world.levels()?;
        Some(world)
    }

    fn add_tuples(&mut self, place: usize) {
        let Some(MemberKind::Relation(allowed)) = self.member(place) else {
            return;
        };
        let mut subjects = Vec::new();
        for subject in allowed {
            let mut of_type = (0..self.objects.len()).filter(|object| self.objects[*object].kind == subject.type_name);
            match &subject.form {
                SubjectForm::Object => subjects.extend(of_type.map(TupleSubject::Object)),
                SubjectForm::Wildcard => subjects.extend(of_type.next().map(TupleSubject::Wildcard)),
                SubjectForm::Userset(name) => {
                    let places = of_type.filter_map(|object| self.place(object, name));
                    subjects.extend(places.map(TupleSubject::Userset));
                }
            }
        }
        for subject in subjects {
            let named = match subject {
                TupleSubject::Object(object) => Subject::of(self.objects[object].clone()),
                TupleSubject::Wildcard(object) => Subject::of(Object::new(self.objects[object].kind.clone(), "*")),
                TupleSubject::Userset(place) => self.subjects[self.objects.len() + place].clone(),
            };
            let Place { object, name, tuples } = &mut self.places[place];
            let change = Change::added(self.objects[*object].clone(), name.clone(), named);
            let tuple = Tuple { place, subject, change };
            if !self.tuples.contains(&tuple) {
                tuples.push(self.tuples.len());
                self.tuples.push(tuple);
            }
        }
    }

    fn member(&self, place: usize) -> Option<&MemberKind> {
        let Place { object, name, .. } = &self.places[place];
        self.schema.member(&self.objects[*object].kind, name)
    }

    fn place(&self, object: usize, name: &str) -> Option<usize> {
        let mut places = self.places.iter();
        places.position(|place| place.object == object && *place.name == *name)
    }

    /// Every question, with the place and the subject that it asks about.
    pub(super) fn questions(&self) -> Vec<(usize, usize, Question)> {
        let mut questions = Vec::new();
        for (place, Place { object, name, .. }) in self.places.iter().enumerate() {
            for (subject, named) in self.subjects.iter().enumerate() {
                let question = Question::new(self.objects[*object].clone(), name.clone(), named.clone());
                questions.push((place, subject, question));
            }
        }
        questions
    }

    /// By its text, such as `doc:doc0#view@user:user1`.
    pub(super) fn question(&self, text: &str) -> (usize, usize, Question) {
        let (resource, subject) = text.split_once('@').unwrap();
        let (object, name) = resource.split_once('#').unwrap();
        let object = self.object(object);
        let place = self.place(object, name).unwrap();
        let subject = match subject.split_once('#') {
            None => self.object(subject),
            Some((object, name)) => self.objects.len() + self.place(self.object(object), name).unwrap(),
        };
        let named = self.subjects[subject].clone();
        (place, subject, Question::new(self.objects[object].clone(), name, named))
    }

    fn object(&self, text: &str) -> usize {
        let mut objects = self.objects.iter();
        objects
            .position(|object| format!("{}:{}", object.kind, object.id) == text)
            .unwrap()
    }

    /// By its text, such as `team:team0#member@user:user1`.
    pub(super) fn tuple(&self, text: &str) -> usize {
        let found = self.tuples.iter().position(|tuple| tuple.text() == text);
        found.unwrap_or_else(|| panic!("the schema does not allow {text}"))
    }
}

impl Tuple {
    pub(super) fn is_of(&self, change: &Change) -> bool {
        (&self.change.resource, &self.change.relation, &self.change.subject)
            == (&change.resource, &change.relation, &change.subject)
    }

    pub(super) fn text(&self) -> String {
        let Change {
            resource,
            relation,
            subject,
            ..
        } = &self.change;
        let userset = subject.relation.as_ref().map(|relation| format!("#{relation}"));
        format!(
            "{}:{}#{relation}@{}:{}{}",
            resource.kind,
            resource.id,
            subject.object.kind,
            subject.object.id,
            userset.unwrap_or_default()
        )
    }
}
