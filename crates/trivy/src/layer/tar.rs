//! Headers of a layer's members. Source: POSIX.1-2001, pax, "ustar Interchange Format".

/// Bytes of a block.
pub(super) const BLOCK: usize = 512;
/// The largest size that a header holds: eleven octal digits.
pub(super) const MAX_SIZE: u64 = 0o777_7777_7777;

/// The header of a regular file whose name has at most 100 bytes, and size at most [`MAX_SIZE`].
pub(super) fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in block.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name.as_bytes().get(..100).unwrap_or(name.as_bytes()));
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = checksum(&block);
    let digits = format!("{sum:06o}\0 ");
    for (to, from) in block.iter_mut().skip(148).zip(digits.as_bytes()) {
        *to = *from;
    }
    block
}

/// The sum of a header's bytes, its own field counted as blanks.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum()
}

/// Name and size of a regular file; what is wrong with any other header.
pub(super) fn parse(block: &[u8; BLOCK]) -> Result<(String, u64), &'static str> {
    let (name, rest) = block.split_at(100);
    let field = |from: usize, to: usize| block.get(from..to).unwrap_or_default();
    if octal(field(148, 156)) != Some(u64::from(checksum(block))) {
        return Err("the checksum of a member's header is wrong");
    }
    if !matches!(rest.get(56), Some(b'0' | 0)) {
        return Err("a member is not a regular file");
    }
    if field(345, 500).iter().any(|byte| *byte != 0) {
        return Err("a member's name has a prefix");
    }
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(100);
    let name = name
        .get(..end)
        .and_then(|name| std::str::from_utf8(name).ok())
        .ok_or("a member's name is not UTF-8")?;
    let size = octal(field(124, 136)).ok_or("a member's size is not one")?;
    Ok((name.to_owned(), size))
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    if digits.is_empty() || !digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
        return None;
    }
    u64::from_str_radix(digits, 8).ok()
}
