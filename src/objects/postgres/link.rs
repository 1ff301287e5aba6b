use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error, Notification};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How to connect to the database.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// The longest time that one statement may take.
    pub(super) statement_timeout: Duration,
}

impl Link {
    /// Opens a connection. A task runs it, until it is lost or the client dropped, and hands on what others notify.
    pub(super) async fn open(
        &self,
        mut notified: impl FnMut(Notification) + Send + 'static,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let is_cockroach = connection.parameter("crdb_version").is_some();
        let run = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notification) = message {
                    notified(notification);
                }
            }
        });
        client.batch_execute(&self.session(is_cockroach)).await?;
        Ok((client, run))
    }

    fn session(&self, is_cockroach: bool) -> String {
        let limit = self.statement_timeout.as_millis();
        let limits = format!(
            "SET statement_timeout = {limit}; SET lock_timeout = {limit}; SET idle_in_transaction_session_timeout = {limit};"
        );
        if is_cockroach {
            // Otherwise a role's setting may let reads come from a follower, which is behind.
            return limits + "SET default_transaction_use_follower_reads = off";
        }
        // An update that a crash could take back has not succeeded.
        limits
            + "SET default_transaction_isolation = 'read committed';"
            + "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    }
}

impl deadpool_postgres::Connect for Link {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(self.open(drop))
    }
}
