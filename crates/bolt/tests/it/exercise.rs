//! Everything that the reader does, on bytes from anywhere. The fuzz target has this file too.

use export_bolt::{Database, Step};

/// Reads what can be read; what the file says may not cost more than the file is long, and what is said
/// of it has to agree.
pub(crate) fn exercise(bytes: &[u8]) {
    let Ok(database) = Database::open(bytes) else {
        return;
    };
    let report = database.check().expect("a slice is read without errors");
    assert!(report.problems.len() <= 1000);
    let sound = report.problems.is_empty();

    let mut path: Vec<Vec<u8>> = Vec::new();
    let (mut keys, mut buckets, mut content, mut looked_up) = (0, 0, 0, 0);
    let mut complete = true;
    for step in database.walk() {
        match step {
            Ok(Step::Enter { entry, .. }) => {
                buckets += 1;
                content += entry.key().len();
                path.push(entry.key().to_vec());
            }
            Ok(Step::Leave) => {
                path.pop();
            }
            Ok(Step::Key(entry)) => {
                keys += 1;
                let value = entry.value().expect("a key has a value");
                content += entry.key().len() + value.len();
                // Each look-up reads a way down; not of every key, so that this stays linear.
                if looked_up < 64 {
                    looked_up += 1;
                    let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
                    let found = database.get(&path, entry.key());
                    if sound {
                        assert_eq!(found.expect("sound").as_deref(), Some(value));
                    }
                }
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                complete = false;
            }
        }
    }
    assert!(content <= bytes.len(), "more content than file");
    assert!((keys + buckets) * 16 <= bytes.len() as u64);
    if sound {
        assert!(complete, "check has to see what a walk trips over");
        assert_eq!((keys, buckets), (report.keys, report.buckets));
    }
    for entry in database.root().entries() {
        let Ok(entry) = entry else { break };
        if let Ok(Some(bucket)) = database.root().open(&entry) {
            let _ = bucket.entries().next();
        }
    }
}
