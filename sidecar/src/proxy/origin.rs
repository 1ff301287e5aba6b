//! Where an upstream is.

use std::fmt;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};

/// An upstream's scheme, host and port.
#[derive(Clone, Debug)]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

/// A text that names no upstream. It is not repeated, because a password may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error("this is no URL; write it as http://HOST:PORT or https://HOST:PORT")]
    NotAUrl,
    #[error("the URL has no scheme; write it as http://HOST:PORT or https://HOST:PORT")]
    NoScheme,
    #[error("the URL's scheme is neither http nor https")]
    UnknownScheme,
    #[error("the URL has a path or a query; requests have their own, so leave it out")]
    Path,
    #[error("the URL has a user name in it; callers send their own credentials, so leave it out")]
    UserName,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let uri: Uri = text.parse().map_err(|_| OriginError::NotAUrl)?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or(OriginError::NoScheme)?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(OriginError::UnknownScheme);
        }
        let authority = parts.authority.ok_or(OriginError::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(OriginError::UserName);
        }
        if parts.path_and_query.is_some_and(|path| path != "/") {
            return Err(OriginError::Path);
        }
        Ok(Self { scheme, authority })
    }
}

impl Origin {
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether a listener at this address of this machine would be the upstream.
    pub fn is_at(&self, address: SocketAddr) -> bool {
        let default = if self.is_tls() { 443 } else { 80 };
        let port = self.authority.port_u16().unwrap_or(default);
        if port != address.port() {
            return false;
        }
        let host = self.authority.host().trim_matches(['[', ']']);
        let is_listened_at = |upstream: SocketAddr| match address.ip() {
            any if any.is_unspecified() => TcpListener::bind((upstream.ip(), 0)).is_ok(),
            one => one == upstream.ip(),
        };
        (host, port)
            .to_socket_addrs()
            .is_ok_and(|mut resolved| resolved.any(is_listened_at))
    }

    /// The same path and query here. `None` for a target without a path, such as CONNECT's.
    pub fn uri(&self, target: &Uri) -> Option<Uri> {
        let path_and_query = target.path_and_query()?.clone();
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone());
        uri.path_and_query(path_and_query).build().ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}
