/// A number of bytes: how every setting of a size is given.
///
/// ```
/// use tower_zookie::ByteSize;
///
/// assert_eq!(ByteSize::kibi(4), ByteSize::bytes(4096));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many KiB.
    pub const fn kibi(kibi: u32) -> Self {
        Self((kibi as u64) << 10)
    }

    /// This many MiB.
    pub const fn mebi(mebi: u32) -> Self {
        Self((mebi as u64) << 20)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory. A number that no length can have is as good as no limit.
    pub(crate) fn as_len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}
