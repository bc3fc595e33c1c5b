//! The memory of this process.

use crate::sys;

/// Has the allocator of the calling thread give the kernel what is free. It takes from some microseconds to a few
/// milliseconds, by how much there is.
pub fn give_back() {
    sys::collect();
}
