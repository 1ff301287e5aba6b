//! Which callers share answers.

use clap::Args;
use http::HeaderName;

use crate::proxy::layer::Callers;

/// Who counts as one caller.
#[derive(Clone, Debug, Args)]
pub(super) struct ForCallers {
    /// Let all callers share answers: the answer depends on the question alone. Only where something in front has
    /// authenticated them, because the upstream does not check the key of a call that is answered from memory.
    #[arg(long, conflicts_with = "identity_header")]
    callers_share: bool,
    /// The header in which a proxy in front names the caller that it has authenticated. It takes the place of `authorization`,
    /// so that callers whose JWT is issued anew keep their answers. The proxy must remove the header from what callers send. A
    /// request without it counts by its `authorization`.
    #[arg(long, value_name = "NAME", value_parser = identity_header)]
    identity_header: Option<HeaderName>,
}

impl ForCallers {
    pub(super) fn callers(&self) -> Callers {
        match &self.identity_header {
            _ if self.callers_share => Callers::Share,
            Some(name) => Callers::Named(name.clone()),
            None => Callers::ByCredential,
        }
    }
}

fn identity_header(text: &str) -> Result<HeaderName, String> {
    let name =
        HeaderName::try_from(text).map_err(|_| format!("`{text}` is no header's name; use one such as `x-user`"))?;
    match name.as_str() {
        "authorization" | "cookie" | "host" | "proxy-authorization" | "zookie" | "zookie-consistency" => Err(format!(
            "`{name}` already says something else; use the header in which the proxy names the caller, such as `x-user`"
        )),
        _ => Ok(name),
    }
}
