//! Comparing what the files of records came to with what went into the export.

use std::collections::BTreeMap;

use export_canonical::record::{Limits, check};
use export_model::{
    InputHasher, Kind, Position, ProfileKind, QuarantinedRecord, Sha256Digest, Tenant,
};

use super::chain::{Chain, FileHash, FileResult, Kept};
use super::problem;
use crate::manifest::Manifest;
use crate::paths::content_path;
use crate::payload::inputs::InputLine;
use crate::payload::snapshot::SnapshotDocument;
use crate::payload::{
    DELTA_CHANGES, INPUTS, MANIFESTS_LAYER, POLICY_SNAPSHOT, QUARANTINE, TREE, quarantine,
};

/// Compares; what does not fit is added to the chain's problems.
pub(super) fn compare(manifest: &Manifest, chain: &mut Chain, snapshot: &[u8]) {
    if let Err(what) = check_snapshot(manifest, chain, snapshot) {
        chain.problems.push(problem(POLICY_SNAPSHOT, what));
    }
    let inputs = match lines(&chain.inputs, |line| {
        InputLine::parse(line).map_err(|error| error.to_string())
    }) {
        Ok(inputs) => inputs,
        Err(what) => {
            chain.problems.push(problem(INPUTS, what));
            return;
        }
    };
    if let Err(what) = check_order(&inputs).and_then(|()| check_owners(manifest, &inputs)) {
        chain.problems.push(problem(INPUTS, what));
        return;
    }
    let quarantined = match chain.quarantine.take() {
        None => None,
        Some(text) => {
            let parsed = lines(&text, |line| {
                quarantine::parse(line).map_err(|error| error.to_string())
            })
            .and_then(|list| check_quarantine(manifest, list));
            match parsed {
                Ok(list) => Some(list),
                Err(what) => {
                    chain.problems.push(problem(QUARANTINE, what));
                    return;
                }
            }
        }
    };
    let results = std::mem::take(&mut chain.results);
    let mut by_path: BTreeMap<&str, &FileResult> = results
        .iter()
        .filter_map(|result| {
            let entry = manifest.files.get(result.index)?;
            Some((content_path(&entry.path), result))
        })
        .collect();
    let mut rest = quarantined.as_deref();
    for input in &inputs {
        let left_out = rest.as_mut().map(|rest| take_part(rest, input));
        let result = input.file.as_deref().and_then(|path| by_path.remove(path));
        if let Err(what) = check_part(manifest, chain, input, result, left_out) {
            let what = format!("part {}: {what}", input.part);
            chain.problems.push(problem(INPUTS, what));
        }
    }
    if let Some([record, ..]) = rest {
        let what = format!("`{}` belongs to no part", record.id);
        chain.problems.push(problem(QUARANTINE, what));
    }
    for path in by_path.keys() {
        let what = format!("no part names {path}");
        chain.problems.push(problem(INPUTS, what));
    }
    if manifest.profile.kind.is_mirror()
        && chain.problems.is_empty()
        && let Err((path, what)) = check_tree(manifest, chain)
    {
        chain.problems.push(problem(path, what));
    }
    if manifest.profile.kind.is_assembled()
        && let Err(what) = check_counts(manifest, &inputs)
    {
        chain.problems.push(problem(INPUTS, what));
    }
}

/// The documents that a mirror carries are those that its lists name.
fn check_tree(manifest: &Manifest, chain: &mut Chain) -> Result<(), (&'static str, String)> {
    let tree = std::mem::take(&mut chain.tree);
    let Some(section) = manifest.mirror() else {
        return Ok(());
    };
    if section.base.is_some() {
        return if tree.carries_what_has_changed() {
            Ok(())
        } else {
            let what = "its documents are not those that the layers carry";
            Err((DELTA_CHANGES, what.to_owned()))
        };
    }
    let summary = tree.summary();
    if summary.tree_digest != section.tree_digest {
        let what = format!(
            "the documents that the layers carry make a tree of the digest {}, but {} was signed",
            summary.tree_digest, section.tree_digest
        );
        return Err((TREE, what));
    }
    let listed = manifest.file(MANIFESTS_LAYER);
    let expected = super::layer::manifests(&summary);
    if listed.is_none_or(|(_, file)| (file.content_size, file.content_sha256) != expected) {
        let what = "its counts are not those of the tree";
        return Err((MANIFESTS_LAYER, what.to_owned()));
    }
    Ok(())
}

/// Of an assembled payload only its inputs tell how many records went into it.
fn check_counts(manifest: &Manifest, inputs: &[InputLine]) -> Result<(), String> {
    let mut by_kind: BTreeMap<Kind, u64> = BTreeMap::new();
    let mut by_tenant: BTreeMap<Tenant, u64> = manifest
        .counts
        .by_tenant
        .keys()
        .map(|tenant| (tenant.clone(), 0))
        .collect();
    let mut quarantined = 0_u64;
    for input in inputs {
        let left = input.records.saturating_sub(input.quarantined);
        let sum = by_kind.entry(input.kind).or_default();
        *sum = sum.saturating_add(left);
        if let Some(tenant) = &input.tenant {
            let sum = by_tenant.entry(tenant.clone()).or_default();
            *sum = sum.saturating_add(left);
        }
        quarantined = quarantined.saturating_add(input.quarantined);
    }
    let counts = &manifest.counts;
    let of = |kinds: &BTreeMap<Kind, u64>, kind| kinds.get(&kind).copied().unwrap_or(0);
    let same_kinds = Kind::ALL
        .into_iter()
        .all(|kind| of(&by_kind, kind) == of(&counts.by_kind, kind));
    let signed = counts.quarantined.values();
    let signed = signed.fold(0_u64, |sum, count| sum.saturating_add(*count));
    if same_kinds && by_tenant == counts.by_tenant && quarantined == signed {
        return Ok(());
    }
    Err("its parts have other numbers of records than export.json says".to_owned())
}

/// Reads lines, each canonical and ended.
fn lines<T>(text: &[u8], parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut parsed = Vec::new();
    let mut rest = text;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end);
        let checked = check(line, &Limits::default()).map_err(|error| error.to_string());
        let value = checked
            .and_then(|()| parse(line))
            .map_err(|what| format!("line {}: {what}", parsed.len() + 1))?;
        parsed.push(value);
        rest = after.get(1..).unwrap_or_default();
    }
    Ok(parsed)
}

/// Parts are numbered from 0, in canonical order, and do not overlap.
fn check_order(inputs: &[InputLine]) -> Result<(), String> {
    let mut previous: Option<(Option<&Tenant>, Kind, Position)> = None;
    for (index, input) in inputs.iter().enumerate() {
        let (first, last) = (input.first.position(), input.last.position());
        let after = previous.as_ref().is_none_or(|(owner, kind, last)| {
            (*owner, kind, last) < (input.tenant.as_ref(), &input.kind, &first)
        });
        if usize::try_from(input.part) != Ok(index) || first > last || !after {
            return Err(format!("line {}: the part is out of order", index + 1));
        }
        previous = Some((input.tenant.as_ref(), input.kind, last));
    }
    Ok(())
}

/// Every part names one of the bundle's owners where there are several, and none where not.
fn check_owners(manifest: &Manifest, inputs: &[InputLine]) -> Result<(), String> {
    let owners = manifest.owners();
    for (index, input) in inputs.iter().enumerate() {
        let fits = match (&owners, &input.tenant) {
            (None, None) => true,
            (Some(owners), Some(tenant)) => owners.contains(tenant.as_str()),
            _ => false,
        };
        if !fits {
            let line = index + 1;
            return Err(format!(
                "line {line}: the part is of no tenant that it can be of"
            ));
        }
    }
    Ok(())
}

/// The list is in canonical order, and counts as the manifest says.
fn check_quarantine(
    manifest: &Manifest,
    list: Vec<QuarantinedRecord>,
) -> Result<Vec<QuarantinedRecord>, String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (index, record) in list.iter().enumerate() {
        let key = |record: &QuarantinedRecord| {
            (
                record.tenant.clone(),
                record.kind,
                record.subject_key.clone(),
                record.id.clone(),
            )
        };
        if index > 0
            && list
                .get(index - 1)
                .is_some_and(|last| key(last) >= key(record))
        {
            return Err(format!("line {}: the record is out of order", index + 1));
        }
        *counts.entry(&record.code).or_default() += 1;
    }
    let signed: BTreeMap<&str, u64> = manifest
        .counts
        .quarantined
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(code, count)| (code.as_str(), *count))
        .collect();
    if counts == signed {
        Ok(list)
    } else {
        Err("it does not have as many records of each code as export.json says".to_owned())
    }
}

/// Takes the quarantined records of a part off the front of the list.
fn take_part<'a>(rest: &mut &'a [QuarantinedRecord], input: &InputLine) -> &'a [QuarantinedRecord] {
    let (first, last) = (input.first.position(), input.last.position());
    let count = rest
        .iter()
        .take_while(|record| {
            let at = position(record);
            record.tenant == input.tenant && record.kind == input.kind && first <= at && at <= last
        })
        .count();
    let (part, after) = rest.split_at(count);
    *rest = after;
    part
}

fn position(record: &QuarantinedRecord) -> Position {
    Position {
        subject_key: record.subject_key.clone(),
        id: record.id.clone(),
    }
}

fn check_part(
    manifest: &Manifest,
    chain: &mut Chain,
    input: &InputLine,
    result: Option<&FileResult>,
    left_out: Option<&[QuarantinedRecord]>,
) -> Result<(), String> {
    if left_out.is_some_and(|left_out| left_out.len() as u64 != input.quarantined) {
        return Err(format!(
            "the list of quarantined records has not {}",
            input.quarantined
        ));
    }
    let (records, quarantined, bytes) = match (&input.file, result) {
        (None, _) if manifest.profile.kind.is_assembled() => {
            if input.quarantined > input.records {
                return Err("more of its records were quarantined than it had".to_owned());
            }
            // Which records they were, the files that were made of them do not tell.
            return Ok(());
        }
        (None, _) => (0, input.quarantined, None),
        (Some(path), None) => return Err(format!("it names {path}, which is no file of records")),
        (Some(_), Some(result)) => {
            let entry = manifest.files.get(result.index);
            if entry.is_some_and(|entry| {
                entry.record_kind() != Some(input.kind)
                    || entry.record_owner() != input.tenant.as_ref().map(Tenant::as_str)
            }) {
                return Err("its file is another tenant's or of another kind".to_owned());
            }
            let records = entry.and_then(|entry| entry.records).unwrap_or(0);
            (
                records,
                entry.and_then(|entry| entry.quarantined).unwrap_or(0),
                Some(result.bytes),
            )
        }
    };
    if records.checked_add(quarantined) != Some(input.records) || quarantined != input.quarantined {
        return Err(format!(
            "it had {} records, {} of them quarantined, but there are {records} and {quarantined}",
            input.records, input.quarantined
        ));
    }
    let Some(result) = result else {
        return match left_out {
            Some(left_out) => compare_hash(input, merged(&[], left_out)),
            None => Ok(()),
        };
    };
    if result
        .first
        .as_ref()
        .is_some_and(|first| *first < input.first.position())
        || result
            .last
            .as_ref()
            .is_some_and(|last| *last > input.last.position())
    {
        return Err("its file has records outside of it".to_owned());
    }
    match (&result.hash, left_out) {
        (FileHash::Whole(hash), _) => {
            if bytes != Some(input.bytes) {
                return Err("its file has another size than its records had".to_owned());
            }
            compare_hash(input, *hash)
        }
        (FileHash::Keys(kept), Some(left_out)) => compare_hash(input, merged(kept, left_out)),
        (FileHash::Keys(_), None) => Ok(()),
        (FileHash::Unknown, _) => {
            let path = input.file.as_deref().unwrap_or_default();
            let told = |text: &String| text.starts_with(path);
            let failed = chain
                .problems
                .iter()
                .any(|problem| problem.path.as_ref().is_some_and(told));
            if !failed {
                chain.unchecked.push(format!(
                    "{path}: too many records are in parts with quarantined ones to be held in \
                     memory, so this part's input hash was not computed"
                ));
            }
            Ok(())
        }
    }
}

fn compare_hash(input: &InputLine, found: Sha256Digest) -> Result<(), String> {
    if found == input.hash {
        Ok(())
    } else {
        Err(format!(
            "its input hash is {found}, but {} was signed",
            input.hash
        ))
    }
}

/// The input hash over exported and quarantined records together, both in canonical order.
fn merged(kept: &[Kept], left_out: &[QuarantinedRecord]) -> Sha256Digest {
    let mut hasher = InputHasher::default();
    let mut left_out = left_out.iter().peekable();
    for record in kept {
        while let Some(other) = left_out.next_if(|other| position(other) < record.position) {
            hasher.add(&other.id, &other.record_sha256);
        }
        hasher.add(&record.position.id, &record.sha256);
    }
    for other in left_out {
        hasher.add(&other.id, &other.record_sha256);
    }
    hasher.finish()
}

fn check_snapshot(manifest: &Manifest, chain: &mut Chain, bytes: &[u8]) -> Result<(), String> {
    let listed = manifest.file(POLICY_SNAPSHOT).is_some();
    let kind = manifest.profile.kind;
    let wanted = kind == ProfileKind::JsonPolicy || kind.is_mirror() && listed;
    if listed != wanted {
        return Err(format!(
            "an export of {} and a policy snapshot do not go together",
            manifest.profile.kind
        ));
    }
    if !listed {
        return Ok(());
    }
    export_canonical::jcs::is_jcs(bytes).map_err(|error| error.to_string())?;
    let document = SnapshotDocument::parse(bytes).map_err(|error| error.to_string())?;
    let traces = std::mem::take(&mut chain.traces);
    if document.tenant != manifest.run.tenant {
        return Err("it belongs to another tenant".to_owned());
    }
    if kind.is_mirror() {
        return match document.fingerprint {
            None => Ok(()),
            Some(_) => Err("it has a fingerprint, which a mirror's has not".to_owned()),
        };
    }
    // Findings that could not be read have been told, and would only be told again.
    let unread = chain.problems.iter().any(|problem| {
        problem
            .path
            .as_deref()
            .is_some_and(|path| path.contains("/finding/"))
    });
    if unread
        || (document.findings, document.fingerprint) == (traces.findings(), Some(traces.finish()))
    {
        return Ok(());
    }
    Err("its fingerprint is not that of the findings in the bundle".to_owned())
}
