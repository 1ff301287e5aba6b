use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};

use crate::objects::error::ObjectsError;

/// The least room for one message: eight long tokens.
const LEAST_MESSAGE_SIZE: i32 = 64 << 10;

/// The bucket with this name. It is created if it is not there, unless `replicas` is `None`.
pub(super) async fn open(context: &Context, bucket: &str, replicas: Option<usize>) -> Result<Info, ObjectsError> {
    let name = stream_name(bucket);
    let mut found = info(context, &name).await?;
    if let (None, Some(replicas)) = (&found, replicas) {
        // If another replica was faster, this has the same settings, or fails and the other's are looked at below.
        let created = context.create_stream(settings(bucket, replicas)).await;
        found = info(context, &name).await?;
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

/// What the server says of this stream. `None` if it is not there.
pub(super) async fn info(context: &Context, stream: &str) -> Result<Option<Info>, ObjectsError> {
    match context.get_stream(stream).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(reply) if reply.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => {
                let what =
                    "NATS: JetStream does not say which streams it has; is it enabled, and may the user read it?";
                Err(ObjectsError::new(what).with_source(error))
            }
        },
    }
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
    let drops_old = config.discard == DiscardPolicy::Old;
    let problems = [
        (
            config.allow_direct,
            "answers reads from any replica (`allow_direct`), which may lack the last write; turn it off",
        ),
        (
            !config.max_age.is_zero(),
            "removes entries by their age (`max_age`), and a clock that jumps would remove them too early; set it to 0: the \
             store removes what has expired itself",
        ),
        (
            drops_old && (config.max_bytes > 0 || config.max_messages > 0),
            "drops old entries when it is full (`max_bytes` or `max_msgs` with the discard policy `old`); set the policy to `new`",
        ),
        (
            config.discard_new_per_subject,
            "refuses to replace entries (`discard_new_per_subject`); turn it off",
        ),
        (
            config.storage != StorageType::File,
            "is in memory, and would lose all entries when the server stops; use file storage",
        ),
        (
            config.retention != RetentionPolicy::Limits,
            "drops entries that were read (`retention`); use the policy `limits`",
        ),
        (config.no_ack, "acknowledges no writes (`no_ack`); turn it off"),
        (config.sealed, "is sealed, so nothing can be written"),
        (
            config.deny_purge,
            "refuses purges (`deny_purge`), so entries that have expired could not be removed; turn it off",
        ),
        (
            config.mirror.is_some() || config.sources.as_ref().is_some_and(|sources| !sources.is_empty()),
            "is a copy of another one (`mirror` or `sources`), and lags behind it; use the original",
        ),
        (
            config.max_message_size > 0 && config.max_message_size < LEAST_MESSAGE_SIZE,
            "takes only small entries (`max_msg_size`); allow 64 KiB or more",
        ),
        (
            config.subjects != [format!("$KV.{bucket}.>")],
            "has other subjects than a bucket has; give it a name of its own",
        ),
    ];
    match problems.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, problem)) => Err(ObjectsError::new(format!("NATS: the bucket `{bucket}` {problem}"))),
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
