//! Tokens that are remembered per object.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use examples_common::duration;

use super::BadArgument;
use super::units::timeout;
use crate::proxy::objects::{Objects, Place};

/// Tokens per object, so that callers without tokens read what was written.
#[derive(Clone, Debug, Args)]
pub(super) struct ForObjects {
    /// Remember the token of each write for the objects that it touches, so that checks without a token see it: memory (for one
    /// sidecar), postgres://USER:PASSWORD@HOST/DATABASE or nats://HOST (shared by all sidecars).
    #[arg(long, value_name = "STORE", value_parser = place, hide_env_values = true)]
    objects: Option<Place>,
    /// How a sidecar learns of other sidecars' writes: it asks the store at each check without a token, or follows its feed.
    #[arg(long, value_enum, default_value_t = Mode::Immediate, requires = "objects")]
    objects_mode: Mode,
    /// By how much a sidecar that follows the store may be late. Then it asks the store.
    #[arg(long, default_value = "1s", value_parser = timeout, requires = "objects")]
    objects_lag: Duration,
    /// For how long tokens are remembered: no less than the window, the store's staleness and the lag together. By default
    /// twice that, and at least a minute.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "objects")]
    objects_keep: Option<Duration>,
    /// How old the answer of a read without a token can be at the upstream. By default what SpiceDB's own defaults give: 5.5s, or
    /// 10.3s on CockroachDB and Spanner.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "objects")]
    objects_store_staleness: Option<Duration>,
    /// How long asking the store may take at a check. Then the check is fully consistent.
    #[arg(long, default_value = "250ms", value_parser = timeout, requires = "objects")]
    objects_look_up_timeout: Duration,
    /// How long recording a write may take. Then its caller gets an error that says that the write was made.
    #[arg(long, default_value = "2s", value_parser = timeout, requires = "objects")]
    objects_record_timeout: Duration,
    /// How long a write may still run whose reply never came. Checks of its objects are fully consistent until then.
    #[arg(long, default_value = "60s", value_parser = timeout, requires = "objects")]
    objects_write_timeout: Duration,
    /// How many records a sidecar holds in memory, with --objects memory or --objects-mode followed.
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "objects")]
    objects_capacity: usize,
    /// The table in PostgreSQL, or the bucket in NATS.
    #[arg(long, value_name = "NAME", default_value = "zookie_objects", requires = "objects")]
    objects_name: String,
    /// Create the table or the bucket if it does not exist.
    #[arg(long, requires = "objects")]
    objects_create: bool,
    /// Whom to trust where the store is reached over TLS, as PEM; without it, whom the system trusts.
    #[arg(long, value_name = "FILE", requires = "objects")]
    objects_ca: Option<PathBuf>,
    /// Pass a write's reply on when its token could not be recorded. Checks may then miss that write for a while.
    #[arg(long, requires = "objects")]
    objects_pass_unrecorded: bool,
    /// Answer fully consistent checks without a token at least as fresh as everything that was recorded. This is weaker than
    /// what they ask for: they miss writes that passed no sidecar.
    #[arg(long, requires = "objects")]
    objects_weaken_full: bool,
    /// Also count what was recorded of the objects that are the subjects of this relation, such as document#folder.
    #[arg(long, value_name = "TYPE#RELATION", value_parser = ancestor, requires = "objects")]
    ancestor: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Immediate,
    Followed,
}

impl ForObjects {
    pub(super) fn objects(self) -> Result<Option<Objects>, BadArgument> {
        let Some(place) = self.objects else { return Ok(None) };
        let is_followed = self.objects_mode == Mode::Followed;
        if is_followed && place == Place::Memory {
            return Err(BadArgument::NothingToFollow);
        }
        Ok(Some(Objects {
            place,
            followed: is_followed.then_some(self.objects_lag),
            keep: self.objects_keep,
            store_staleness: self.objects_store_staleness,
            look_up_timeout: self.objects_look_up_timeout,
            record_timeout: self.objects_record_timeout,
            write_timeout: self.objects_write_timeout,
            capacity: self.objects_capacity,
            name: self.objects_name,
            create: self.objects_create,
            ca: self.objects_ca,
            pass_unrecorded: self.objects_pass_unrecorded,
            weaken_full: self.objects_weaken_full,
            ancestors: self.ancestor,
        }))
    }
}

fn place(text: &str) -> Result<Place, String> {
    let (scheme, _) = text.split_once("://").unwrap_or((text, ""));
    match scheme {
        "memory" => Ok(Place::Memory),
        "postgres" | "postgresql" => Ok(Place::Postgres(text.to_owned())),
        "nats" | "tls" => Ok(Place::Nats(text.to_owned())),
        // The text may hold a password.
        _ => Err("it is neither memory, nor a URL that begins with postgres:// or nats://".to_owned()),
    }
}

fn ancestor(text: &str) -> Result<(String, String), String> {
    match text.split_once('#') {
        Some((kind, relation)) if !kind.is_empty() && !relation.is_empty() && !relation.contains('#') => {
            Ok((kind.to_owned(), relation.to_owned()))
        }
        _ => Err(format!(
            "`{text}` is not a type and a relation; write them as `document#folder`"
        )),
    }
}
