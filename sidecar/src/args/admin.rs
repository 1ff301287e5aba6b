//! Where the port for operators is.

use std::path::PathBuf;

use crate::proxy::admin::Address;

/// `off`, `unix:PATH` or an address.
pub(super) fn address(text: &str) -> Result<Address, String> {
    if text == "off" {
        return Ok(Address::Off);
    }
    match text.strip_prefix("unix:") {
        Some("") => Err(hint(text)),
        Some(path) => Ok(Address::Unix(PathBuf::from(path))),
        None => examples_common::address(text).map(Address::Tcp).map_err(|_| hint(text)),
    }
}

fn hint(text: &str) -> String {
    format!("`{text}` is no address; write it as `127.0.0.1:9091`, `unix:PATH` or `off`")
}
