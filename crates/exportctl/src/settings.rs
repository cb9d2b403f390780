//! What the environment and the global flags say.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use clap::parser::ValueSource;
use export_approval::ApprovalPolicy;
use export_embedded::{FileSigner, Home, approvers};
use export_model::{ErrorCode, Tenant, Timestamp};
use export_ports::{PortError, PortErrorKind, Ports, Signer, SignerLevel};
use export_telemetry::{LogFormat, init_logs};

use crate::cli::Global;
use crate::failure::Failed;
use crate::remote::Address;

/// The tenant of public documents that nobody gave one.
pub(crate) const DEFAULT_TENANT: &str = "default";

pub(crate) struct Settings {
    home: Option<PathBuf>,
    server: Option<String>,
    given: Given,
    #[cfg(feature = "stack")]
    stack: export_stack::Settings,
}

/// What was said on the command line itself, and not in the environment; and whether it serves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    pub(crate) home: bool,
    pub(crate) server: bool,
    pub(crate) cross_tenant: bool,
    pub(crate) serving: bool,
}

impl Given {
    pub(crate) fn of(matches: &clap::ArgMatches) -> Self {
        let given = |matches: &clap::ArgMatches, name: &str| {
            matches.value_source(name) == Some(ValueSource::CommandLine)
        };
        let run = matches.subcommand_matches("run");
        Self {
            home: given(matches, "home"),
            server: given(matches, "server"),
            serving: matches.subcommand_name() == Some("serve")
                || matches
                    .subcommand_matches("ledger")
                    .is_some_and(|ledger| ledger.subcommand_name() == Some("serve")),
            cross_tenant: run.is_some_and(|run| given(run, "cross_tenant")),
        }
    }
}

impl Settings {
    pub(crate) fn new(global: &Global, given: Given) -> Result<Self, Failed> {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let default = match global.verbose {
            0 if given.serving && !global.quiet => "warn,export_api::access=info",
            0 => "off",
            1 => {
                "warn,export=info,export_plan=info,export_adapter=info,export_sign=info,\
                  export_distribute=info,export_lifecycle=info,exportctl=info"
            }
            _ => "info,export_adapter=debug,export_lifecycle=debug,exportctl=debug",
        };
        let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| default.to_owned());
        let format = match std::env::var("EXPORT_LOG").as_deref() {
            // What a service says is for programs, unless somebody looks on.
            Err(_) | Ok("") if given.serving && !terminal => LogFormat::Json,
            Err(_) | Ok("" | "text") => LogFormat::Text,
            Ok("json") => LogFormat::Json,
            Ok(other) => {
                let detail = format!("EXPORT_LOG is `{other}`; it can be `text` or `json`");
                return Err(Failed::new(ErrorCode::Usage, detail));
            }
        };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let ansi = !plain && terminal;
        init_logs(format, &filter, ansi)
            .map_err(|e| Failed::new(ErrorCode::Usage, format!("RUST_LOG: {e}")))?;
        if given.home && given.server {
            let detail = "--home and --server: a command works on one of them";
            return Err(Failed::new(ErrorCode::Usage, detail));
        }
        Ok(Self {
            home: global.home.clone(),
            server: global.server.clone().filter(|url| !url.is_empty()),
            given,
            #[cfg(feature = "stack")]
            stack: stack(global.config.as_deref())?,
        })
    }

    /// Whether anything of a stack is named.
    pub(crate) fn names_stack(&self) -> bool {
        #[cfg(feature = "stack")]
        let named = export_stack::names_any(&self.stack);
        #[cfg(not(feature = "stack"))]
        let named = false;
        named
    }

    /// Where parts are assembled, if that was said.
    pub(crate) fn scratch(&self) -> Option<PathBuf> {
        #[cfg(feature = "stack")]
        let said = self.stack.get("worker.scratch").map(PathBuf::from);
        #[cfg(not(feature = "stack"))]
        let said = std::env::var_os("EXPORT_SCRATCH")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        said
    }

    /// What is set of a stack.
    #[cfg(feature = "stack")]
    pub(crate) fn stack(&self) -> &export_stack::Settings {
        &self.stack
    }

    /// The service to work with, for commands that work on a home as well. Flags win over
    /// variables: with `--home` it is none.
    pub(crate) fn server(&self) -> Result<Option<Address>, Failed> {
        let server = self.server.as_deref().filter(|_| !self.given.home);
        server.map(Address::parse).transpose()
    }

    /// The service, for commands that need one.
    pub(crate) fn required_server(&self) -> Result<Address, Failed> {
        let Some(server) = &self.server else {
            let detail = "which service? Say it with --server URL, or set EXPORT_SERVER";
            return Err(Failed::new(ErrorCode::Usage, detail));
        };
        Address::parse(server)
    }

    /// What was said on the command line itself.
    pub(crate) fn given(&self) -> Given {
        self.given
    }

    /// The home's folder.
    pub(crate) fn home_path(&self) -> Result<PathBuf, Failed> {
        self.home
            .clone()
            .or_else(|| dirs::data_dir().map(|data| data.join("export-center")))
            .ok_or_else(|| {
                let detail = "this platform names no data folder; say where with --home";
                Failed::new(ErrorCode::Usage, detail)
            })
    }

    /// The folder of keys: the signing key, those that are trusted, those of approvers.
    pub(crate) fn keys(&self) -> Result<PathBuf, Failed> {
        Ok(self.home_path()?.join("keys"))
    }

    /// The same, made where it is missing.
    pub(crate) fn made_keys(&self) -> Result<PathBuf, Failed> {
        use std::os::unix::fs::DirBuilderExt as _;

        let keys = self.keys()?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keys)
            .map_err(|e| Failed::write(&keys, &e))?;
        Ok(keys)
    }

    /// Opens the home, making it where there is none.
    pub(crate) fn open_home(&self) -> Result<Home, Failed> {
        Ok(Home::open(&self.home_path()?)?)
    }

    /// The home, where there is one.
    pub(crate) fn existing_home(&self) -> Option<PathBuf> {
        self.home_path().ok().filter(|path| path.is_dir())
    }
}

/// The file of settings where none is named.
#[cfg(feature = "stack")]
const CONFIG: &str = "export-center.toml";

/// The settings of a stack: from the file that was named, or from `export-center.toml` in the working
/// folder where there is one, and from the environment.
#[cfg(feature = "stack")]
fn stack(named: Option<&Path>) -> Result<export_stack::Settings, Failed> {
    let path = named.unwrap_or(Path::new(CONFIG));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failed::read(path, &error)),
    };
    let name = path.display().to_string();
    let file = text.as_deref().map(|text| (name.as_str(), text));
    export_stack::Settings::read(file, |variable| std::env::var(variable).ok())
        .map_err(|error| Failed::new(ErrorCode::Configuration, error.to_string()))
}

/// The signing key's password: `COSIGN_PASSWORD`, as cosign has it. An empty one is none.
pub(crate) fn password() -> Option<String> {
    std::env::var("COSIGN_PASSWORD")
        .ok()
        .filter(|password| !password.is_empty())
}

/// A key that cannot be used, in the words of the catalogue.
pub(crate) fn key_failed(error: PortError) -> Failed {
    let code = match error.kind() {
        PortErrorKind::Damaged | PortErrorKind::Invalid => ErrorCode::KeyUnreadable,
        PortErrorKind::AlreadyExists | PortErrorKind::NotFound => ErrorCode::Io,
        _ => error.code(),
    };
    Failed::new(code, error.to_string())
}

/// The home's signing key, opened when it is first needed: looking at runs and profiles needs no
/// password.
pub(crate) struct HomeSigner {
    home: PathBuf,
    opened: OnceLock<FileSigner>,
}

impl HomeSigner {
    /// The key, made on first use.
    pub(crate) fn open(&self) -> Result<&FileSigner, PortError> {
        if let Some(signer) = self.opened.get() {
            return Ok(signer);
        }
        let signer = FileSigner::open(
            &self.home.join("keys"),
            password().as_deref().map(str::as_bytes),
        )?;
        Ok(self.opened.get_or_init(|| signer))
    }
}

#[async_trait]
impl Signer for HomeSigner {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        self.open()?.sign(message).await
    }

    async fn public_key_pem(&self) -> Result<String, PortError> {
        self.open()?.public_key_pem().await
    }

    fn key_id(&self) -> String {
        "file".to_owned()
    }

    fn level(&self) -> SignerLevel {
        SignerLevel::KeyFile
    }
}

/// Every port of the home, and its signing key.
pub(crate) fn home_ports(home: &Home) -> (Ports, Arc<HomeSigner>) {
    let signer = Arc::new(HomeSigner {
        home: home.path().to_path_buf(),
        opened: OnceLock::new(),
    });
    (home.ports(Arc::clone(&signer) as Arc<dyn Signer>), signer)
}

pub(crate) fn tenant(name: &str) -> Result<Tenant, Failed> {
    name.parse()
        .map_err(|e: export_model::InvalidName| Failed::new(ErrorCode::Usage, e.to_string()))
}

/// The tenant of public documents: the one that was named, or `default`.
pub(crate) fn importing_tenant(named: Option<&str>) -> Result<Tenant, Failed> {
    tenant(named.unwrap_or(DEFAULT_TENANT))
}

/// Who asks, as far as a command line knows.
pub(crate) fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .map(|name| name.chars().filter(|c| !c.is_control()).take(100).collect())
        .unwrap_or_else(|| "exportctl".to_owned())
}

/// Now, as imports record it: `SOURCE_DATE_EPOCH` where that is set, so that imports can be
/// repeated byte for byte.
pub(crate) fn import_time(now: Timestamp) -> Result<Timestamp, Failed> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else {
        return Ok(now.whole_seconds());
    };
    let seconds = text.parse::<i64>().ok().and_then(|s| s.checked_mul(1000));
    // 9999-12-31, the last day that RFC 3339 can spell.
    match seconds {
        Some(millis) if (0..=253_402_300_799_000).contains(&millis) => Ok(Timestamp(millis)),
        _ => {
            let detail = format!("SOURCE_DATE_EPOCH is `{text}`; it must be seconds since 1970");
            Err(Failed::new(ErrorCode::Usage, detail))
        }
    }
}

/// What the keys of approvers in `keys` say about approvals.
pub(crate) fn approval_policy(keys: &Path, enabled: bool) -> Result<ApprovalPolicy, Failed> {
    Ok(ApprovalPolicy {
        enabled,
        keys: if enabled {
            approvers(keys).map_err(key_failed)?
        } else {
            Default::default()
        },
    })
}
