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

    use rustix::buffer::spare_capacity;
    use rustix::io::{ReadWriteFlags, pread, preadv2};

    let length = range.end.checked_sub(range.start)?;
    if length == 0 || length > MOST {
        return None;
    }
    let file = std::fs::File::open(path).ok()?;
    // Files are read from the front, so what lies before the last byte is there if that is. Asked
    // first, because only a read that may wait takes memory that nobody has filled before.
    for at in [range.start, range.end - 1] {
        let mut one = [0];
        let there = preadv2(
            &file,
            &mut [IoSliceMut::new(&mut one)],
            at,
            ReadWriteFlags::NOWAIT,
        );
        if there != Ok(1) {
            return None;
        }
    }
    let length = usize::try_from(length).ok()?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = range.start + bytes.len() as u64;
        // What ends early is for the other way to deal with.
        match pread(&file, spare_capacity(&mut bytes), at) {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
    bytes.truncate(length);
    Some(bytes)
}

/// Elsewhere there is no telling.
#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &Path, _: &Range<u64>) -> Option<Vec<u8>> {
    None
}
