//! Where operators connect.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Where the port for operators is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Off,
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The port, open.
#[derive(Debug)]
pub(in crate::proxy) enum Port {
    Off,
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixPort),
}

impl Port {
    pub(in crate::proxy) async fn open(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Off => Self::Off,
            Address::Tcp(address) => Self::Tcp(TcpListener::bind(address).await?),
            #[cfg(unix)]
            Address::Unix(path) => Self::Unix(UnixPort::open(path)?),
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        })
    }

    /// `None`: it is off.
    pub(in crate::proxy) fn at(&self) -> Option<At> {
        match self {
            Self::Off => None,
            Self::Tcp(listener) => listener.local_addr().ok().map(At::Tcp),
            #[cfg(unix)]
            Self::Unix(port) => Some(At::Unix(port.path.clone())),
        }
    }

    /// Serves until `stop` is sent or dropped, and then what is under way.
    pub(in crate::proxy) async fn serve(self, router: Router, stop: oneshot::Receiver<()>) -> io::Result<()> {
        let stopped = async { drop(stop.await) };
        match self {
            Self::Off => {
                stopped.await;
                Ok(())
            }
            Self::Tcp(listener) => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
            #[cfg(unix)]
            Self::Unix(mut port) => match port.listener.take() {
                Some(listener) => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
                None => Ok(()),
            },
        }
    }
}

/// A Unix socket, whose file is removed at the end.
#[cfg(unix)]
#[derive(Debug)]
pub(in crate::proxy) struct UnixPort {
    path: PathBuf,
    /// `None` once it is served.
    listener: Option<tokio::net::UnixListener>,
}

#[cfg(unix)]
impl UnixPort {
    /// Only the sidecar's own user and group may connect.
    const MODE: u32 = 0o660;

    fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        use std::os::unix::net::UnixStream;

        let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        // A sidecar that was killed left its file.
        if is_socket && UnixStream::connect(path).is_err() {
            fs::remove_file(path)?;
        }
        let listener = tokio::net::UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(Self::MODE))?;
        Ok(Self {
            path: path.to_owned(),
            listener: Some(listener),
        })
    }
}

#[cfg(unix)]
impl Drop for UnixPort {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}
