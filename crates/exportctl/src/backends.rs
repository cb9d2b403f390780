//! What a command works with: the ports of a home, or of a stack, or of both.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use export_embedded::Home;
use export_model::{ErrorCode, Run, Tenant};
use export_ports::{Importer, LedgerWriter, Objects, Ports};

use crate::failure::Failed;
use crate::host::HostConfig;
use crate::settings::{DEFAULT_TENANT, HomeSigner, Settings, home_ports, key_failed, tenant};

/// Where a run's archive lies.
pub(crate) enum Stored {
    /// A file of the home.
    File(PathBuf),
    /// An object of a store.
    Object {
        objects: Arc<dyn Objects>,
        archive: export_model::Archive,
    },
}

impl Stored {
    /// The file, where it is one.
    pub(crate) fn path(&self) -> Option<&std::path::Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Object { .. } => None,
        }
    }
}

/// The backends of a command.
pub(crate) struct Backends {
    pub(crate) ports: Ports,
    /// The home, where anything of it is used.
    home: Option<Home>,
    /// The ledger, where it can tell what it holds.
    books: Option<Arc<dyn LedgerWriter>>,
    /// The ledger, where it can be filled.
    importer: Option<Arc<dyn Importer>>,
    /// The home's key, where that signs.
    signer: Option<Arc<HomeSigner>>,
    has_objects: bool,
    is_shared: bool,
    scratch: PathBuf,
    stack_parts: Option<String>,
}

impl Settings {
    /// Opens what the command works with.
    pub(crate) async fn backends(&self) -> Result<Backends, Failed> {
        #[cfg(feature = "stack")]
        if let Some(backends) = self.stack_backends().await? {
            return Ok(backends);
        }
        Backends::of_home(self.open_home()?, self.scratch())
    }

    /// The stack's backends, and the home's where those are not all.
    #[cfg(feature = "stack")]
    async fn stack_backends(&self) -> Result<Option<Backends>, Failed> {
        use export_host::{RandomIds, SystemClock};
        use export_ports::{Clock, Ids};

        let settings = self.stack();
        if !export_stack::names_any(settings) {
            return Ok(None);
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids: Arc<dyn Ids> = Arc::new(RandomIds::new(holder())?);
        export_stack::validate(settings)
            .map_err(|error| Failed::new(ErrorCode::Configuration, error.to_string()))?;
        let stack = export_stack::open(settings, false, &clock, &ids).await?;
        let parts = stack.names().join(", ");
        if stack.is_whole() {
            let (books, importer) = (stack.books.clone(), stack.importer.clone());
            let ports = stack.into_ports(clock, ids)?;
            return Ok(Some(Backends {
                ports,
                home: None,
                books,
                importer,
                signer: None,
                has_objects: false,
                is_shared: true,
                scratch: self.scratch().unwrap_or_else(std::env::temp_dir),
                stack_parts: Some(parts),
            }));
        }
        let mut backends = Backends::of_home(self.open_home()?, self.scratch())?;
        if stack.signer.is_some() {
            backends.signer = None;
        }
        if stack.ledger.is_some() {
            backends.books = stack.books.clone();
            backends.importer = stack.importer.clone();
        }
        backends.has_objects = stack.objects.is_none();
        backends.is_shared = stack.state.is_some() || stack.queue.is_some();
        stack.overlay(&mut backends.ports);
        backends.stack_parts = Some(parts);
        Ok(Some(backends))
    }
}

/// A name of this process that no other has, on any machine.
#[cfg(feature = "stack")]
fn holder() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine: String = machine
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    format!("{machine}-p{}", std::process::id())
}

impl Backends {
    /// A home's own disk is where its bytes lie anyway; a system's folder for temporary files is often
    /// memory.
    fn of_home(home: Home, scratch: Option<PathBuf>) -> Result<Self, Failed> {
        let (ports, signer) = home_ports(&home);
        Ok(Self {
            ports,
            books: Some(home.ledger()),
            importer: Some(home.ledger()),
            scratch: scratch.unwrap_or_else(|| home.path().join("scratch")),
            home: Some(home),
            signer: Some(signer),
            has_objects: true,
            is_shared: false,
            stack_parts: None,
        })
    }

    /// Opens the signing key, where it is the home's: a missing password is better told before the
    /// work than after it.
    pub(crate) fn open_key(&self) -> Result<(), Failed> {
        if let Some(signer) = &self.signer {
            signer.open().map_err(key_failed)?;
        }
        Ok(())
    }

    /// The home, where anything of it is used.
    pub(crate) fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    /// Which parts are a stack's, in words; none where all are the home's.
    pub(crate) fn stack_parts(&self) -> Option<&str> {
        self.stack_parts.as_deref()
    }

    /// The ledger, to fill it.
    pub(crate) fn importer(&self) -> Result<&Arc<dyn Importer>, Failed> {
        self.importer.as_ref().ok_or_else(|| {
            let detail = "this ledger is filled where it is, and only read from here";
            Failed::new(ErrorCode::Configuration, detail)
        })
    }

    /// The ledger, to ask what it holds.
    pub(crate) fn books(&self) -> Result<&Arc<dyn LedgerWriter>, Failed> {
        self.books.as_ref().ok_or_else(|| {
            let detail = "this ledger does not tell what it holds; name the tenant with --tenant";
            Failed::new(ErrorCode::AmbiguousTenant, detail)
        })
    }

    /// Whether other processes may work on the same runs.
    pub(crate) fn has_others(&self) -> bool {
        self.is_shared || self.home.as_ref().is_some_and(Home::has_other_hosts)
    }

    /// How a host works with these.
    pub(crate) fn host(&self, workers: u16) -> HostConfig {
        #[cfg(feature = "stack")]
        if self.is_shared {
            return HostConfig::stack(workers, self.scratch.clone());
        }
        HostConfig::home(workers, self.scratch.clone())
    }

    /// Where a run's archive lies, if it has one.
    pub(crate) fn archive(&self, run: &Run) -> Option<Stored> {
        let archive = run.archive.clone()?;
        match &self.home {
            Some(home) if self.has_objects => Some(Stored::File(home.object_path(&archive.object))),
            _ => Some(Stored::Object {
                objects: Arc::clone(&self.ports.objects),
                archive,
            }),
        }
    }

    /// The same for a run that has to have one.
    pub(crate) fn stored_archive(&self, run: &Run) -> Result<Stored, Failed> {
        self.archive(run).ok_or_else(|| match &run.pruned {
            Some(pruned) => {
                let detail = format!(
                    "the bundle of run {} was removed at {}: {}",
                    run.key.run, pruned.at, pruned.reason
                );
                Failed::new(ErrorCode::Pruned, detail)
            }
            None => {
                let detail = format!("run {} has no archive", run.key.run);
                Failed::new(ErrorCode::NotReady, detail)
            }
        })
    }

    /// The tenants that the ledger has records of; the default one where it is empty.
    async fn tenants(&self) -> Result<Vec<Tenant>, Failed> {
        let mut tenants = self.books()?.tenants().await?;
        if tenants.is_empty() {
            tenants.push(tenant(DEFAULT_TENANT)?);
        }
        Ok(tenants)
    }

    /// The tenant that a command is about: the one that was named, or the only one that the ledger
    /// has.
    pub(crate) async fn only_tenant(&self, named: Option<&str>) -> Result<Tenant, Failed> {
        if let Some(name) = named {
            return tenant(name);
        }
        let mut tenants = self.tenants().await?;
        if let (Some(only), true) = (tenants.pop(), tenants.is_empty()) {
            return Ok(only);
        }
        let mut records: BTreeMap<Tenant, u64> = BTreeMap::new();
        for source in self.books()?.stats().await?.sources {
            *records.entry(source.tenant).or_default() += source.records;
        }
        let list: Vec<_> = records
            .iter()
            .map(|(tenant, records)| {
                format!("{tenant} ({} records)", crate::output::grouped(*records))
            })
            .collect();
        let detail = format!("the ledger holds several tenants: {}", list.join(", "));
        Err(Failed::new(ErrorCode::AmbiguousTenant, detail))
    }

    /// The tenants that something named by a unique id may belong to: the one that was named, or all
    /// of the ledger's.
    pub(crate) async fn any_tenant(&self, named: Option<&str>) -> Result<Vec<Tenant>, Failed> {
        match named {
            Some(name) => Ok(vec![tenant(name)?]),
            None => self.tenants().await,
        }
    }
}
