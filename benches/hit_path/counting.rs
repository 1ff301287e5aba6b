//! The allocations of each thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Sub;

/// The system's allocator, counted.
pub(crate) struct Counting;

thread_local! {
    static HEAP: Cell<Heap> = const { Cell::new(Heap { allocations: 0, bytes: 0 }) };
}

/// How often this thread has allocated, and how much.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heap {
    pub(crate) allocations: u64,
    pub(crate) bytes: u64,
}

impl Heap {
    pub(crate) fn so_far() -> Self {
        HEAP.get()
    }
}

impl Sub for Heap {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            allocations: self.allocations - before.allocations,
            bytes: self.bytes - before.bytes,
        }
    }
}

fn count(size: usize) {
    // A thread that ends allocates after its variables are gone.
    let _ = HEAP.try_with(|heap| {
        let Heap { allocations, bytes } = heap.get();
        heap.set(Heap {
            allocations: allocations + 1,
            bytes: bytes + size as u64,
        });
    });
}

// SAFETY: every call goes to the system's allocator unmodified.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
