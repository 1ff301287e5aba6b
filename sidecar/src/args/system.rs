//! Which system is upstream: what its arguments may be together.

use std::env;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use examples_common::duration;
use http::HeaderValue;
use tower_zookie::ByteSize;
use tower_zookie::protocol::{Permify, SpiceDb, permify, spicedb};

use super::BadArgument;
use crate::proxy::feed::Followed;
use crate::proxy::layer::ForCache;
use crate::proxy::system::System;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    #[value(name = "spicedb")]
    SpiceDb,
    Permify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
    Memory,
    Postgres,
    #[value(name = "cockroachdb")]
    CockroachDb,
    Spanner,
    #[value(name = "mysql")]
    MySql,
    /// Not known: a token covers itself and nothing else.
    Opaque,
}

/// Which change feeds are followed.
#[derive(Clone, Debug, Args)]
pub(super) struct ForFeeds {
    /// Follow SpiceDB's change feed, so that answers stay true until a change concerns them. On PostgreSQL, Watch needs
    /// `track_commit_timestamp`. For Permify, say which tenant: --follow-tenant.
    #[arg(long)]
    follow: bool,
    /// The environment variable that holds the `authorization` of the change feed, such as `Bearer KEY`. SpiceDB's feed calls
    /// Watch, ReadSchema, ReflectSchema and ReadRelationships.
    #[arg(long, value_name = "NAME")]
    follow_authorization_env: Option<String>,
    /// When an answer ends in any case that the change feed can tell apart, if that is later than --time-to-live.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    followed_time_to_live: Duration,
    /// How many relationships between groups, and between objects of which one leads to the other, may be kept in memory, so
    /// that fewer changes end answers; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    structure: usize,
    /// How much memory the table of changes takes, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    change_memory: u32,
    /// Answer fully consistent checks from memory where a read of the upstream's head, which many share, shows that the answer
    /// is true there.
    #[arg(long)]
    prove_at_head: bool,
}

impl ForFeeds {
    pub(super) fn cache(&self) -> ForCache {
        ForCache {
            followed_time_to_live: self.followed_time_to_live,
            structure: self.structure,
            change_memory: ByteSize::mebi(self.change_memory),
            prove_at_head: self.prove_at_head,
        }
    }

    pub(super) fn followed(&self, system: Name, permify: &ForPermify) -> Result<Followed, BadArgument> {
        let tenants = match (system, self.follow) {
            (Name::SpiceDb, true) => vec![String::new()],
            (Name::SpiceDb, false) => Vec::new(),
            (Name::Permify, true) if permify.follow_tenant.is_empty() => return Err(BadArgument::NoTenant),
            (Name::Permify, _) => permify.follow_tenant.clone(),
        };
        let authorization = match &self.follow_authorization_env {
            Some(_) if tenants.is_empty() => return Err(BadArgument::NoFollowing),
            Some(name) => Some(from_environment("--follow-authorization-env", name)?),
            None => None,
        };
        Ok(Followed { tenants, authorization })
    }
}

/// What is SpiceDB's alone.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ForSpiceDb {
    /// SpiceDB reads from PostgreSQL's read replicas, so that its ZedTokens prove nothing: keep answers by age alone, and
    /// forward requests with a token.
    #[arg(long)]
    read_replicas: bool,
}

impl ForSpiceDb {
    fn protocol(self, engine: spicedb::Engine) -> SpiceDb {
        let protocol = SpiceDb::new(engine);
        if self.read_replicas {
            protocol.read_replicas()
        } else {
            protocol
        }
    }
}

/// What is Permify's alone.
#[derive(Clone, Debug, Args)]
pub(super) struct ForPermify {
    /// Let Permify's checks without a snap token be as old as the window allows, instead of asking each at head.
    #[arg(long)]
    window_reads_without_token: bool,
    /// Learn how far Permify has come by deleting nothing in this tenant: at most once in 100 ms, and mostly once in a window.
    /// The tenant must be used for nothing else.
    #[arg(long, value_name = "TENANT", value_parser = NonEmptyStringValueParser::new())]
    probe_tenant: Option<String>,
    /// A tenant whose change feed is followed, so that snap tokens of writes made elsewhere are believed. Once for each
    /// tenant; Permify needs its --service-watch-enabled.
    #[arg(long, value_name = "TENANT", requires = "upstream", value_parser = NonEmptyStringValueParser::new())]
    follow_tenant: Vec<String>,
}

impl ForPermify {
    /// The first of these arguments that is given.
    fn given(&self) -> Option<&'static str> {
        [
            ("--window-reads-without-token", self.window_reads_without_token),
            ("--probe-tenant", self.probe_tenant.is_some()),
            ("--follow-tenant", !self.follow_tenant.is_empty()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }

    fn protocol(&self, engine: permify::Engine) -> Permify {
        let mut protocol = Permify::new(engine);
        if self.window_reads_without_token {
            protocol = protocol.window_reads_without_token();
        }
        match &self.probe_tenant {
            Some(tenant) => protocol.probe_by_writing(tenant),
            None => protocol,
        }
    }
}

impl Name {
    pub(super) fn of_engine(
        self,
        engine: Engine,
        spicedb: ForSpiceDb,
        permify: &ForPermify,
    ) -> Result<System, BadArgument> {
        match (self, permify.given()) {
            (Self::SpiceDb, Some(flag)) => Err(BadArgument::OtherSystem { flag }),
            (Self::SpiceDb, None) => Ok(System::SpiceDb(spicedb.protocol(engine_of_spicedb(engine)))),
            (Self::Permify, _) if spicedb.read_replicas => Err(BadArgument::NotSpiceDbs {
                flag: "--read-replicas",
            }),
            (Self::Permify, _) => {
                if engine == Engine::Memory && !permify.follow_tenant.is_empty() {
                    return Err(BadArgument::NoFeed);
                }
                Ok(System::Permify(permify.protocol(engine_of_permify(engine)?)))
            }
        }
    }
}

pub(super) fn engine_of_spicedb(engine: Engine) -> spicedb::Engine {
    match engine {
        Engine::Memory => spicedb::Engine::Memory,
        Engine::Postgres => spicedb::Engine::Postgres,
        Engine::CockroachDb => spicedb::Engine::CockroachDb,
        Engine::Spanner => spicedb::Engine::Spanner,
        Engine::MySql => spicedb::Engine::MySql,
        Engine::Opaque => spicedb::Engine::Opaque,
    }
}

pub(super) fn engine_of_permify(engine: Engine) -> Result<permify::Engine, BadArgument> {
    match engine {
        Engine::Memory => Ok(permify::Engine::Memory),
        Engine::Postgres => Ok(permify::Engine::Postgres),
        _ => Err(BadArgument::NotPermifys { engine: name(engine) }),
    }
}

pub(super) fn from_environment(flag: &'static str, name: &str) -> Result<HeaderValue, BadArgument> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    let value = value.and_then(|value| HeaderValue::try_from(value).ok());
    let mut value = value.ok_or_else(|| BadArgument::Authorization {
        flag,
        name: name.to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn name(engine: Engine) -> String {
    let value = engine.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
