/// Facts about the upstream store, as far as the cache cares.
///
/// Start with [`versioned`](Self::versioned), [`unknown`](Self::unknown) or [`unversioned`](Self::unversioned), and say where
/// the store differs. Each fact is one sentence that is true of the store. Where you don't know, take the value that promises
/// less: the cache then asks more often.
///
/// ```
/// use tower_zookie::cache::{Capabilities, ReadMode};
///
/// let store = Capabilities::versioned().read_mode(ReadMode::Current);
/// # let _ = store;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Capabilities {
    /// Replies to reads name the revision that they were evaluated at, and it can be relied on.
    pub names_revisions: bool,
    /// Reads at a revision give the same answer every time, once the store has passed that revision.
    pub reads_repeat: bool,
    /// A write's token includes all commits that were acknowledged before the write began.
    pub writes_include_earlier: bool,
    /// The store's head may lie below revisions that its other reads name, as in SpiceDB's memory engine: its head is its
    /// last write, its other reads are labelled by the clock.
    pub head_may_trail_reads: bool,
    /// At which revision a read is answered that names one and is not an exact read.
    pub read_mode: ReadMode,
    /// How fresh a read has to be that names no revision and states no consistency.
    pub default_read: DefaultRead,
}

/// At which revision a read is answered that names one and is not an exact read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadMode {
    /// At that revision or a later one. It may be that revision itself, so a reply that repeats it proves nothing: SpiceDB.
    #[default]
    AtLeast,
    /// At the store's own current revision, which it names, or not at all. A store of several nodes waits until the revision has
    /// arrived; what it refuses reaches the caller.
    Current,
    /// At exactly that revision, however old it is: Permify.
    Exactly,
}

/// How fresh a read has to be that names no revision and states no consistency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefaultRead {
    /// As the window allows.
    #[default]
    InWindow,
    /// At head, because that is what its caller gets from the store itself.
    AtHead,
}

impl Capabilities {
    /// A store whose replies name revisions, whose snapshots repeat, and whose writes include all earlier ones.
    pub const fn versioned() -> Self {
        Self {
            names_revisions: true,
            reads_repeat: true,
            writes_include_earlier: true,
            head_may_trail_reads: false,
            read_mode: ReadMode::AtLeast,
            default_read: DefaultRead::InWindow,
        }
    }

    /// A service whose replies name revisions, and of which nothing else is known.
    pub const fn unknown() -> Self {
        Self {
            reads_repeat: false,
            writes_include_earlier: false,
            ..Self::versioned()
        }
    }

    /// A store that names no revisions: answers are stored by age alone, for callers without a token.
    pub const fn unversioned() -> Self {
        Self {
            names_revisions: false,
            ..Self::unknown()
        }
    }

    /// Sets the field [`names_revisions`](#structfield.names_revisions).
    pub const fn names_revisions(mut self, names_revisions: bool) -> Self {
        self.names_revisions = names_revisions;
        self
    }

    /// Sets the field [`reads_repeat`](#structfield.reads_repeat).
    pub const fn reads_repeat(mut self, reads_repeat: bool) -> Self {
        self.reads_repeat = reads_repeat;
        self
    }

    /// Sets the field [`writes_include_earlier`](#structfield.writes_include_earlier).
    pub const fn writes_include_earlier(mut self, writes_include_earlier: bool) -> Self {
        self.writes_include_earlier = writes_include_earlier;
        self
    }

    /// Sets the field [`head_may_trail_reads`](#structfield.head_may_trail_reads).
    pub const fn head_may_trail_reads(mut self, head_may_trail_reads: bool) -> Self {
        self.head_may_trail_reads = head_may_trail_reads;
        self
    }

    /// Sets the field [`read_mode`](#structfield.read_mode).
    pub const fn read_mode(mut self, read_mode: ReadMode) -> Self {
        self.read_mode = read_mode;
        self
    }

    /// Sets the field [`default_read`](#structfield.default_read).
    pub const fn default_read(mut self, default_read: DefaultRead) -> Self {
        self.default_read = default_read;
        self
    }
}
