//! Servers that tests start themselves, if the machine has them.

use std::path::PathBuf;

/// Whether a server that is not installed is an error. `.ci/run` sets it; otherwise such tests are listed as ignored.
pub fn are_required() -> bool {
    std::env::var_os("ZOOKIE_REQUIRE_SERVERS").is_some()
}

/// Where an installed program is, given folders to look in before those of `PATH`.
pub fn program(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = folders.into_iter().chain(std::env::split_paths(&path));
    found.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}
