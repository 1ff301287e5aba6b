//! Where the port for operators is.

use std::path::PathBuf;

use crate::proxy::admin::Address;

/// `off`, `unix:PATH` or an address.
pub(super) fn address(text: &str) -> Result<Address, String> {
    if text == "off" {
        return Ok(Address::Off);
    }
    match text.strip_prefix("unix:") {
        Some("") => Err("`unix:` has no path; write it as `unix:/run/zookie.sock`".to_owned()),
        Some(path) => Ok(Address::Unix(PathBuf::from(path))),
        None => {
            let tcp = examples_common::address(text).map(Address::Tcp);
            tcp.map_err(|why| format!("{why}; or as `unix:PATH`, or `off`"))
        }
    }
}
