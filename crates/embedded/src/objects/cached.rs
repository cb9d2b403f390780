//! Reading what is in memory already.
//!
//! A bundle is usually downloaded soon after it was made, and by several clients: then the system
//! still has it in its page cache, and reading it takes less time than handing the call to a thread
//! that may wait. So it is read at once if that is possible without waiting (Linux, preadv2(2),
//! `RWF_NOWAIT`), and handed over otherwise.

use std::ops::Range;
use std::path::Path;

/// The most bytes that are read at once: more would hold up who else works on this thread.
#[cfg(target_os = "linux")]
const MOST: u64 = 1 << 20;

/// The bytes of a range of a file, where all of them are there without waiting.
#[cfg(target_os = "linux")]
pub(super) fn read(path: &Path, range: &Range<u64>) -> Option<Vec<u8>> {
    use std::io::IoSliceMut;

    use rustix::io::{ReadWriteFlags, preadv2};

    let length = range.end.checked_sub(range.start)?;
    if length == 0 || length > MOST {
        return None;
    }
    let file = std::fs::File::open(path).ok()?;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = range.start + done as u64;
        match preadv2(&file, &mut [IoSliceMut::new(rest)], at, ReadWriteFlags::NOWAIT) {
            // What ends early, or has to be waited for, is for the other way to deal with.
            Ok(0) | Err(_) => return None,
            Ok(count) => done += count,
        }
    }
    Some(bytes)
}

/// Elsewhere there is no telling.
#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &Path, _: &Range<u64>) -> Option<Vec<u8>> {
    None
}
