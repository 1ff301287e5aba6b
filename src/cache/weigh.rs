/// What a cache holds: how many bytes it takes beside its own size.
pub trait Weigh: Clone + Send + Sync + 'static {
    /// Bytes on the heap that this value alone keeps alive.
    fn heap_bytes(&self) -> usize;
}

impl Weigh for bool {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weigh for bytes::Bytes {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}
