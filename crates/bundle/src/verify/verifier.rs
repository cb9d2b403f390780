//! Verifying members as they come.

use std::sync::Arc;

use export_model::{ErrorCode, Sha256Digest};
use export_sealing::{Keyring, OpenError, OpenErrorKind};
use export_signing::Fingerprint;
use sha2::{Digest, Sha256};

use super::deep::DeepCheck;
use super::documents::{DOCUMENT_LIMITS, Documents, judge};
use super::opening::{Opening, SealedAs};
use super::report::{Problems, Report, Summary, Verdict};
use super::signed::SignedDocuments;
use super::{Trust, VerifyOptions};
use crate::manifest::{ContentDocument, MAX_MANIFEST_BYTES, Manifest};
use crate::paths::{DOCUMENTS, MANIFEST};

/// What to do with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Feed its content.
    Read,
    /// Go over its content; it is not wanted.
    Skip,
    /// Feed nothing more: what follows cannot be judged.
    Stop,
}

/// What is known of a payload file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    No,
    Yes,
    /// It was there, but is not the one that was signed.
    Altered,
}

enum Current {
    Nothing,
    Document {
        index: usize,
        bytes: Vec<u8>,
    },
    File {
        index: usize,
        sha: Sha256,
        size: u64,
        opening: Option<Box<Opening>>,
    },
}

/// Verifies a bundle whose members it is fed in archive order.
///
/// For each member: [`begin`](Self::begin), [`data`](Self::data) as often as there is some, and
/// [`end`](Self::end); when all were fed, [`finish`](Self::finish).
pub struct Verifier {
    trust: Trust,
    options: VerifyOptions,
    problems: Problems,
    documents: Documents,
    next_document: usize,
    /// Documents that came when the others had been judged.
    late: [bool; 5],
    judged: bool,
    key: Option<Fingerprint>,
    builder_id: Option<String>,
    manifest: Option<Arc<Manifest>>,
    /// What opens a sealed bundle, and its whole manifest once that was opened.
    keyring: Option<Arc<Keyring>>,
    inner: Option<Arc<Manifest>>,
    /// Whether a file could not be opened.
    unopened: bool,
    seen: Vec<Seen>,
    next_file: usize,
    /// Of a sealed bundle: which file tells what is in the others.
    content: Option<usize>,
    current: Current,
    members: u64,
    /// Whether what follows cannot be told missing, because reading stopped before it.
    stopped: bool,
    deep: Option<DeepCheck>,
}

impl Verifier {
    /// A verifier that trusts `trust`.
    #[must_use]
    pub fn new(trust: &Trust, options: &VerifyOptions) -> Self {
        Self {
            trust: trust.clone(),
            options: options.clone(),
            problems: Problems::default(),
            documents: Documents::default(),
            next_document: 0,
            late: [false; 5],
            judged: false,
            key: None,
            builder_id: None,
            manifest: None,
            keyring: None,
            inner: None,
            unopened: false,
            seen: Vec::new(),
            next_file: 0,
            content: None,
            current: Current::Nothing,
            members: 0,
            stopped: false,
            deep: None,
        }
    }

    /// Begins a member of `size` bytes. Its name and size are judged before its content is read.
    pub fn begin(&mut self, path: &str, size: u64) -> Flow {
        self.members += 1;
        self.current = Current::Nothing;
        let document = DOCUMENTS.iter().position(|name| *name == path);
        let flow = match document {
            Some(index) => self.begin_document(index, size),
            None => self.begin_file(path, size),
        };
        self.stopped |= flow == Flow::Stop;
        flow
    }

    /// Takes the next bytes of the member's content.
    pub fn data(&mut self, bytes: &[u8]) {
        match &mut self.current {
            Current::Nothing => {}
            Current::Document { index, bytes: all } => {
                let limit = DOCUMENT_LIMITS.get(*index).copied().unwrap_or(0);
                if all.len() as u64 <= limit {
                    all.extend_from_slice(bytes);
                }
            }
            Current::File {
                index,
                sha,
                size,
                opening,
            } => {
                sha.update(bytes);
                *size += bytes.len() as u64;
                let Some(opening) = opening else {
                    if let Some(deep) = &mut self.deep {
                        deep.data(bytes);
                    }
                    return;
                };
                let (index, failed) = (*index, opening.feed(bytes));
                if self.content != Some(index) {
                    if let Some(deep) = &mut self.deep {
                        deep.data(&opening.out);
                    }
                    opening.out.clear();
                } else if opening.out.len() > MAX_MANIFEST_BYTES {
                    opening.out.truncate(MAX_MANIFEST_BYTES + 1);
                }
                if let Some(error) = failed {
                    self.not_opened(index, &error);
                }
            }
        }
    }

    /// Ends the member.
    pub fn end(&mut self) {
        match std::mem::replace(&mut self.current, Current::Nothing) {
            Current::Nothing => {}
            Current::Document { index, bytes } => {
                if let Some(document) = self.documents.get_mut(index) {
                    *document = Some(bytes);
                }
            }
            Current::File {
                index,
                sha,
                size,
                opening,
            } => {
                let digest = Sha256Digest(sha.finalize().into());
                self.end_file(index, digest, size);
                if let Some(opening) = opening {
                    self.end_opening(index, *opening);
                }
                if let Some(deep) = &mut self.deep {
                    deep.end();
                }
            }
        }
    }

    /// Says that the input ends within a member, or before its end mark.
    pub fn cut(&mut self, path: Option<&str>, detail: &str) {
        self.abandon();
        self.problems.add(ErrorCode::Incomplete, path, detail);
    }

    /// Says that what holds the members is damaged at a member, so that nothing more can be fed.
    /// Before the first member, that means that it is no bundle at all.
    pub fn damaged(&mut self, path: Option<&str>, detail: &str) {
        self.abandon();
        self.stopped = true;
        let code = if self.members == 0 {
            ErrorCode::NotABundle
        } else {
            ErrorCode::Altered
        };
        self.problems.add(code, path, detail);
    }

    /// Says that there is something that no bundle has, but whose content can be gone over.
    pub fn unexpected(&mut self, path: &str, detail: &str) {
        self.problems.add(ErrorCode::Altered, Some(path), detail);
    }

    /// The verdict.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.abandon();
        if !self.judged && (self.members > 0 || !self.stopped) {
            self.judge();
        }
        self.report_missing();
        let mut unchecked = Vec::new();
        let is_sealed = self.content.is_some();
        let opened = is_sealed && self.inner.is_some() && !self.unopened;
        if is_sealed && self.options.keys.0.is_none() && self.options.deep {
            unchecked.push(
                "the contents: they are sealed, and no identity was given to open them".to_owned(),
            );
        }
        let contents = self.inner.as_ref().or(self.manifest.as_ref()).cloned();
        if let (Some(deep), Some(manifest)) = (self.deep.take(), &contents) {
            let complete = self.seen.iter().all(|seen| *seen == Seen::Yes);
            let (found, not_checked) = deep.finish(manifest, complete);
            unchecked.extend(not_checked);
            for problem in found {
                let outer = self.manifest.as_ref();
                let path = problem.path.as_deref();
                let file = path.and_then(|path| outer?.file(path));
                let seen = file.and_then(|(index, _)| self.seen.get(index));
                // A file that is not the one that was signed has been named already.
                if seen.is_none_or(|seen| *seen == Seen::Yes) {
                    self.problems.push(problem);
                }
            }
        }
        let (verdict, code) = match self.problems.gravest {
            Some(code) => (Verdict::Failed, Some(code)),
            None if self.trust.keys.is_empty() => (Verdict::NotVerified, Some(ErrorCode::NoKey)),
            None => (Verdict::Verified, None),
        };
        let builder_id = self.builder_id;
        Report {
            verdict,
            code,
            key: self.key,
            summary: self.manifest.map(|manifest| {
                let mut summary = Summary::new(&manifest, builder_id);
                if let Some(inner) = &self.inner {
                    summary.content_digest = Some(inner.content_digest);
                    summary.content_bytes = inner.content_bytes();
                }
                summary
            }),
            problems: self.problems.list,
            problems_omitted: self.problems.omitted,
            deep: self.options.deep,
            opened,
            unchecked,
        }
    }

    /// The documents that were fed, judged before any payload.
    ///
    /// # Errors
    /// What is wrong with them; also when there was no key to judge them by.
    pub(super) fn signed(mut self) -> Result<SignedDocuments, Box<Report>> {
        if !self.judged {
            self.judge();
        }
        // The payload was not asked for, so that it is not missing.
        self.stopped = true;
        let manifest = self.manifest.clone();
        let documents = std::mem::take(&mut self.documents);
        let have = documents.each_ref().map(Option::is_some);
        for (kept, have) in self.documents.iter_mut().zip(have) {
            *kept = have.then(Vec::new);
        }
        let builder_id = self.builder_id.clone();
        let report = self.finish();
        match (report.verdict, manifest, report.key) {
            (Verdict::Verified, Some(manifest), Some(key)) => Ok(SignedDocuments {
                documents: documents.map(Option::unwrap_or_default),
                manifest,
                key,
                builder_id,
            }),
            _ => Err(Box::new(report)),
        }
    }

    fn begin_document(&mut self, index: usize, size: u64) -> Flow {
        let path = DOCUMENTS.get(index).copied();
        let have = self.documents.get(index).is_some_and(Option::is_some);
        if have || self.late.get(index).copied().unwrap_or(false) {
            self.problems
                .add(ErrorCode::Altered, path, "it is there twice");
            return self.pass_over(size);
        }
        if self.judged || index < self.next_document {
            self.problems
                .add(ErrorCode::Altered, path, "it is out of order");
        }
        if self.judged {
            if let Some(late) = self.late.get_mut(index) {
                *late = true;
            }
            return self.pass_over(size);
        }
        self.next_document = self.next_document.max(index + 1);
        let limit = DOCUMENT_LIMITS.get(index).copied().unwrap_or(0);
        if size > limit {
            self.problems.add(
                ErrorCode::Altered,
                path,
                format!("it has {size} bytes; at most {limit} are read"),
            );
            if let Some(late) = self.late.get_mut(index) {
                *late = true;
            }
            return Flow::Stop;
        }
        self.current = Current::Document {
            index,
            bytes: Vec::with_capacity(usize::try_from(size).unwrap_or(0)),
        };
        Flow::Read
    }

    fn begin_file(&mut self, path: &str, size: u64) -> Flow {
        if self.members == 1 && !path.starts_with("payload/") {
            self.problems.add(
                ErrorCode::NotABundle,
                Some(path),
                "a bundle begins with export.json",
            );
            self.judged = true;
            return Flow::Stop;
        }
        if !self.judged {
            self.judge();
        }
        let Some(manifest) = self.manifest.clone() else {
            return Flow::Stop;
        };
        let Some((index, file)) = manifest.listed(path) else {
            self.problems.add(
                ErrorCode::Altered,
                Some(path),
                "export.json does not list it",
            );
            return self.pass_over(size);
        };
        if self.seen.get(index) != Some(&Seen::No) {
            self.problems
                .add(ErrorCode::Altered, Some(path), "it is there twice");
            return self.pass_over(size);
        }
        // What tells of the others comes before them, whatever its name.
        let is_first = self.content == Some(index) && self.next_file == 0;
        if index < self.next_file || self.content == Some(index) && !is_first {
            self.problems
                .add(ErrorCode::Altered, Some(path), "it is out of order");
        }
        if !is_first {
            self.next_file = self.next_file.max(index + 1);
        }
        self.mark(index, Seen::Yes);
        if size != file.size {
            self.altered(
                index,
                format!("it has {size} bytes, but {} were signed", file.size),
            );
            return self.pass_over(size);
        }
        let keys = self.keyring.as_ref().filter(|_| !self.unopened);
        self.current = Current::File {
            index,
            sha: Sha256::new(),
            size: 0,
            opening: keys.map(|keys| Box::new(Opening::new(keys, &file.path))),
        };
        if let Some(deep) = &mut self.deep {
            let inner = self.inner.as_ref();
            let inner = inner.and_then(|inner| Some(inner.file(&file.path)?.0));
            if let Some(index) = inner.or((self.content.is_none()).then_some(index)) {
                deep.begin(index);
            }
        }
        Flow::Read
    }

    fn end_file(&mut self, index: usize, digest: Sha256Digest, size: u64) {
        let Some(file) = self.manifest.as_ref().and_then(|m| m.files.get(index)) else {
            return;
        };
        if size != file.size {
            let what = format!("it has {size} bytes, but {} were signed", file.size);
            self.altered(index, what);
        } else if digest != file.sha256 {
            let what = format!("its digest is {digest}, but {} was signed", file.sha256);
            self.altered(index, what);
        }
    }

    /// Ends the opening of a file; of the one that tells of the others, reads it.
    fn end_opening(&mut self, index: usize, mut opening: Opening) {
        if let Some(error) = opening.finish() {
            self.not_opened(index, &error);
            return;
        }
        if self.content != Some(index) {
            if let Some(deep) = &mut self.deep {
                deep.data(&opening.out);
            }
            return;
        }
        let Some(outer) = self.manifest.clone().filter(|_| !self.unopened) else {
            return;
        };
        match ContentDocument::parse(&opening.out, &outer) {
            Ok(document) => {
                let inner = Arc::new(document.manifest);
                if self.options.deep {
                    self.deep = Some(DeepCheck::new(&inner, self.options.threads));
                }
                self.inner = Some(inner);
            }
            Err(what) => self.altered(index, what),
        }
    }

    /// Notes that a file does not open; of several that none of the keys opens, the first is named.
    fn not_opened(&mut self, index: usize, error: &OpenError) {
        let path = self
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.files.get(index));
        let path = path.map(|file| file.path.clone());
        let code = if matches!(
            error.kind,
            OpenErrorKind::NoKey { .. } | OpenErrorKind::WrongKey { .. }
        ) {
            ErrorCode::WrongIdentity
        } else {
            ErrorCode::Altered
        };
        if !self.unopened {
            let detail = format!("it does not open: {}", error.kind);
            self.problems.add(code, path.as_deref(), detail);
        }
        self.unopened = true;
        self.deep = None;
    }

    fn altered(&mut self, index: usize, what: String) {
        self.mark(index, Seen::Altered);
        if let Some(file) = self.manifest.as_ref().and_then(|m| m.files.get(index)) {
            self.problems
                .add(ErrorCode::Altered, Some(&file.path), what);
        }
    }

    fn mark(&mut self, index: usize, as_seen: Seen) {
        if let Some(seen) = self.seen.get_mut(index) {
            *seen = as_seen;
        }
    }

    /// Content that is not wanted is only gone over where that does not take absurdly long.
    fn pass_over(&self, size: u64) -> Flow {
        let most = self
            .manifest
            .as_ref()
            .map_or(0, |manifest| manifest.stored_bytes())
            .saturating_add(64 << 20);
        if size > most { Flow::Stop } else { Flow::Skip }
    }

    fn judge(&mut self) {
        self.judged = true;
        let judgement = judge(&self.documents, &self.trust, &mut self.problems);
        self.key = judgement.key;
        self.builder_id = judgement.builder_id;
        if let Some(manifest) = judgement.manifest {
            let manifest = Arc::new(manifest);
            self.seen = vec![Seen::No; manifest.files.len()];
            if let Some(sealed) = &manifest.sealed {
                self.content = manifest.file(&sealed.content).map(|(index, _)| index);
                self.keyring = self.keyring(&manifest, judgement.sealing);
                self.unopened = self.keyring.is_none();
            } else if self.options.deep {
                self.deep = Some(DeepCheck::new(&manifest, self.options.threads));
            }
            self.manifest = Some(manifest);
        }
    }

    /// The keys that may open the bundle.
    fn keyring(
        &mut self,
        manifest: &Manifest,
        how: Option<serde_json::Value>,
    ) -> Option<Arc<Keyring>> {
        let keys = self.options.keys.0.clone()?;
        let sealed = SealedAs {
            mode: manifest.sealed.as_ref()?.mode.clone(),
            run: manifest.run.id.clone(),
            tenant: manifest.run.tenant.clone(),
            how: how.unwrap_or_default(),
        };
        match keys.keyring(&sealed) {
            Ok(keyring) => Some(Arc::new(keyring)),
            Err(what) => {
                self.problems.add(ErrorCode::WrongIdentity, None, what);
                None
            }
        }
    }

    fn report_missing(&mut self) {
        if self.stopped && self.manifest.is_none() {
            return;
        }
        for (index, path) in DOCUMENTS.iter().enumerate() {
            let have = self.documents.get(index).is_some_and(Option::is_some)
                || self.late.get(index).copied().unwrap_or(false);
            // A missing manifest has been told when the documents were judged.
            let reading_stopped_before = self.stopped && !self.judged;
            if !have && *path != MANIFEST && !reading_stopped_before && !self.problems.names(path) {
                self.problems
                    .add(ErrorCode::Incomplete, Some(path), "it is missing");
            }
        }
        let Some(manifest) = &self.manifest else {
            return;
        };
        if self.stopped {
            return;
        }
        for (file, seen) in manifest.files.iter().zip(&self.seen) {
            if *seen == Seen::No && !self.problems.names(&file.path) {
                self.problems
                    .add(ErrorCode::Incomplete, Some(&file.path), "it is missing");
            }
        }
    }

    /// Forgets a member that was begun and not ended.
    fn abandon(&mut self) {
        if let Current::File { index, .. } = self.current {
            self.mark(index, Seen::No);
            if let Some(deep) = &mut self.deep {
                deep.abandon();
            }
        }
        self.current = Current::Nothing;
    }
}
