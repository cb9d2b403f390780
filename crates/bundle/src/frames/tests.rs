use super::*;

fn compressed(content: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = FrameCompressor::new(level).unwrap();
    let mut out = Vec::new();
    if content.is_empty() {
        compressor.compress(content, &mut out).unwrap();
    }
    for chunk in content.chunks(FRAME_BYTES) {
        compressor.compress(chunk, &mut out).unwrap();
    }
    out
}

fn content(stored: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut reader = FrameReader::new(stored).unwrap();
    let (mut frame, mut all) = (Vec::new(), Vec::new());
    while reader.next_frame(&mut frame)? {
        all.extend_from_slice(&frame);
    }
    Ok(all)
}

fn text(bytes: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| format!("line {} of {}\n", n, n.wrapping_mul(2_654_435_761)).into_bytes())
        .take(bytes)
        .collect()
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

#[test]
fn what_is_written_reads_back() {
    let long = text(2 * FRAME_BYTES + 7);
    for level in [1, 3, 19] {
        for content_bytes in [&b""[..], b"x", &long[..300], &long[..70_000]] {
            let stored = compressed(content_bytes, level);
            assert_eq!(content(&stored).unwrap(), content_bytes);
        }
    }
    assert!(content(&compressed(&long, 3)).unwrap() == long);
    assert!(content(&compressed(&long[..2 * FRAME_BYTES], 1)).unwrap() == long[..2 * FRAME_BYTES]);
    let noise = noise(FRAME_BYTES + 1);
    assert!(content(&compressed(&noise, 3)).unwrap() == noise);
    let zeros = vec![0; FRAME_BYTES];
    assert!(content(&compressed(&zeros, 3)).unwrap() == zeros);
}

#[test]
fn a_frame_does_not_depend_on_what_was_compressed_before() {
    let (a, b) = (text(100_000), noise(5_000));
    let mut compressor = FrameCompressor::new(3).unwrap();
    let mut both = Vec::new();
    compressor.compress(&b, &mut both).unwrap();
    let start = both.len();
    compressor.compress(&a, &mut both).unwrap();
    assert_eq!(both[start..], compressed(&a, 3));
    assert!(
        compressor
            .compress(&vec![0; FRAME_BYTES + 1], &mut both)
            .is_err()
    );
}

#[test]
fn the_command_line_tool_reads_it_as_one_file() {
    use std::io::Write as _;
    let content_bytes = text(FRAME_BYTES + 100);
    let stored = compressed(&content_bytes, 3);
    let spawned = std::process::Command::new("zstd")
        .args(["-dc"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        println!("skipped: there is no zstd here");
        return;
    };
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&stored));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success() && output.stdout == content_bytes);
}

#[test]
fn other_frames_are_refused() {
    let good = compressed(b"content", 3);
    let short_first = [good.clone(), good.clone()].concat();
    let skippable = [&good[..], &[0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9]].concat();
    let garbage = [&good[..], b"x"].concat();
    let streamed = zstd::stream::encode_all(&b"content"[..], 3).unwrap();
    let mut no_checksum = Vec::with_capacity(100);
    zstd::bulk::Compressor::new(3)
        .unwrap()
        .compress_to_buffer(b"content", &mut no_checksum)
        .unwrap();
    let large = {
        let mut large = zstd::bulk::Compressor::new(1).unwrap();
        large.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
        large.compress(&vec![0; FRAME_BYTES + 1]).unwrap()
    };
    for (stored, expected) in [
        (&b""[..], "end within"),
        (&good[..good.len() - 1], "end within"),
        (&short_first, "follows one that is shorter"),
        (&skippable, "no zstd frame"),
        (&garbage, "end within"),
        (b"plain text", "no zstd frame at byte 0"),
        (&streamed, "no checksum"),
        (&no_checksum, "no checksum"),
        (&large, "more than 8 MiB"),
    ] {
        let error = content(stored).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn no_damage_passes_for_the_content() {
    let original = text(3_000);
    let good = compressed(&original, 3);
    for at in 0..good.len() {
        assert!(content(&good[..at]).is_err(), "cut at {at}");
        for bit in [1, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            // A bit that says nothing of the content may change and leave it as it was.
            if let Ok(read) = content(&bad) {
                assert_eq!(read, original, "byte {at}");
            }
        }
    }
}

#[test]
fn version_is_that_of_the_library() {
    assert!(libzstd_version().starts_with("1."), "{}", libzstd_version());
}
