use std::hash::Hasher;

use siphasher::sip::SipHasher;

/// The longest name of a node that a subject can have, as NATS limits the line that a message begins with to 4 KiB.
const LONGEST_TOKEN: usize = 3000;
/// A consumer's name is the name of a folder.
const LONGEST_CONSUMER: usize = 120;

/// The subjects of a group's stream.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    /// The name of the stream and the group's id.
    prefix: String,
}

impl Subjects {
    pub(super) fn new(stream: &str, group: &str) -> Self {
        Self {
            prefix: format!("{stream}.{group}"),
        }
    }

    /// What the stream stores.
    pub(super) fn stored(&self) -> Vec<String> {
        vec![self.logs(), self.pointer(), self.chunks()]
    }

    /// The log of a node. `None` if its name is too long.
    pub(super) fn log(&self, node: &str) -> Option<String> {
        let token = token(node);
        (token.len() <= LONGEST_TOKEN).then(|| format!("{}.log.{token}", self.prefix))
    }

    /// All logs.
    pub(super) fn logs(&self) -> String {
        format!("{}.log.*", self.prefix)
    }

    /// Which snapshot is the current one.
    pub(super) fn pointer(&self) -> String {
        format!("{}.snapshot", self.prefix)
    }

    /// The chunks of a snapshot that takes the place of what the pointer's message `replaced` named.
    pub(super) fn snapshot(&self, replaced: u64, random: u64) -> String {
        format!("{}.chunk.{replaced}.{random:016x}", self.prefix)
    }

    /// All chunks of all snapshots.
    pub(super) fn chunks(&self) -> String {
        format!("{}.chunk.*.*", self.prefix)
    }

    /// Which message of the pointer the snapshot with these chunks takes the place of.
    pub(super) fn replaced(&self, chunks: &str) -> Option<u64> {
        let rest = chunks.strip_prefix(&*self.prefix)?.strip_prefix(".chunk.")?;
        rest.split('.').next()?.parse().ok()
    }

    /// What nodes have reached. The stream does not store it.
    pub(super) fn reached(&self) -> String {
        format!("{}.reached", self.prefix)
    }
}

/// The group whose logs a stream with these subjects stores.
pub(super) fn group(stream: &str, subjects: &[String]) -> Option<String> {
    let rest = subjects.first()?.strip_prefix(stream)?.strip_prefix('.')?;
    let group = rest.split('.').next()?;
    let is_id = group.len() == 8 && group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_id && Subjects::new(stream, group).stored() == subjects).then(|| group.to_owned())
}

/// The name of the consumer with which a node reads.
pub(super) fn consumer(node: &str) -> String {
    let mut name = token(node);
    if name.len() > LONGEST_CONSUMER {
        let mut hash = SipHasher::new();
        hash.write(name.as_bytes());
        name.truncate(LONGEST_CONSUMER / 2);
        // A short name has no such byte.
        name.push_str(&format!("~{:016x}", hash.finish()));
    }
    name
}

/// A node's name as one part of a subject: other bytes than letters, digits and `-_@` become `=20` and the like.
///
/// Not `%20`: a server formats the names of consumers.
fn token(node: &str) -> String {
    let mut token = String::with_capacity(node.len());
    for byte in node.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_@".contains(&byte) {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("={byte:02X}"));
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_subject_of_its_own() {
        let subjects = Subjects::new("nodes", "8f3a2c41");
        assert_eq!(
            subjects.log("us-west-1@8f3a2c41").unwrap(),
            "nodes.8f3a2c41.log.us-west-1@8f3a2c41"
        );
        assert_eq!(
            subjects.log("a.*> =é").unwrap(),
            "nodes.8f3a2c41.log.a=2E=2A=3E=20=3D=C3=A9"
        );
        assert_ne!(subjects.log("a=2E"), subjects.log("a."));
        assert_eq!(subjects.log(&"é".repeat(1000)), None);
    }

    #[test]
    fn long_names_have_consumers_of_their_own() {
        let (one, other) = (format!("{}1", "é".repeat(200)), format!("{}2", "é".repeat(200)));
        assert_ne!(consumer(&one), consumer(&other));
        assert!(consumer(&one).len() <= LONGEST_CONSUMER);
        assert_eq!(consumer("a b"), "a=20b");
    }

    #[test]
    fn the_group_is_in_the_subjects_of_the_stream() {
        let stored = Subjects::new("nodes", "8f3a2c41").stored();
        assert_eq!(group("nodes", &stored).as_deref(), Some("8f3a2c41"));
        assert_eq!(group("others", &stored), None);
        assert_eq!(group("nodes", &stored[..2]), None);
        assert_eq!(group("nodes", &Subjects::new("nodes", "8f3a").stored()), None);
        assert_eq!(group("nodes", &["nodes.>".into()]), None);
    }

    #[test]
    fn chunks_say_which_pointer_they_replace() {
        let subjects = Subjects::new("nodes", "8f3a2c41");
        assert_eq!(subjects.replaced(&subjects.snapshot(17, 5)), Some(17));
        assert_eq!(subjects.replaced(&subjects.pointer()), None);
    }
}
