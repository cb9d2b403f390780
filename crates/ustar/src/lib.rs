//! Headers of archive members. Source: POSIX.1-2001, pax, "ustar Interchange Format" and "pax
//! Header Block".
//!
//! There is one form in which a header is written: a regular file of mode 0644, owner and time
//! zero. A reader that writes the header of what it found, and compares, accepts no other.

/// Bytes of a block. Everything in an archive is padded to it.
pub const BLOCK: usize = 512;
/// The largest size that a ustar header holds: eleven octal digits.
const MAX_USTAR_SIZE: u64 = 0o777_7777_7777;
/// Name of PAX headers. Readers that know them never show it.
const PAX_NAME: &str = "././@PaxHeader";

const NAME: std::ops::Range<usize> = 0..100;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Fields of a header, as far as they tell anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Prefix and name together.
    pub path: Vec<u8>,
    /// Bytes of the content.
    pub size: Size,
    /// The type flag: `0` for a regular file, `x` for a PAX header.
    pub kind: u8,
}

/// The size field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// GNU's binary form, which is for sizes of more than 8 GiB.
    Binary,
    /// No number.
    Malformed,
}

/// The header of a regular file: one block, or three and more where a PAX header comes first.
#[must_use]
pub fn member_header(path: &str, size: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let split = split_path(path);
    if split.is_none() {
        push_record(&mut records, "path", path);
    }
    let fits = size <= MAX_USTAR_SIZE;
    if !fits {
        push_record(&mut records, "size", &size.to_string());
    }
    let mut out = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        out.extend_from_slice(&block("", PAX_NAME, records.len() as u64, b'x'));
        out.extend_from_slice(&records);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    // Readers that know PAX headers ignore these fields where a record replaces them.
    let (prefix, name) = split.unwrap_or_else(|| ("", beginning(path)));
    out.extend_from_slice(&block(prefix, name, if fits { size } else { 0 }, b'0'));
    out
}

/// The header of a regular file as one block; none where path or size do not fit one.
#[must_use]
pub fn file_header(path: &str, size: u64) -> Option<[u8; BLOCK]> {
    let (prefix, name) = split_path(path)?;
    (size <= MAX_USTAR_SIZE).then(|| block(prefix, name, size, b'0'))
}

/// The shortest prefix that leaves a name of at most 100 bytes, and that name.
fn split_path(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME.len() {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| {
            (
                path.get(..at).unwrap_or(""),
                path.get(at + 1..).unwrap_or(""),
            )
        })
        .find(|(_, name)| name.len() <= NAME.len())
        .filter(|(prefix, name)| prefix.len() <= 155 && !prefix.is_empty() && !name.is_empty())
}

fn beginning(path: &str) -> &str {
    let mut end = NAME.len().min(path.len());
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path.get(..end).unwrap_or("")
}

/// Appends `<length> <key>=<value>\n`, whose length counts its own digits.
fn push_record(out: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

fn block(prefix: &str, name: &str, size: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, NAME.start, name.as_bytes());
    put(&mut block, 100, b"0000644\0");
    put(&mut block, 108, b"0000000\0");
    put(&mut block, 116, b"0000000\0");
    put(&mut block, 124, &octal_digits::<11>(size));
    put(&mut block, 136, b"00000000000\0");
    put(&mut block, CHECKSUM.start, b"        ");
    put(&mut block, 156, &[kind]);
    put(&mut block, 257, b"ustar\x0000");
    put(&mut block, 329, b"0000000\0");
    put(&mut block, 337, b"0000000\0");
    put(&mut block, 345, prefix.as_bytes());
    // The checksum's field holds blanks, as it is counted.
    let sum = block.iter().map(|byte| u64::from(*byte)).sum();
    put(&mut block, CHECKSUM.start, &octal_digits::<6>(sum));
    put(&mut block, CHECKSUM.start + 6, b"\0 ");
    block
}

/// The lowest `N` octal digits of `value`.
fn octal_digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
    digits
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    if let Some(field) = block.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

/// The sum of the block's bytes, its checksum field counted as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| u64::from(if CHECKSUM.contains(&at) { b' ' } else { *byte }))
        .sum()
}

/// Whether the block's checksum is right, in whatever form it is written.
#[must_use]
pub fn checksum_fits(block: &[u8; BLOCK]) -> bool {
    octal(&block[CHECKSUM]) == Some(checksum(block))
}

/// Whether the block is a header of the format that is read here.
#[must_use]
pub fn is_ustar(block: &[u8; BLOCK]) -> bool {
    &block[257..265] == b"ustar\x0000"
}

/// Reads a header's fields, whatever else is in it.
#[must_use]
pub fn fields(block: &[u8; BLOCK]) -> Fields {
    let text = |field: &[u8]| -> Vec<u8> {
        field
            .iter()
            .copied()
            .take_while(|byte| *byte != 0)
            .collect()
    };
    let (prefix, name) = (text(&block[345..500]), text(&block[NAME]));
    let path = if prefix.is_empty() {
        name
    } else {
        [prefix, b"/".to_vec(), name].concat()
    };
    let field = &block[124..136];
    let size = if field[0] & 0x80 != 0 {
        Size::Binary
    } else {
        octal(field).map_or(Size::Malformed, Size::Bytes)
    };
    Fields {
        path,
        size,
        kind: block[156],
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    if digits.is_empty() || digits.bytes().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    u64::from_str_radix(digits, 8).ok()
}

/// Reads the records of a PAX header; none where one is malformed.
#[must_use]
pub fn pax_records(mut body: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let space = body.iter().take(8).position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(body.get(..space)?).ok()?.parse().ok()?;
        let record = body.get(space + 1..length)?.strip_suffix(b"\n")?;
        records.push(std::str::from_utf8(record).ok()?.split_once('=')?);
        body = body.get(length..)?;
    }
    Some(records)
}

/// What a member of type flag `kind` is, as it reads in `a member is …`.
#[must_use]
pub fn kind_name(kind: u8) -> &'static str {
    match kind {
        b'1' => "a hard link",
        b'2' => "a symbolic link",
        b'3' | b'4' => "a device",
        b'5' => "a folder",
        b'6' => "a named pipe",
        b'L' | b'K' => "a long name in GNU's form",
        b'S' => "a sparse file",
        b'g' => "a global PAX header",
        _ => "of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_is_the_same_header_wherever_it_suffices() {
        let long = format!("{}/{}", "p".repeat(60), "n".repeat(70));
        for (path, size) in [("a", 0), ("a/b", 511), (long.as_str(), 0o777_7777_7777)] {
            let block = file_header(path, size).expect("fits");
            assert_eq!(member_header(path, size), block);
            assert!(checksum_fits(&block) && is_ustar(&block));
            assert_eq!(
                fields(&block),
                Fields {
                    path: path.as_bytes().to_vec(),
                    size: Size::Bytes(size),
                    kind: b'0'
                }
            );
        }
        assert_eq!(file_header("a", 0o100_000_000_000), None);
        assert_eq!(file_header(&"n".repeat(101), 0), None);
    }
}
