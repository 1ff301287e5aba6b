use std::time::Duration;

use tokio::time::timeout;

use crate::protocol::FeedFailure;

/// How long a call may take, and how long a feed may be silent. An idle store's feed may have nothing to say: so it is then
/// opened again, where it was.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// What comes of a call, if it does not take too long.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, FeedFailure>>) -> Result<T, FeedFailure> {
    match timeout(LONGEST_SILENCE, call).await {
        Ok(reply) => reply,
        Err(_) => Err(FeedFailure::interrupted(
            "the upstream did not answer within half a minute",
        )),
    }
}
