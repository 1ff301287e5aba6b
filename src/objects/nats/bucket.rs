use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};

use crate::nats::{loses, stream_info};
use crate::objects::error::ObjectsError;

/// The bucket with this name. It is created if it is not there, unless `replicas` is `None`.
pub(super) async fn open(context: &Context, bucket: &str, replicas: Option<usize>) -> Result<Info, ObjectsError> {
    let name = stream_name(bucket);
    let mut found = stream_info(context, &name).await?;
    if let (None, Some(replicas)) = (&found, replicas) {
        // If another replica was faster, this has the same settings, or fails and the other's are looked at below.
        let created = context.create_stream(settings(bucket, replicas)).await;
        found = stream_info(context, &name).await?;
        if let (None, Err(error)) = (&found, created) {
            let what =
                format!("NATS: the bucket `{bucket}` can't be created; check the user's permissions and `replicas`");
            return Err(ObjectsError::new(what).with_source(error));
        }
    }
    let Some(found) = found else {
        let what =
            format!("NATS: there is no bucket `{bucket}`, and `create_bucket` is off; create it, or check `bucket`");
        return Err(ObjectsError::new(what));
    };
    check(&found.config, bucket)?;
    Ok(found)
}

pub(super) fn stream_name(bucket: &str) -> String {
    format!("KV_{bucket}")
}

fn settings(bucket: &str, replicas: usize) -> Config {
    Config {
        name: stream_name(bucket),
        description: Some("Consistency tokens of objects, written by tower-zookie".into()),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        max_message_size: -1,
        max_consumers: -1,
        discard: DiscardPolicy::New,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        allow_rollup: true,
        deny_delete: true,
        // A look-up has to see the last write, so the stream's leader answers it.
        allow_direct: false,
        ..Config::default()
    }
}

/// Whether the bucket keeps what it has acknowledged, and gives it back.
fn check(config: &Config, bucket: &str) -> Result<(), ObjectsError> {
    let problem = if config.allow_direct {
        Some("answers reads from any replica (`allow_direct`), which may lack the last write; turn it off")
    } else {
        let has_others = config.subjects != [format!("$KV.{bucket}.>")];
        let foreign = "has other subjects than a bucket has; give it a name of its own";
        loses(config).or(has_others.then_some(foreign))
    };
    match problem {
        Some(problem) => Err(ObjectsError::new(format!("NATS: the bucket `{bucket}` {problem}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Config);

    #[test]
    fn rule_17_a_bucket_that_loses_entries_is_refused() {
        assert!(check(&settings("b", 1), "b").is_ok());
        let changes: &[(&str, Change)] = &[
            ("allow_direct", |config| config.allow_direct = true),
            ("max_age", |config| config.max_age = std::time::Duration::from_nanos(1)),
            ("discard policy", |config| {
                config.max_bytes = 1 << 30;
                config.discard = DiscardPolicy::Old;
            }),
            ("in memory", |config| config.storage = StorageType::Memory),
            ("retention", |config| config.retention = RetentionPolicy::Interest),
            ("no_ack", |config| config.no_ack = true),
            ("sealed", |config| config.sealed = true),
            ("deny_purge", |config| config.deny_purge = true),
            ("mirror", |config| config.mirror = Some(Default::default())),
            ("max_msg_size", |config| config.max_message_size = 100),
            ("discard_new_per_subject", |config| {
                config.discard_new_per_subject = true
            }),
            ("subjects", |config| config.subjects.push("other".into())),
        ];
        for (named, change) in changes {
            let mut config = settings("b", 1);
            change(&mut config);
            let error = check(&config, "b").unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("`b`"), "{error}");
        }
        let mut full = settings("b", 3);
        full.max_bytes = 1 << 30;
        assert!(check(&full, "b").is_ok(), "a full bucket refuses writes");
    }
}
