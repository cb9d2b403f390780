//! A home and everything around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use export_api::{RunRequest, SubmitContext, submit};
use export_approval::ApprovalPolicy;
use export_embedded::Home;
use export_lifecycle::{recover, tick};
use export_model::{Run, RunKey, RunOptions, Selectors, Tenant, Timestamp, Work};
use export_ports::fault::FaultPlan;
use export_ports::{Clock, Liveness, Ports, RunFilter, Signer};
use tempfile::TempDir;

use crate::evidence::{Evidence, scratch};
use crate::process::VISIBILITY;
use crate::{Alive, ManualClock, Process, SeededIds};

/// 2026-11-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp(1_793_491_200_000);
/// More rounds than any run takes to come to rest.
const ROUNDS: usize = 400;

/// A home on the embedded backends. Every part of it that is not stored belongs to the test.
pub struct World {
    /// Ports of nobody in particular: they never fail, and look at what the processes did.
    pub observer: Ports,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// Who is gone.
    pub alive: Arc<Alive>,
    names: Arc<AtomicU64>,
    processes: AtomicU64,
    signer: Arc<dyn Signer>,
    home: Home,
    folder: TempDir,
}

impl World {
    /// A new home with `evidence`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(evidence: &Evidence) -> Result<Self> {
        let folder = new_folder()?;
        let signer = evidence.copy_to(&folder.path().join("home"))?;
        Self::open(folder, signer, BEGINNING, 0)
    }

    /// A copy of this world as it is on disk now: another universe, in which other things can
    /// happen next. Nobody may be writing.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn fork(&self) -> Result<Self> {
        let folder = new_folder()?;
        copy_folder(self.home.path(), &folder.path().join("home"))?;
        let names = self.names.load(Ordering::SeqCst);
        Self::open(folder, Arc::clone(&self.signer), self.clock.now(), names)
    }

    fn open(folder: TempDir, signer: Arc<dyn Signer>, now: Timestamp, names: u64) -> Result<Self> {
        let clock = Arc::new(ManualClock::new(now));
        let on_clock: Arc<dyn Clock> = clock.clone();
        let home = Home::open_with_clock(&folder.path().join("home"), on_clock)?;
        let alive = Arc::new(Alive::default());
        let names = Arc::new(AtomicU64::new(names));
        let liveness: Arc<dyn Liveness> = alive.clone();
        let observer = Ports {
            ids: Arc::new(SeededIds::new(Arc::clone(&names), "observer".to_owned())),
            liveness,
            ..home.ports(Arc::clone(&signer))
        };
        Ok(Self {
            observer,
            clock,
            alive,
            names,
            processes: AtomicU64::new(0),
            signer,
            home,
            folder,
        })
    }

    /// A new process, whose calls suffer the faults of `plan`.
    #[must_use]
    pub fn process(&self, plan: &FaultPlan) -> Process {
        let number = self.processes.fetch_add(1, Ordering::SeqCst);
        let ids = SeededIds::new(Arc::clone(&self.names), format!("p{number}"));
        let ports = Ports {
            ids: Arc::new(ids),
            ..self.observer.clone()
        };
        Process::new(&ports, plan, self.path("scratch"))
    }

    /// A process in a program of its own, without faults: it shares nothing but the files, so
    /// that whatever a sleeping process holds in memory cannot stop it.
    ///
    /// # Errors
    /// When the home cannot be opened once more.
    pub fn stranger(&self) -> Result<Process> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let home = Home::open_with_clock(self.home.path(), clock)?;
        let number = self.processes.fetch_add(1, Ordering::SeqCst);
        let ids = SeededIds::new(Arc::clone(&self.names), format!("p{number}"));
        let ports = Ports {
            ids: Arc::new(ids),
            liveness: Arc::clone(&self.observer.liveness),
            ..home.ports(Arc::clone(&self.signer))
        };
        Ok(Process::new(
            &ports,
            &FaultPlan::none(),
            self.path("scratch"),
        ))
    }

    /// A new process without faults.
    #[must_use]
    pub fn sound_process(&self) -> Process {
        self.process(&FaultPlan::none())
    }

    /// What happens when `dead` is gone and another process starts in its place: its leases belong
    /// to nobody, and everything that nobody does is sent again.
    ///
    /// # Errors
    /// When nothing can be sent.
    pub async fn replace(&self, dead: &Process) -> Result<Process> {
        self.alive.bury(&dead.ports.ids.holder());
        let process = self.sound_process();
        recover(&process.ports).await?;
        Ok(process)
    }

    /// Submits a run of everything, in the name of `tester`. A client that got no answer looks
    /// whether the run is there before it asks again.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit(&self, process: &Process, tenant: &str, profile: &str) -> Result<RunKey> {
        let options = RunOptions::default();
        self.submit_with(process, tenant, profile, options).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit_with(
        &self,
        process: &Process,
        tenant: &str,
        profile: &str,
        options: RunOptions,
    ) -> Result<RunKey> {
        let tenant: Tenant = tenant.parse()?;
        let request = RunRequest {
            profile: profile.to_owned(),
            selectors: Selectors::default(),
            options,
        };
        let before = self.newest(&tenant).await?;
        let registry = process.registry();
        let policy = ApprovalPolicy::default();
        let ask = async |ports: &Ports| {
            let context = SubmitContext::default();
            submit(
                ports,
                registry,
                &policy,
                &tenant,
                "tester",
                request.clone(),
                context,
            )
            .await
        };
        if let Ok(submitted) = ask(&process.ports).await {
            return Ok(submitted.run.key);
        }
        match self.newest(&tenant).await? {
            Some(key) if Some(&key) != before.as_ref() => Ok(key),
            _ => Ok(ask(&self.observer).await?.run.key),
        }
    }

    async fn newest(&self, tenant: &Tenant) -> Result<Option<RunKey>> {
        let filter = RunFilter::default();
        let runs = self.observer.state.runs(tenant, &filter, None, 1).await?;
        Ok(runs.into_iter().next().map(|run| run.key))
    }

    /// The run as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn run(&self, key: &RunKey) -> Result<Run> {
        let run = self.observer.state.run(key).await?;
        run.with_context(|| format!("there is no run {key}"))
    }

    /// All work that is left, earliest due first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn work(&self) -> Result<Vec<Work>> {
        let all = Timestamp(i64::MAX);
        Ok(self.observer.state.due_or_leased(all, 10_000).await?)
    }

    /// Lets `process` work, and time pass, until nothing is left to be done: also the late sweep.
    /// Returns early when it dies.
    ///
    /// # Errors
    /// When it never comes to rest.
    pub async fn settle(&self, process: &Process) -> Result<()> {
        for _ in 0..ROUNDS {
            process.pump().await?;
            if process.is_dead() {
                return Ok(());
            }
            if self.work().await?.is_empty() {
                // What was received and never acknowledged comes again.
                self.clock.advance(VISIBILITY);
                process.pump().await?;
                return Ok(());
            }
            self.pass_time(process).await?;
        }
        bail!("it never comes to rest: {:?}", self.work().await?)
    }

    /// Lets `process` work, and time pass, until the run has ended. Returns early when the process
    /// dies.
    ///
    /// # Errors
    /// When the run never ends.
    pub async fn end(&self, process: &Process, key: &RunKey) -> Result<()> {
        for _ in 0..ROUNDS {
            process.pump().await?;
            if process.is_dead() || self.run(key).await?.status.is_terminal() {
                return Ok(());
            }
            self.pass_time(process).await?;
        }
        bail!("run {key} never ends: {:?}", self.work().await?)
    }

    /// Lets time pass until something happens by itself: a second first, for messages that were
    /// sent with a delay, then until the next work is due, and ticks.
    async fn pass_time(&self, process: &Process) -> Result<()> {
        self.clock.advance(Duration::from_secs(1));
        if process.pump().await? == 0
            && let Some(next) = self.work().await?.first()
        {
            self.clock.reach(next.due_at);
            // A tick that fails is followed by the next one.
            let _ = tick(&process.ports).await;
        }
        Ok(())
    }

    /// Every file under the home's `objects`, and under its `uploads`, by path from there.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn files(&self) -> Result<(Vec<String>, Vec<String>)> {
        let list = |name: &str| {
            let folder = self.home.path().join(name);
            let mut found = Vec::new();
            list_folder(&folder, &folder, &mut found)?;
            found.sort_unstable();
            Ok::<_, anyhow::Error>(found)
        };
        Ok((list("objects")?, list("uploads")?))
    }

    /// A file of the home.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("home").join(name)
    }
}

fn new_folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new()
        .prefix("export-world-")
        .tempdir_in(scratch())?)
}

fn list_folder(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("listing {}", folder.display()))?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            list_folder(root, &path, found)?;
        } else {
            let name = path.strip_prefix(root)?;
            found.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)
                .with_context(|| format!("copying {}", entry.path().display()))?;
        }
    }
    Ok(())
}
