use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};

use crate::nats::problem::Problem;

/// The least room for one message: eight long tokens.
const LEAST_MESSAGE_SIZE: i32 = 64 << 10;

/// What the server says of this stream. `None` if it is not there.
pub(crate) async fn stream_info(context: &Context, stream: &str) -> Result<Option<Info>, Problem> {
    match context.get_stream(stream).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(reply) if reply.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => {
                let what =
                    "NATS: JetStream does not say which streams it has; is it enabled, and may the user read it?";
                Err(Problem::new(what).with_source(error))
            }
        },
    }
}

/// Why a stream does not keep what it has acknowledged, if that is so.
pub(crate) fn loses(config: &Config) -> Option<&'static str> {
    let drops_old = config.discard == DiscardPolicy::Old;
    let problems = [
        (
            !config.max_age.is_zero(),
            "removes entries by their age (`max_age`), and a clock that jumps would remove them too early; set it to 0: what is \
             no longer needed is removed without it",
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
            "refuses purges (`deny_purge`), so what is no longer needed could not be removed; turn it off",
        ),
        (
            config.mirror.is_some() || config.sources.as_ref().is_some_and(|sources| !sources.is_empty()),
            "is a copy of another one (`mirror` or `sources`), and lags behind it; use the original",
        ),
        (
            config.max_message_size > 0 && config.max_message_size < LEAST_MESSAGE_SIZE,
            "takes only small entries (`max_msg_size`); allow 64 KiB or more",
        ),
    ];
    problems
        .into_iter()
        .find(|(is_so, _)| *is_so)
        .map(|(_, problem)| problem)
}
