//! A PostgreSQL of a test's own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::servers::program;

/// A server with an empty database, on loopback and on a Unix socket. It stops when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    is_root: bool,
}

impl Postgres {
    /// Whether PostgreSQL's programs are installed.
    pub fn is_installed() -> bool {
        bin().is_some()
    }

    /// Starts a server with these settings, such as `ssl = on`.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, |_| {})
    }

    /// The same, and puts files into its data folder first.
    pub fn start_with(settings: &[&str], add_files: impl FnOnce(&Path)) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let bin = bin().expect("PostgreSQL is not installed: apt-get install postgresql");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("zookie-postgres-{}-{count}", std::process::id()));
        let user = output(Command::new("id").arg("-u"));
        let mut server = Self {
            bin,
            folder,
            port: 0,
            is_root: user.trim() == "0",
        };
        fs::create_dir(&server.folder).unwrap();
        if server.is_root {
            // The server refuses to run as root.
            output(Command::new("chown").arg("postgres").arg(&server.folder));
        }
        let data = server.data();
        output(server.command("initdb").args([
            "-D", &data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale", "C",
        ]));
        let mut lines = vec![
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("unix_socket_directories = '{}'", server.folder.display()),
            // The machine does not crash in a test.
            "fsync = off".to_owned(),
            "max_connections = 200".to_owned(),
        ];
        lines.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let config = Path::new(&data).join("postgresql.conf");
        let mut text = fs::read_to_string(&config).unwrap();
        text.extend(lines.iter().map(|line| format!("{line}\n")));
        fs::write(&config, text).unwrap();
        add_files(data.as_ref());
        if server.is_root {
            output(Command::new("chown").args(["-R", "postgres", &data]));
        }
        // Another program may take the port that was free a moment ago.
        for _ in 0..10 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.run() {
                return server;
            }
        }
        panic!("{}", fs::read_to_string(server.folder.join("log")).unwrap_or_default());
    }

    /// Stops the server, as a crash does.
    pub fn stop(&self) {
        let _ = self
            .command("pg_ctl")
            .args(["-D", &self.data(), "-m", "immediate", "stop"])
            .output();
    }

    /// Starts it again, on the same port.
    pub fn start_again(&self) {
        assert!(
            self.run(),
            "{}",
            fs::read_to_string(self.folder.join("log")).unwrap_or_default()
        );
    }

    /// The url of its database, on loopback, for the superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The same over the Unix socket.
    pub fn socket_url(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/postgres", self.port)
    }

    /// Runs SQL as the superuser, and returns the rows as lines.
    pub fn sql(&self, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        output(psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]).arg(self.url()))
            .trim()
            .to_owned()
    }

    /// Runs SQL that takes long, in another process.
    pub fn background(&self, sql: &str) -> Child {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-XAtq", "-c", sql]).arg(self.url());
        psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Sends a signal to the process of one connection.
    pub fn signal(&self, pid: &str, signal: &str) {
        output(Command::new("kill").args(["-s", signal, pid]));
    }

    fn run(&self) -> bool {
        let (data, log) = (self.data(), self.folder.join("log"));
        let port = format!("-p {}", self.port);
        // Its output goes to the log: an inherited pipe would never end.
        let mut start = self.command("pg_ctl");
        start
            .args(["-D", &data, "-w", "-t", "60", "-o", &port, "-l"])
            .arg(log)
            .arg("start");
        start
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        start.status().unwrap().success()
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn command(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if self.is_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of the newest installed version's programs.
fn bin() -> Option<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    let initdb = program("initdb", folders.into_iter().rev())?;
    let folder = fs::canonicalize(initdb).ok()?.parent()?.to_owned();
    folder.join("pg_ctl").is_file().then_some(folder)
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
