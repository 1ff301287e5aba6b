use crate::token::format::TokenFormat;
use crate::token::inferadb::InferaDb;
use crate::token::permify::{self, SnapTokens};
use crate::token::spicedb::{self, ZedTokens};

/// The systems and engines whose services issue tokens such as this one, for a message that says which engine to configure.
///
/// ```
/// use tower_zookie::token::readers;
///
/// // A snapshot, as only SpiceDB on PostgreSQL issues it.
/// assert_eq!(readers("GhgKDENBRVFBaG9CQUE9PRIINjM0OWFhZjI="), [("SpiceDB", "postgres")]);
/// ```
pub fn readers(text: &str) -> Vec<(&'static str, &'static str)> {
    use spicedb::Engine::{CockroachDb, Memory, MySql, Postgres, Spanner};
    let spicedb = [Memory, Postgres, CockroachDb, Spanner, MySql]
        .map(|engine| ("SpiceDB", engine.name(), is_read(&ZedTokens::new(engine), text)));
    let permify = [permify::Engine::Memory, permify::Engine::Postgres]
        .map(|engine| ("Permify", engine.name(), is_read(&SnapTokens::new(engine), text)));
    let inferadb = ("InferaDB", "inferadb", is_read(&InferaDb::new(""), text));
    spicedb
        .into_iter()
        .chain(permify)
        .chain([inferadb])
        .filter_map(|(system, engine, is_read)| is_read.then_some((system, engine)))
        .collect()
}

fn is_read(format: &dyn TokenFormat, text: &str) -> bool {
    format.decode(text).is_ok() && format.issues(text)
}
