//! A server in a child process, and how to talk to it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use crate::AnyError;
use crate::serve::{Done, Ready};

/// The first argument of a child; the second one is its row's place among all.
pub(crate) const SERVE: &str = "--serve";

/// A running server. It ends with this value, and with this process however that ends: its standard input closes.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the server of a row. It makes ready while others are started.
    pub(crate) fn start(place: usize) -> Result<Self, AnyError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .arg(place.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(orders), Some(reports)) => Ok(Self {
                child,
                orders,
                reports: BufReader::new(reports),
            }),
            _ => Err("the server has no pipes".into()),
        }
    }

    /// Its address and its store's identity, once it listens.
    pub(crate) fn ready(&mut self) -> Result<(SocketAddr, String), AnyError> {
        let Ready { port, node } = self.hear()?;
        Ok(((Ipv4Addr::LOCALHOST, port).into(), node))
    }

    /// What it has done since it was started.
    pub(crate) fn done(&mut self) -> Result<Done, AnyError> {
        self.orders.write_all(b"report\n")?;
        self.hear()
    }

    fn hear<T: DeserializeOwned>(&mut self) -> Result<T, AnyError> {
        let mut line = String::new();
        if self.reports.read_line(&mut line)? == 0 {
            return Err("a server ended".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the process has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
