//! How the process asks the system for memory.

/// Blocks of at least this many bytes are the system's again as soon as they are freed.
const LARGE: i32 = 1 << 20;

/// Makes large blocks go back to the system when they are freed. To be called first in `main`.
///
/// glibc starts that way. But with the first large block that is freed it begins to keep blocks of
/// that size, for each thread apart (mallopt(3), `M_MMAP_THRESHOLD`, "dynamic"): a program that
/// hands pages and frames from thread to thread then holds about twice what it uses. Naming the
/// threshold turns that off. Other C libraries do nothing here.
pub fn give_large_blocks_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)]
    // SAFETY: `mallopt` takes two numbers and may be called at any time; one that it does not know
    // is ignored, and so is its result.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = LARGE;
}
