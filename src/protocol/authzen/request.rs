use bytes::Bytes;
use serde_json::Value;

use crate::cache::{Fingerprint, FingerprintBuilder, Part};
use crate::changes::{self, Question, Subject};
use crate::protocol::call::Unreadable;
use crate::protocol::kit::json::{Digest, Json, Members, Rewrite};
use crate::protocol::object::Object;

/// The most evaluations of a request that are read. A longer request is forwarded unmodified.
pub(super) const MAX_EVALUATIONS: usize = 10_000;

/// The members of a question, and their parts of the key. All except the last are required.
const MEMBERS: [(&str, Part); 4] = [
    ("subject", Part::Subject),
    ("action", Part::Permission),
    ("resource", Part::Resource),
    ("context", Part::Context),
];

/// The decision at which an upstream stops before the last evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    pub(super) fn stops_at(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }

    /// The semantic of a request that [`several`] has read.
    pub(super) fn of(message: &[u8]) -> Self {
        let read = || -> Result<Self, Unreadable> {
            let mut semantic = Self::default();
            Json::new(message)?.object(|json, name| {
                match name {
                    "options" => semantic = Self::read(json)?,
                    _ => drop(json.value()?),
                }
                Ok::<_, Unreadable>(())
            })?;
            Ok(semantic)
        };
        read().unwrap_or_default()
    }

    fn read(json: &mut Json<'_>) -> Result<Self, Unreadable> {
        let mut semantic = Self::default();
        json.object(|json, name| {
            if name != "evaluations_semantic" {
                return Err(Unreadable(
                    "the request has options other than evaluations_semantic, which may change the answers",
                ));
            }
            semantic = match &*json.string()? {
                "execute_all" => Self::ExecuteAll,
                "deny_on_first_deny" => Self::DenyOnFirstDeny,
                "permit_on_first_permit" => Self::PermitOnFirstPermit,
                _ => return Err(Unreadable("evaluations_semantic is unknown")),
            };
            Ok(())
        })?;
        Ok(semantic)
    }
}

/// One evaluation, or the defaults of several.
#[derive(Default)]
struct Evaluation {
    members: [Option<Members>; MEMBERS.len()],
    others: Members,
}

impl Evaluation {
    fn member(&mut self, json: &mut Json<'_>, name: &str, digest: &Digest) -> Result<(), Unreadable> {
        let Some(index) = MEMBERS.iter().position(|(member, _)| *member == name) else {
            return Ok(digest.member(json, name, &mut self.others)?);
        };
        // The specification does not say whether null removes a default, so null has no key.
        if json.peek() != Some(b'{') {
            return Err(Unreadable("subject, action, resource or context is not an object"));
        }
        let members = if MEMBERS[index].1 == Part::Context {
            digest.note(name, &Members::default());
            digest.context(json)?
        } else {
            let members = digest.object(json)?;
            digest.note(name, &members);
            members
        };
        self.members[index] = Some(members);
        Ok(())
    }

    fn question(&self, defaults: &Self, prefix: &FingerprintBuilder) -> Result<Fingerprint, Unreadable> {
        let mut fingerprint = prefix.clone();
        for ((_, part), (own, default)) in MEMBERS.iter().zip(self.members.iter().zip(&defaults.members)) {
            match own.as_ref().or(default.as_ref()) {
                Some(members) => members.feed(*part, &mut fingerprint),
                None if *part == Part::Context => fingerprint.add(Part::Absent, b"context"),
                None => return Err(Unreadable("an evaluation lacks its subject, action or resource")),
            }
        }
        if !(self.others.is_empty() && defaults.others.is_empty()) {
            self.others.feed(Part::Body, &mut fingerprint);
            defaults.others.feed(Part::Body, &mut fingerprint);
        }
        Ok(fingerprint.finish())
    }
}

/// Reads a request to the evaluation endpoint. Its question begins with `prefix`.
pub(super) fn single(message: &[u8], prefix: &FingerprintBuilder, digest: &Digest) -> Result<Fingerprint, Unreadable> {
    let mut json = Json::new(message)?;
    let mut evaluation = Evaluation::default();
    json.object(|json, name| evaluation.member(json, name, digest))?;
    json.end()?;
    evaluation.question(&Evaluation::default(), prefix)
}

/// What a request to the evaluations endpoint asks.
pub(super) enum Asked {
    One(Fingerprint),
    Several(Vec<Fingerprint>),
}

/// Reads a request to the evaluations endpoint. As the specification says, a request without evaluations is a single
/// evaluation.
pub(super) fn several(message: &[u8], prefix: &FingerprintBuilder, digest: &Digest) -> Result<Asked, Unreadable> {
    let mut json = Json::new(message)?;
    let mut defaults = Evaluation::default();
    let mut evaluations: Vec<Evaluation> = Vec::new();
    json.object(|json, name| match name {
        "evaluations" => json.array(|json| {
            if evaluations.len() == MAX_EVALUATIONS {
                return Err(Unreadable("the request has more than 10000 evaluations"));
            }
            let mut evaluation = Evaluation::default();
            json.object(|json, name| evaluation.member(json, name, digest))?;
            evaluations.push(evaluation);
            Ok(())
        }),
        "options" => Semantic::read(json).map(drop),
        name => defaults.member(json, name, digest),
    })?;
    json.end()?;
    if evaluations.is_empty() {
        return defaults.question(&Evaluation::default(), prefix).map(Asked::One);
    }
    evaluations
        .iter()
        .map(|evaluation| evaluation.question(&defaults, prefix))
        .collect::<Result<_, _>>()
        .map(Asked::Several)
}

/// The request with only the evaluations `open`. `None` leaves it unmodified: the upstream would read an empty list as a
/// single evaluation of the defaults.
pub(super) fn only(message: &[u8], open: &[usize]) -> Option<Bytes> {
    if open.is_empty() {
        return None;
    }
    let mut rewrite = Rewrite::of(message).ok()?;
    rewrite.keep_elements("evaluations", open).ok()?;
    Some(rewrite.finish())
}

/// Calls `each` with the resources and the subjects of a request, defaults included.
pub(super) fn objects(message: &[u8], each: &mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable> {
    const UNNAMED: Unreadable = Unreadable("a subject or resource has no type or no id");
    let body: Value = serde_json::from_slice(message).map_err(|_| Unreadable("the body is not JSON"))?;
    let mut name = |value: &Value| -> Result<(), Unreadable> {
        let text = |member| value.get(member).and_then(Value::as_str);
        let (kind, id) = text("type").zip(text("id")).ok_or(UNNAMED)?;
        each(Object::new(kind.as_bytes(), id.as_bytes()));
        Ok(())
    };
    for member in ["subject", "resource"] {
        if let Some(value) = body.get(member) {
            name(value)?;
        }
        let evaluations = body.get("evaluations").and_then(Value::as_array);
        let each_own = evaluations
            .into_iter()
            .flatten()
            .filter_map(|evaluation| evaluation.get(member));
        each_own.into_iter().try_for_each(&mut name)?;
    }
    Ok(())
}

/// Calls `each` with the `count` questions of a request, defaults included.
pub(super) fn questions(message: &[u8], count: usize, each: &mut dyn FnMut(Option<Question>)) {
    let body: Value = serde_json::from_slice(message).unwrap_or_default();
    let evaluations = body.get("evaluations").and_then(Value::as_array);
    match evaluations.filter(|evaluations| !evaluations.is_empty()) {
        None => each(question(&body, &Value::Null)),
        Some(evaluations) => {
            let own = evaluations.iter().map(|evaluation| question(evaluation, &body));
            own.take(count).for_each(each);
        }
    }
}

fn question(own: &Value, defaults: &Value) -> Option<Question> {
    let text = |member: &str, name| {
        let object = own.get(member).or_else(|| defaults.get(member))?;
        object.get(name).and_then(Value::as_str)
    };
    let object = |member| Some(changes::Object::new(text(member, "type")?, text(member, "id")?));
    let subject = Subject::of(object("subject")?);
    Some(Question::new(object("resource")?, text("action", "name")?, subject))
}
