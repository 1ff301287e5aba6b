use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

use crate::objects::error::ObjectsError;
use crate::objects::postgres::builder::{LONGEST_TIMEOUT, PostgresObjectsBuilder};
use crate::objects::postgres::database::Database;
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::link::Link;
use crate::objects::postgres::statements::Statements;
use crate::objects::postgres::store::PostgresObjects;
use crate::objects::postgres::table::{Table, TableName};
use crate::objects::postgres::tls;

const LONGEST_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

const MOST_CONNECTIONS: usize = 1000;

impl PostgresObjectsBuilder {
    /// Connects, and checks the table.
    ///
    /// # Errors
    ///
    /// [`ObjectsError`] names the setting that makes no sense, or says what is wrong with the database or the table.
    pub async fn connect(self) -> Result<PostgresObjects, ObjectsError> {
        let name = TableName::parse(&self.table).ok_or_else(|| {
            ObjectsError::new("table: the name has to be one or two parts of at most 63 letters, digits and underscores, with a dot between")
        })?;
        self.check_limits()?;
        let config = self.config()?;
        let link = Link {
            tls: tls::connector(self.ca_file.as_deref(), config.get_ssl_mode())?,
            config,
            statement_timeout: self.timeout,
        };
        let pool = self.pool(link.clone())?;
        let check = async {
            let client = pool.get().await.map_err(Failure::from)?;
            Table::find(&client, &name, self.create_table).await
        };
        let limit = self.connect_timeout + self.timeout;
        let table = timeout(limit, check).await;
        let table = table.map_err(|_| Failure::Late(limit))??;
        let database = Database {
            pool,
            link,
            statements: Statements::new(&table),
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            watch: Default::default(),
        };
        Ok(PostgresObjects::new(
            Arc::new(database),
            self.polling || table.is_cockroach,
        ))
    }

    fn check_limits(&self) -> Result<(), ObjectsError> {
        if !(1..=MOST_CONNECTIONS).contains(&self.max_connections) {
            let found = self.max_connections;
            return Err(ObjectsError::new(format!(
                "max_connections: is {found}; set it to 1 to {MOST_CONNECTIONS}"
            )));
        }
        for (setting, found, longest) in [
            ("timeout", self.timeout, LONGEST_TIMEOUT),
            ("connect_timeout", self.connect_timeout, LONGEST_CONNECT_TIMEOUT),
        ] {
            if !(Duration::from_millis(1)..=longest).contains(&found) {
                return Err(ObjectsError::new(format!(
                    "{setting}: is {found:?}; set it to 1 ms to {longest:?}"
                )));
            }
        }
        Ok(())
    }

    fn config(&self) -> Result<Config, ObjectsError> {
        let failed = || ObjectsError::new("url: should be postgres://user:password@host:port/database?sslmode=require");
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.url.starts_with(scheme))
        {
            return Err(failed());
        }
        // A part of a password that has @ and ? would be taken for an option's name, which the error shows.
        if self.url.rfind('@') > self.url.find('?') && self.url.contains('?') && self.url.parse::<Config>().is_err() {
            return Err(failed());
        }
        let mut config: Config = self.url.parse().map_err(|error| failed().with_source(error))?;
        if config.get_application_name().is_none() {
            config.application_name("tower-zookie");
        }
        // A replica would be behind, and take no updates.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(config)
    }

    fn pool(&self, link: Link) -> Result<Pool, ObjectsError> {
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let pool = Pool::builder(Manager::from_connect(link.config.clone(), link, recycling))
            .max_size(self.max_connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(self.timeout),
                create: Some(self.connect_timeout),
                recycle: Some(self.timeout),
            })
            .build();
        pool.map_err(|error| ObjectsError::new("max_connections: the pool can't be made").with_source(error))
    }
}
