//! The command line of `zookie-sidecar token`.

use clap::{Parser, Subcommand};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::permify::SnapTokens;
use tower_zookie::token::spicedb::ZedTokens;

use super::BadArgument;
use super::system::{Engine, Name, engine_of_permify, engine_of_spicedb};

/// Reads, compares and joins tokens, without an upstream.
#[derive(Debug, Parser)]
#[command(name = "zookie-sidecar token", version)]
pub struct TokenArgs {
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print the store and the revision that each token names.
    Inspect {
        #[command(flatten)]
        of: Of,
        #[arg(required = true, value_name = "TOKEN")]
        tokens: Vec<String>,
    },
    /// Print whether the first token is `equal` to the second, `before` or `after` it, or whether they are `concurrent` or of
    /// `different-stores`.
    Compare {
        #[command(flatten)]
        of: Of,
        #[arg(value_name = "TOKEN")]
        one: String,
        #[arg(value_name = "TOKEN")]
        other: String,
    },
    /// Print the fewest tokens that together demand what all of these demand: mostly it is one.
    Join {
        #[command(flatten)]
        of: Of,
        #[arg(required = true, value_name = "TOKEN")]
        tokens: Vec<String>,
    },
}

/// Whose tokens they are.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Of {
    /// Which system has issued the tokens.
    #[arg(long, value_enum, default_value_t = Name::SpiceDb)]
    system: Name,
    /// SpiceDB's --datastore-engine, or Permify's --database-engine (memory or postgres): a token does not name it.
    #[arg(long, value_enum)]
    engine: Engine,
}

impl Of {
    pub fn format(self) -> Result<Box<dyn TokenFormat>, BadArgument> {
        Ok(match self.system {
            Name::SpiceDb => Box::new(ZedTokens::new(engine_of_spicedb(self.engine))),
            Name::Permify => Box::new(SnapTokens::new(engine_of_permify(self.engine)?)),
        })
    }
}
