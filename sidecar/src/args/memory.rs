//! How much memory this process may use, where Linux says so.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The memory that this process may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    pub bytes: u64,
    pub limit: Limit,
}

/// What limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    Cgroup,
    Machine,
}

impl Memory {
    /// The least limit that the files below `root` state: of the process's cgroups, and of the machine. `None` where there are
    /// no such files, as on other systems than Linux.
    pub fn stated_below(root: &Path) -> Option<Self> {
        let of_machine = machine(root).map(|bytes| (bytes, Limit::Machine));
        let limits = cgroups(root).into_iter().map(|bytes| (bytes, Limit::Cgroup));
        let least = limits.chain(of_machine).map(|(bytes, limit)| Self { bytes, limit });
        least.min()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.bytes >> 20;
        match self.limit {
            Limit::Cgroup => write!(f, "{mebibytes} MiB that the cgroup's memory limit allows"),
            Limit::Machine => write!(f, "{mebibytes} MiB that this machine has"),
        }
    }
}

/// The limits of the process's cgroup and of those around it. A container may see its own cgroup as the outermost.
fn cgroups(root: &Path) -> Vec<u64> {
    let mounts = root.join("sys/fs/cgroup");
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut limits = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (mount, file) = match controllers {
            // Version 2.
            "" => (mounts.clone(), "memory.max"),
            // Version 1.
            _ if controllers.split(',').any(|name| name == "memory") => {
                (mounts.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let own: PathBuf = mount.join(path.trim_start_matches('/'));
        let around = own.ancestors().take_while(|folder| folder.starts_with(&mount));
        limits.extend(around.filter_map(|folder| number(&fs::read_to_string(folder.join(file)).ok()?)));
    }
    limits
}

fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    number(total.trim().strip_suffix("kB")?).map(|kibibytes| kibibytes << 10)
}

/// `max` is no number: there is no limit.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}
