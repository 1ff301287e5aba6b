//! Which system is upstream: what its arguments may be together.

use clap::ValueEnum;
use tower_zookie::protocol::{permify, spicedb};

use super::BadArgument;
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

impl Name {
    pub(super) fn of_engine(self, engine: Engine, untold_in_window: bool) -> Result<System, BadArgument> {
        Ok(match self {
            Self::SpiceDb if untold_in_window => {
                return Err(BadArgument::OtherSystem {
                    flag: "--window-reads-without-token",
                    why: "SpiceDB windows such reads anyway",
                });
            }
            Self::SpiceDb => System::SpiceDb(match engine {
                Engine::Memory => spicedb::Engine::Memory,
                Engine::Postgres => spicedb::Engine::Postgres,
                Engine::CockroachDb => spicedb::Engine::CockroachDb,
                Engine::Spanner => spicedb::Engine::Spanner,
                Engine::MySql => spicedb::Engine::MySql,
                Engine::Opaque => spicedb::Engine::Opaque,
            }),
            Self::Permify => System::Permify {
                engine: match engine {
                    Engine::Memory => permify::Engine::Memory,
                    Engine::Postgres => permify::Engine::Postgres,
                    _ => return Err(BadArgument::NotPermifys { engine: name(engine) }),
                },
                untold_in_window,
            },
        })
    }
}

fn name(engine: Engine) -> String {
    let value = engine.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
