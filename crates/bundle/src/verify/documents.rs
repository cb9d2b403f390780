//! Judging the five documents: who signed them, and whether they belong together.
//!
//! There are three signatures: two over `export.json`, one over the provenance, which names the
//! digest of `export.json`. Where one of them fits and another does not, that tells which file was
//! altered. A signature document is accepted in exactly the bytes that are written here, so that
//! no two bundles differ and both verify.

use export_model::{ErrorCode, Sha256Digest};
use export_signing::bundle::{Bundle, Content, dsse_bundle, message_bundle};
use export_signing::{Fingerprint, PublicKey, detached, dsse};

use super::Trust;
use super::report::Problems;
use crate::manifest::{MAX_MANIFEST_BYTES, Manifest};
use crate::paths::{
    DOCUMENTS, MANIFEST, MANIFEST_BUNDLE, MANIFEST_SIGNATURE, PROVENANCE, PROVENANCE_BUNDLE, shown,
};
use crate::provenance::{CONTENT_SUBJECT, ProvenanceSummary};

/// The most bytes of each document that are read.
pub(crate) const DOCUMENT_LIMITS: [u64; 5] = [
    MAX_MANIFEST_BYTES as u64,
    detached::MAX_FILE_BYTES as u64,
    export_signing::bundle::MAX_BUNDLE_BYTES as u64,
    export_signing::bundle::MAX_BUNDLE_BYTES as u64,
    export_signing::bundle::MAX_BUNDLE_BYTES as u64,
];

/// The documents, in the order of [`DOCUMENTS`]; none where one is missing.
pub(crate) type Documents = [Option<Vec<u8>>; 5];

/// What the documents came to.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// The key that signed, or that the bundle names.
    pub(super) key: Option<Fingerprint>,
    /// The manifest, where it can be read, whether or not it can be trusted.
    pub(super) manifest: Option<Manifest>,
    /// Who built it, where the provenance says so.
    pub(super) builder_id: Option<String>,
    /// How it is sealed, as the provenance says.
    pub(super) sealing: Option<serde_json::Value>,
}

/// The key that the signature documents name. Nobody vouches for it.
pub(crate) fn named_key(documents: &Documents) -> Option<Fingerprint> {
    [&documents[2], &documents[4]]
        .into_iter()
        .flatten()
        .find_map(|bytes| Bundle::parse(bytes).ok()?.key)
}

/// Judges the documents.
pub(super) fn judge(documents: &Documents, trust: &Trust, problems: &mut Problems) -> Judgement {
    let [Some(export), ..] = documents else {
        if !problems.names(MANIFEST) {
            problems.add(
                ErrorCode::Incomplete,
                Some(MANIFEST),
                "it is missing, or not the first member; nothing can be checked without it",
            );
        }
        return Judgement {
            key: named_key(documents),
            ..Judgement::default()
        };
    };
    let named = named_key(documents);
    let before = problems.list.len();
    let signed_by = if trust.keys.is_empty() {
        compare_digests(documents, export, problems);
        None
    } else {
        check_signatures(documents, export, trust, problems)
    };
    let doubted = problems.list.len() > before;
    let manifest = match Manifest::parse(export) {
        Ok(manifest) => Some(manifest),
        // An altered manifest has been told already; one that was signed as it is is none of ours.
        Err(_) if doubted => None,
        Err(error) => {
            problems.add(ErrorCode::NotABundle, Some(MANIFEST), error.to_string());
            None
        }
    };
    if let Some(what) = manifest.as_ref().and_then(Manifest::inconsistency) {
        problems.add(ErrorCode::Altered, Some(MANIFEST), what);
    }
    let statement = check_provenance(documents, export, manifest.as_ref(), problems);
    let (builder_id, sealing) = match statement {
        Some(statement) => (Some(statement.builder_id), statement.sealing),
        None => (None, None),
    };
    Judgement {
        key: signed_by.or(named),
        manifest,
        builder_id,
        sealing,
    }
}

/// Checks all signatures; gives the trusted key that any of them was made with.
fn check_signatures(
    documents: &Documents,
    export: &[u8],
    trust: &Trust,
    problems: &mut Problems,
) -> Option<Fingerprint> {
    let [_, sig, bundle, _, envelope] = documents;
    let digest = Sha256Digest::of(export).0;
    let mut best: Option<(&PublicKey, [bool; 3])> = None;
    for key in &trust.keys {
        let fits = [
            sig.as_deref()
                .is_some_and(|sig| signature_fits(sig, &digest, key)),
            bundle
                .as_deref()
                .is_some_and(|bundle| bundle_fits(bundle, &digest, key)),
            envelope
                .as_deref()
                .is_some_and(|envelope| envelope_fits(envelope, key)),
        ];
        let count = |fits: [bool; 3]| fits.iter().filter(|fit| **fit).count();
        if fits != [false; 3] && best.is_none_or(|(_, other)| count(fits) > count(other)) {
            best = Some((key, fits));
        }
    }
    let Some((key, [sig_fits, bundle_fits, envelope_fits])) = best else {
        refuse_all(documents, trust, problems);
        return None;
    };
    let mut bad = |path: &str, what: &str| {
        problems.add(ErrorCode::BadSignature, Some(path), what);
    };
    // The provenance vouches for the manifest too, by digest.
    let vouched = envelope_fits
        && envelope.as_deref().and_then(manifest_in_envelope) == Some(Sha256Digest(digest));
    let both_missing_or_bad = !sig_fits && !bundle_fits && (sig.is_some() || bundle.is_some());
    if both_missing_or_bad && !vouched {
        bad(
            MANIFEST,
            "no signature fits it: it is not the document that was signed",
        );
    } else {
        if sig.is_some() && !sig_fits {
            bad(
                MANIFEST_SIGNATURE,
                "it is not the trusted key's signature over export.json",
            );
        }
        if bundle.is_some() && !bundle_fits {
            bad(
                MANIFEST_BUNDLE,
                "it is not the trusted key's signature over export.json",
            );
        }
    }
    if envelope.is_some() && !envelope_fits {
        bad(
            PROVENANCE_BUNDLE,
            "it holds no statement that the trusted key has signed",
        );
    }
    Some(key.fingerprint())
}

/// The digest of `export.json` that the statement in an envelope names.
fn manifest_in_envelope(file: &[u8]) -> Option<Sha256Digest> {
    match Bundle::parse(file).ok()?.content {
        Content::Dsse { payload, .. } => ProvenanceSummary::parse(&payload).ok()?.subject(MANIFEST),
        Content::Message { .. } => None,
    }
}

/// No signature fits any trusted key: says whether that is for another key's sake.
fn refuse_all(documents: &Documents, trust: &Trust, problems: &mut Problems) {
    let trusted: Vec<_> = trust.keys.iter().map(PublicKey::fingerprint).collect();
    let signatures = [(1, None), (2, hint(documents, 2)), (4, hint(documents, 4))];
    let foreign = signatures
        .iter()
        .filter_map(|(at, key)| Some((*at, (*key)?)))
        .find(|(_, key)| !trusted.contains(key));
    let list = || {
        let texts: Vec<_> = trusted.iter().map(Fingerprint::to_string).collect();
        texts.join(", ")
    };
    if let Some((at, key)) = foreign {
        problems.add(
            ErrorCode::WrongKey,
            DOCUMENTS.get(at).copied(),
            format!("it names the key {key}; trusted is {}", list()),
        );
        return;
    }
    let present: Vec<_> = [1, 2, 4]
        .into_iter()
        .filter(|at| documents.get(*at).is_some_and(Option::is_some))
        .filter_map(|at| DOCUMENTS.get(at))
        .collect();
    for path in &present {
        problems.add(
            ErrorCode::BadSignature,
            Some(path),
            format!("it is no signature by a trusted key ({})", list()),
        );
    }
}

fn hint(documents: &Documents, at: usize) -> Option<Fingerprint> {
    let bytes = documents.get(at)?.as_deref()?;
    Bundle::parse(bytes).ok()?.key
}

fn signature_fits(file: &[u8], digest: &[u8; 32], key: &PublicKey) -> bool {
    detached::parse(file).is_ok_and(|signature| {
        detached::write(&signature).as_bytes() == file
            && key.verify_digest(digest, &signature).is_ok()
    })
}

fn bundle_fits(file: &[u8], digest: &[u8; 32], key: &PublicKey) -> bool {
    let Ok(Bundle {
        content: Content::Message { signature, .. },
        ..
    }) = Bundle::parse(file)
    else {
        return false;
    };
    message_bundle(&signature, digest, &key.fingerprint()) == file
        && key.verify_digest(digest, &signature).is_ok()
}

fn envelope_fits(file: &[u8], key: &PublicKey) -> bool {
    let Ok(Bundle {
        content: Content::Dsse {
            payload, signature, ..
        },
        ..
    }) = Bundle::parse(file)
    else {
        return false;
    };
    dsse_bundle(&payload, &signature, &key.fingerprint()) == file
        && dsse::verify(key, dsse::IN_TOTO_PAYLOAD_TYPE, &payload, &signature).is_ok()
}

/// Without a key: whether the signature documents are well formed and about these documents.
fn compare_digests(documents: &Documents, export: &[u8], problems: &mut Problems) {
    let digest = Sha256Digest::of(export);
    if let Some(sig) = &documents[1]
        && !detached::parse(sig).is_ok_and(|parsed| detached::write(&parsed).as_bytes() == sig)
    {
        problems.add(
            ErrorCode::BadSignature,
            Some(MANIFEST_SIGNATURE),
            "it holds no signature",
        );
    }
    if let Some(bytes) = &documents[2] {
        match Bundle::parse(bytes) {
            Ok(Bundle {
                key: Some(key),
                content:
                    Content::Message {
                        digest: stated,
                        signature,
                    },
            }) if message_bundle(&signature, &stated, &key) == *bytes => {
                if stated != digest.0 {
                    problems.add(
                        ErrorCode::Altered,
                        Some(MANIFEST),
                        format!(
                            "its digest is {digest}, but {MANIFEST_BUNDLE} is about {}",
                            Sha256Digest(stated)
                        ),
                    );
                }
            }
            Ok(_) => problems.add(
                ErrorCode::BadSignature,
                Some(MANIFEST_BUNDLE),
                "it is not in the form that bundles are signed in",
            ),
            Err(error) => problems.add(
                ErrorCode::BadSignature,
                Some(MANIFEST_BUNDLE),
                error.to_string(),
            ),
        }
    }
    if let Some(bytes) = &documents[4] {
        match Bundle::parse(bytes) {
            Ok(Bundle {
                key: Some(key),
                content:
                    Content::Dsse {
                        payload, signature, ..
                    },
            }) if dsse_bundle(&payload, &signature, &key) == *bytes => {}
            Ok(_) => problems.add(
                ErrorCode::BadSignature,
                Some(PROVENANCE_BUNDLE),
                "it is not in the form that bundles are signed in",
            ),
            Err(error) => problems.add(
                ErrorCode::BadSignature,
                Some(PROVENANCE_BUNDLE),
                error.to_string(),
            ),
        }
    }
}

/// Whether the provenance is the one in its envelope, and about this manifest and content.
fn check_provenance(
    documents: &Documents,
    export: &[u8],
    manifest: Option<&Manifest>,
    problems: &mut Problems,
) -> Option<ProvenanceSummary> {
    let [_, _, _, provenance, envelope] = documents;
    let provenance = provenance.as_deref()?;
    // An envelope that was found bad says nothing of the statement beside it.
    let envelope = envelope
        .as_deref()
        .filter(|_| !problems.names(PROVENANCE_BUNDLE));
    let mut altered = |what: String| problems.add(ErrorCode::Altered, Some(PROVENANCE), what);
    if let Some(Ok(Bundle {
        content: Content::Dsse { payload, .. },
        ..
    })) = envelope.map(Bundle::parse)
        && payload != provenance
    {
        altered(format!("it is not the statement in {PROVENANCE_BUNDLE}"));
        return None;
    }
    if let Err(error) = export_canonical::jcs::is_jcs(provenance) {
        altered(error.to_string());
        return None;
    }
    let statement = match ProvenanceSummary::parse(provenance) {
        Ok(statement) => statement,
        Err(error) => {
            altered(error.to_string());
            return None;
        }
    };
    let expected = [
        (MANIFEST, Some(Sha256Digest::of(export))),
        (
            CONTENT_SUBJECT,
            manifest.map(|manifest| manifest.content_digest),
        ),
    ];
    // Whose files are sealed says nothing of their content.
    let expected = match manifest {
        Some(manifest) if manifest.sealed.is_some() => &expected[..1],
        _ => &expected[..],
    };
    let subjects_differ = statement.subjects.len() != expected.len()
        || expected
            .iter()
            .any(|(name, digest)| digest.is_some() && statement.subject(name) != *digest);
    // Where the manifest is what was altered, this says nothing new.
    if subjects_differ && !problems.names(MANIFEST) {
        problems.add(
            ErrorCode::Altered,
            Some(PROVENANCE),
            "it is about another export.json or another content",
        );
    }
    if let Some(manifest) = manifest
        && let Some(tenant) = not_approved(manifest, &statement)
        && !problems.names(MANIFEST)
    {
        problems.add(
            ErrorCode::Altered,
            Some(PROVENANCE),
            format!("it names no approval of tenant {}", shown(tenant)),
        );
    }
    Some(statement)
}

/// A tenant whose evidence was exported by another one, without an approval.
fn not_approved<'a>(manifest: &'a Manifest, statement: &ProvenanceSummary) -> Option<&'a str> {
    let own = manifest.run.tenant.as_str();
    manifest
        .owners()?
        .into_iter()
        .find(|owner| *owner != own && !statement.grantors.iter().any(|grantor| grantor == owner))
}
