//! A NATS server of a test's own, with JetStream.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::servers;

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, and kills it when the test's end, or the test's process, closes the pipe.
const RUN: &str = r#""$0" -c "$1" >"$2" 2>&1 & server=$!; read -r line; kill -9 "$server"; wait "$server" 2>/dev/null"#;

/// A running server. It stops, and its folder is removed, when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    folder: PathBuf,
    settings: String,
    port: u16,
    running: Option<(Child, ChildStdin)>,
}

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

/// The server's program, if it is installed.
fn program() -> Option<PathBuf> {
    servers::program("nats-server", [PathBuf::from("/usr/sbin")])
}

impl NatsServer {
    pub fn is_installed() -> bool {
        program().is_some()
    }

    /// Starts a server on a free port of the loopback interface.
    pub fn start() -> Self {
        Self::with_settings("")
    }

    /// Starts a server with more settings.
    pub fn with_settings(settings: impl Into<String>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("zookie-nats-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("no folder for the server");
        let mut server = Self {
            folder,
            settings: settings.into(),
            port: 0,
            running: None,
        };
        server.run();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server, as a crash would. What it has stored stays.
    pub fn kill(&mut self) {
        let Some((mut shell, pipe)) = self.running.take() else {
            return;
        };
        drop(pipe);
        // If this fails, there is nothing left to wait for.
        let _ = shell.wait();
    }

    /// Starts it again on the same port, with what it had stored.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
    }

    fn run(&mut self) {
        let folder = self.folder.display();
        // The server chooses a free port, and says which in a file.
        let port = if self.port == 0 {
            "-1".to_owned()
        } else {
            self.port.to_string()
        };
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: \"{folder}\"\njetstream {{ store_dir: \"{folder}/store\" }}\n{}\n",
            self.settings
        );
        self.remove_ports();
        let (file, log) = (self.folder.join("server.conf"), self.folder.join("server.log"));
        fs::write(&file, config).expect("the settings can't be written");
        let program = program().expect("nats-server is not installed: apt-get install nats-server");
        let mut shell = Command::new("sh")
            .args(["-c", RUN])
            .args([&program, &file, &log])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("no shell");
        let pipe = shell.stdin.take().expect("the shell has no pipe");
        self.running = Some((shell, pipe));
        let start = Instant::now();
        while !self.is_ready() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "nats-server does not start:\n{said}");
            sleep(Duration::from_millis(10));
        }
    }

    fn is_ready(&mut self) -> bool {
        let Ok(Some(ports)) = self.ports() else { return false };
        let Some(port) = ports.nats.iter().find_map(|url| url.rsplit_once(':')?.1.parse().ok()) else {
            return false;
        };
        self.port = port;
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    }

    fn port_files(&self) -> io::Result<Vec<PathBuf>> {
        let files = fs::read_dir(&self.folder)?.map(|file| file.map(|file| file.path()));
        let files = files.collect::<io::Result<Vec<_>>>()?;
        let is_ports = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "ports");
        Ok(files.into_iter().filter(is_ports).collect())
    }

    fn ports(&self) -> io::Result<Option<Ports>> {
        let Some(file) = self.port_files()?.pop() else {
            return Ok(None);
        };
        // It may not be whole yet.
        Ok(serde_json::from_slice(&fs::read(file)?).ok())
    }

    fn remove_ports(&self) {
        for file in self.port_files().unwrap_or_default() {
            // If one stays, the server is found under its old port.
            let _ = fs::remove_file(file);
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        // The system empties this folder some day.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
