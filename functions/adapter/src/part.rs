//! One part, from its records to its payload file, or to the run file that it is merged from.
//!
//! Three stages run at once: pages are read, records are checked and hashed and cut into frames,
//! frames that the pool has compressed are stored. Each hands over through a bounded channel, so a
//! part holds a few pages and a few frames, however large it is. Its last frames and the flush to
//! disk go on while the next part is read.

use std::sync::Arc;

use bytes::Bytes;
use export_lifecycle::{Held, PhaseError, transact};
use export_model::{
    ErrorCode, EventBody, Kind, ObjectKey, Part, PartOutput, Position, QuarantinedRecord, Run,
    RunStatus, Sha256Digest,
};
use export_ports::{Evidence, PageBudget, Ports, RecordPage, Scan};
use export_telemetry as telemetry;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::json_lines::JsonLines;
use crate::records::{Checked, check_all};
use crate::run_file::RunFile;
use export_staging::FramePool;
use export_staging::Framed;

const PAGE: PageBudget = PageBudget {
    records: 4_096,
    bytes: 1 << 20,
};
/// Pages and frames that wait between two stages.
const WAITING: usize = 1;
/// How often a part looks whether its run is still wanted, and tells how far it is.
const LOOK_MILLIS: u64 = 200;
const CHUNK_MILLIS: u64 = 1_000;

/// Everything that a part's stages need to know.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) run: Run,
    pub(crate) part: Part,
    pub(crate) scan: Scan,
}

/// What processing a part's records gave.
struct Processed {
    /// Of the file, before compression.
    size: u64,
    sha256: Sha256Digest,
    checked: Checked,
}

/// A part whose records were all read and checked; its last frames may still be on their way.
pub(crate) struct Streamed {
    object: ObjectKey,
    processed: Processed,
    writing: JoinHandle<Result<export_staging::Staged, PhaseError>>,
}

/// Streams a part's records into its payload file. What an attempt that fails has written is swept
/// when the run ends.
pub(crate) async fn stream(
    ports: &Ports,
    held: &Held,
    frames: &Arc<FramePool>,
    job: &Job,
) -> Result<Streamed, PhaseError> {
    let name = if job.run.profile.kind.is_assembled() {
        format!("runs/part-{:05}", job.part.index)
    } else {
        format!("{}.zst", job.part.jsonl_path())
    };
    let object = key(job, held, &name)?;
    let (pages_in, pages) = mpsc::channel(WAITING);
    let (spare_in, spare) = mpsc::unbounded_channel();
    let (frames_in, stored) = mpsc::channel(WAITING);
    let (part, run, tenant) = (job.part.index, &job.run.key.run, &job.run.key.tenant);

    let processing = tokio::task::spawn_blocking({
        let (job, pool) = (job.clone(), Arc::clone(frames));
        move || process(&job, &pool, pages, &spare_in, frames_in)
    });
    let span = tracing::info_span!("export.write", otel.name = telemetry::SPAN_WRITE,
        run_id = %run, tenant = %tenant, part);
    let writing = export_staging::write(ports.clone(), Arc::clone(frames), object.clone(), stored);
    let writing = tokio::spawn(writing.instrument(span));
    let span = tracing::info_span!("export.fetch", otel.name = telemetry::SPAN_FETCH,
        run_id = %run, tenant = %tenant, part);
    let read = read(ports, held, job, pages_in, spare)
        .instrument(span)
        .await;
    let processed = processing.await.map_err(|e| stopped(&e))?;
    match (read, processed) {
        (Ok(()), Ok(processed)) => Ok(Streamed {
            object,
            processed,
            writing,
        }),
        (read, processed) => {
            let mut errors: Vec<_> = read.err().into_iter().chain(processed.err()).collect();
            match writing.await.map_err(|e| stopped(&e))? {
                Ok(staged) => staged.abort().await,
                Err(error) => errors.push(error),
            }
            // The stage that failed first says why; the others only say that nobody listened.
            errors.sort_by_key(|error| matches!(error, PhaseError::Superseded));
            Err(errors.into_iter().next().unwrap_or(PhaseError::Superseded))
        }
    }
}

impl Streamed {
    /// Makes the file appear; says what the part has become, and how many canonical bytes it read.
    pub(crate) async fn store(
        self,
        ports: &Ports,
        held: &Held,
        job: &Job,
    ) -> Result<(PartOutput, u64), PhaseError> {
        let staged = self.writing.await.map_err(|e| stopped(&e))??;
        let bytes = self.processed.checked.bytes;
        let output = store(ports, held, job, self.object, self.processed, staged).await?;
        Ok((output, bytes))
    }

    /// Forgets what was written.
    pub(crate) async fn abort(self) {
        if let Ok(Ok(staged)) = self.writing.await {
            staged.abort().await;
        }
    }
}

async fn store(
    ports: &Ports,
    held: &Held,
    job: &Job,
    object: ObjectKey,
    processed: Processed,
    staged: export_staging::Staged,
) -> Result<PartOutput, PhaseError> {
    let path = job.part.jsonl_path();
    let Processed {
        size: content_size,
        sha256: content_sha256,
        checked,
    } = processed;
    let (size, sha256) = (staged.size, staged.sha256);
    let appeared = staged.complete().await?;
    let quarantine = if checked.quarantined.is_empty() {
        None
    } else {
        let key = key(job, held, &format!("{path}.quarantine"))?;
        let lines = quarantine_lines(&checked.quarantined)?;
        ports.objects.put(&key, Bytes::from(lines)).await?;
        Some((key, by_code(&checked.quarantined)))
    };
    let traces = if checked.traces.is_empty() {
        None
    } else {
        let key = key(job, held, &format!("{path}.traces"))?;
        ports.objects.put(&key, Bytes::from(checked.traces)).await?;
        Some(key)
    };
    let is_assembled = job.run.profile.kind.is_assembled();
    let object = appeared.then_some(object);
    let (object, run_file) = if is_assembled {
        (None, object)
    } else {
        (object, None)
    };
    Ok(PartOutput {
        object,
        size,
        sha256,
        content_size,
        content_sha256,
        records: checked.records,
        range: checked.range,
        quarantine,
        traces,
        run_file,
    })
}

fn quarantine_lines(records: &[QuarantinedRecord]) -> Result<Vec<u8>, PhaseError> {
    let mut lines = Vec::new();
    for record in records {
        let line = export_bundle::payload::quarantine::to_line(record).map_err(|e| {
            let detail = format!(
                "the quarantine entry of {} cannot be written: {e}",
                record.id
            );
            PhaseError::permanent(ErrorCode::Internal, detail)
        })?;
        lines.extend_from_slice(&line);
    }
    Ok(lines)
}

fn by_code(records: &[QuarantinedRecord]) -> Vec<(String, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for record in records {
        *counts.entry(record.code.clone()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn key(job: &Job, held: &Held, path: &str) -> Result<ObjectKey, PhaseError> {
    ObjectKey::new(&job.run.key, held.token(), path)
        .map_err(|e| PhaseError::permanent(ErrorCode::Internal, e.to_string()))
}

fn stopped(error: &tokio::task::JoinError) -> PhaseError {
    PhaseError::permanent(
        ErrorCode::Internal,
        format!("a stage of a part stopped: {error}"),
    )
}

/// Reads the part's pages and tells how far it is.
async fn read(
    ports: &Ports,
    held: &Held,
    job: &Job,
    pages: mpsc::Sender<RecordPage>,
    mut spare: mpsc::UnboundedReceiver<RecordPage>,
) -> Result<(), PhaseError> {
    let evidence: &dyn Evidence = match job.part.kind {
        Kind::Finding => &*ports.policy,
        _ => &*ports.ledger,
    };
    let (mut records, mut bytes) = (0, 0);
    let (mut looked, mut told) = (ports.clock.now(), ports.clock.now());
    let mut after: Option<Position> = None;
    loop {
        let (first, last) = (&job.part.first, &job.part.last);
        let spare = spare.try_recv().unwrap_or_default();
        let page = evidence
            .records(&job.scan, first, last, after.as_ref(), PAGE, spare)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last);
        records += page.records.len() as u64;
        bytes += page.bytes.len() as u64;
        if pages.send(page).await.is_err() {
            // Processing has stopped: it says why.
            return Err(PhaseError::Superseded);
        }
        let now = ports.clock.now();
        if held.is_lost() {
            return Err(PhaseError::Superseded);
        }
        if now.millis_since(told) >= CHUNK_MILLIS {
            (looked, told) = (now, now);
            tell(ports, held, job, records, bytes).await?;
        } else if now.millis_since(looked) >= LOOK_MILLIS {
            looked = now;
            let run = ports.state.run(&job.run.key).await?;
            if run.is_none_or(|run| run.status != RunStatus::Exporting) {
                return Err(PhaseError::Superseded);
            }
        }
        if after.as_ref() == Some(&job.part.last) {
            break;
        }
    }
    Ok(())
}

async fn tell(
    ports: &Ports,
    held: &Held,
    job: &Job,
    records: u64,
    bytes: u64,
) -> Result<(), PhaseError> {
    let part = job.part.index;
    tracing::debug!(part, records, bytes, "adapter.chunk");
    transact(ports, &job.run.key, |draft| {
        if draft.run.status != RunStatus::Exporting {
            return Err(PhaseError::Superseded);
        }
        draft.require(held);
        draft.event(EventBody::AdapterChunk {
            part,
            records,
            bytes,
        });
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Checks and hashes every record and writes out what the adapter makes of it.
fn process(
    job: &Job,
    pool: &FramePool,
    pages: mpsc::Receiver<RecordPage>,
    spare: &mpsc::UnboundedSender<RecordPage>,
    frames: mpsc::Sender<export_staging::PendingFrame>,
) -> Result<Processed, PhaseError> {
    let profile = &job.run.profile;
    let mut framed;
    let checked = if profile.kind.is_assembled() {
        framed = Framed::new(pool, None, frames);
        let mut rows = RunFile::new(profile.kind, &mut framed)?;
        let checked = check_all(job, pages, spare, &mut rows)?;
        rows.finish()?;
        checked
    } else {
        framed = Framed::new(pool, Some(profile.config.compression.level), frames);
        check_all(job, pages, spare, &mut JsonLines(&mut framed))?
    };
    let (size, sha256) = framed.finish()?;
    Ok(Processed {
        size,
        sha256,
        checked,
    })
}
