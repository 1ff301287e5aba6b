use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const KINDS: [&str; 3] = ["user", "team", "doc"];
/// All types share these names, so that arrows find them.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What is chosen first: the relations and permissions of a type.
struct Shape {
    relations: Vec<&'static str>,
    /// The relations that allow wildcards. No arrow can start at them.
    public: Vec<&'static str>,
    permissions: Vec<&'static str>,
}

impl Shape {
    fn random(rng: &mut StdRng) -> Self {
        let mut shape = Self {
            relations: Vec::new(),
            public: Vec::new(),
            permissions: Vec::new(),
        };
        for name in NAMES {
            match rng.random_range(0..10) {
                0..=3 => shape.relations.push(name),
                4 => shape.public.push(name),
                5..=8 => shape.permissions.push(name),
                _ => {}
            }
        }
        shape
    }

    fn names(&self) -> Vec<&'static str> {
        [&self.relations[..], &self.public, &self.permissions].concat()
    }
}

/// A schema of up to three types, with up to four relations and permissions each.
pub(in crate::changes::relevance::tests) fn random_schema(rng: &mut StdRng, has_new_parts: bool) -> String {
    let kinds = &KINDS[..rng.random_range(1..=KINDS.len())];
    let shapes: Vec<_> = kinds.iter().map(|_| Shape::random(rng)).collect();
    let mut text = String::from(if has_new_parts { "use self\n" } else { "" });
    for (kind, shape) in kinds.iter().zip(&shapes) {
        text += &format!("definition {kind} {{\n");
        for name in &shape.relations {
            let subjects = random_subjects(rng, kinds, &shapes).join(" | ");
            text += &format!("  relation {name}: {subjects}\n");
        }
        for name in &shape.public {
            let mut subjects = random_subjects(rng, kinds, &shapes);
            subjects.push(format!("{}:*", kinds.choose(rng).unwrap()));
            text += &format!("  relation {name}: {}\n", subjects.join(" | "));
        }
        for name in &shape.permissions {
            let expression = random_expression(rng, shape, 2, has_new_parts);
            text += &format!("  permission {name} = {expression}\n");
        }
        text += "}\n";
    }
    text
}

fn random_subjects(rng: &mut StdRng, kinds: &[&str], shapes: &[Shape]) -> Vec<String> {
    let count = rng.random_range(1..=2);
    let mut subject = || {
        let kind = rng.random_range(0..kinds.len());
        match shapes[kind].names().choose(rng) {
            Some(name) if rng.random_bool(0.5) => format!("{}#{name}", kinds[kind]),
            _ => kinds[kind].to_owned(),
        }
    };
    (0..count).map(|_| subject()).collect()
}

fn random_expression(rng: &mut StdRng, shape: &Shape, depth: usize, has_new_parts: bool) -> String {
    if depth > 0 && rng.random_bool(0.6) {
        let operator = ["+", "+", "&", "-"].choose(rng).unwrap();
        let left = random_expression(rng, shape, depth - 1, has_new_parts);
        let right = random_expression(rng, shape, depth - 1, has_new_parts);
        return format!("({left} {operator} {right})");
    }
    match rng.random_range(0..20) {
        0 => "nil".to_owned(),
        1 if has_new_parts => "self".to_owned(),
        2..=10 if !shape.relations.is_empty() => {
            let (relation, target) = (shape.relations.choose(rng).unwrap(), NAMES.choose(rng).unwrap());
            if has_new_parts && rng.random_bool(0.25) {
                format!("{relation}.all({target})")
            } else {
                format!("{relation}->{target}")
            }
        }
        _ => shape.names().choose(rng).copied().unwrap_or("nil").to_owned(),
    }
}
