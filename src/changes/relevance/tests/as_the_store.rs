use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::changes::relevance::tests::model::{World, random_schema};
use crate::store::{Schema, Store, Update};

/// The model's answers are those of the embedded store, where that supports the schema.
#[test]
fn the_model_answers_as_the_embedded_store_does() {
    let mut schemas = 0;
    for seed in 0.. {
        let mut rng = StdRng::seed_from_u64(seed);
        let text = random_schema(&mut rng, false);
        let (Ok(schema), Some(mut world)) = (Schema::parse(&text), World::new(&text, 2)) else {
            continue;
        };
        // In the store a wildcard stands for objects only.
        world.wildcards_include_usersets = false;
        let store = Store::new(schema);
        let state = world.random_state(&mut rng);
        let existing = world.tuples.iter().zip(&state).filter(|(_, exists)| **exists);
        let updates: Vec<_> = existing
            .map(|(tuple, _)| Update::touch(tuple.text().parse().unwrap()))
            .collect();
        let revision = store.write(updates).unwrap();
        let solution = world.solve(&state);
        for (place, subject, question) in world.questions() {
            let resource = format!("{}:{}", question.resource.kind, question.resource.id);
            let userset = question
                .subject
                .relation
                .as_ref()
                .map(|relation| format!("#{relation}"));
            let asked = format!(
                "{}:{}{}",
                question.subject.object.kind,
                question.subject.object.id,
                userset.unwrap_or_default()
            );
            let holds = store.check(
                &resource.parse().unwrap(),
                &question.permission,
                &asked.parse().unwrap(),
                revision,
            );
            assert_eq!(
                holds.unwrap(),
                solution[place] >> subject & 1 == 1,
                "{question:?}\n{text}"
            );
        }
        schemas += 1;
        if schemas == 100 {
            break;
        }
    }
}
