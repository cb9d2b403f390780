mod across;
mod assembled;
mod contents;
mod mirrors;
mod tampering;
mod verdicts;

use export_signing::SigningKey;

use super::*;
use crate::test_support::{Member, archive_as_given};

fn trusting(key: &SigningKey) -> Trust {
    Trust {
        keys: vec![key.public_key().clone()],
    }
}

const PLAIN: VerifyOptions = VerifyOptions {
    deep: false,
    threads: 0,
    keys: Keys(None),
};
const DEEP: VerifyOptions = VerifyOptions {
    deep: true,
    threads: 2,
    keys: Keys(None),
};

fn check(members: &[Member], key: &SigningKey, options: &VerifyOptions) -> Report {
    verify_archive(
        archive_as_given(members).as_slice(),
        &trusting(key),
        options,
    )
    .unwrap()
}

/// What is wrong, shortly: code and path of each problem.
fn found(report: &Report) -> Vec<(&'static str, Option<&str>)> {
    report
        .problems
        .iter()
        .map(|problem| (problem.code.as_str(), problem.path.as_deref()))
        .collect()
}
