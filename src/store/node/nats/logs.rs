use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use crate::nats::{Problem, loses, stream_info};
use crate::store::node::nats::names::{self, Subjects};

/// The group's id and the stream with this name. The stream is created if it is not there, unless `replicas` is `None`.
///
/// A new group's id is in the subjects of its stream. So of several nodes that create it at the same time, one succeeds, and the
/// others read what it chose.
pub(super) async fn open(context: &Context, name: &str, replicas: Option<usize>) -> Result<(String, Config), Problem> {
    let mut found = stream_info(context, name).await?;
    if let (None, Some(replicas)) = (&found, replicas) {
        let created = context.create_stream(settings(name, &new_group(), replicas)).await;
        found = stream_info(context, name).await?;
        if let (None, Err(error)) = (&found, created) {
            let what =
                format!("NATS: the stream `{name}` can't be created; check the user's permissions and `replicas`");
            return Err(Problem::new(what).with_source(error));
        }
    }
    let Some(found) = found else {
        let what =
            format!("NATS: there is no stream `{name}`, and `create_stream` is off; create it, or check `stream`");
        return Err(Problem::new(what));
    };
    Ok((check(&found.config)?, found.config))
}

fn new_group() -> String {
    format!("{:08x}", rand::random::<u32>())
}

fn settings(name: &str, group: &str, replicas: usize) -> Config {
    Config {
        name: name.into(),
        description: Some("The logs of a group of nodes, written by tower-zookie".into()),
        subjects: Subjects::new(name, group).stored(),
        max_messages: -1,
        max_messages_per_subject: -1,
        max_bytes: -1,
        max_message_size: -1,
        max_consumers: -1,
        discard: DiscardPolicy::New,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        deny_delete: true,
        ..Config::default()
    }
}

/// The id of the group, if its stream keeps what it has acknowledged.
fn check(config: &Config) -> Result<String, Problem> {
    let refused = |problem| Err(Problem::new(format!("NATS: the stream `{}` {problem}", config.name)));
    if let Some(problem) = loses(config) {
        return refused(problem);
    }
    if config.max_messages_per_subject > 0 {
        return refused("drops old entries of each subject (`max_msgs_per_subject`); set it to -1");
    }
    match names::group(&config.name, &config.subjects) {
        Some(group) => Ok(group),
        None => refused("has other subjects than the logs of a group have; give it a name of its own"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    type Change = fn(&mut Config);

    #[test]
    fn rule_17_a_stream_that_loses_entries_is_refused() {
        assert_eq!(check(&settings("nodes", "8f3a2c41", 1)).unwrap(), "8f3a2c41");
        let changes: &[(&str, Change)] = &[
            ("max_age", |config| config.max_age = Duration::from_nanos(1)),
            ("discard policy", |config| {
                config.max_bytes = 1 << 30;
                config.discard = DiscardPolicy::Old;
            }),
            ("in memory", |config| config.storage = StorageType::Memory),
            ("retention", |config| config.retention = RetentionPolicy::Interest),
            ("no_ack", |config| config.no_ack = true),
            ("deny_purge", |config| config.deny_purge = true),
            ("mirror", |config| config.mirror = Some(Default::default())),
            ("max_msgs_per_subject", |config| config.max_messages_per_subject = 1),
            ("subjects", |config| config.subjects.push("other".into())),
        ];
        for (named, change) in changes {
            let mut config = settings("nodes", "8f3a2c41", 1);
            change(&mut config);
            let error = check(&config).unwrap_err().what;
            assert!(error.contains(named) && error.contains("`nodes`"), "{error}");
        }
    }

    #[test]
    fn groups_have_ids_of_their_own() {
        let (one, other) = (new_group(), new_group());
        assert_ne!(one, other);
        assert!(one.len() == 8 && other.len() == 8, "{one} {other}");
    }
}
