//! The command line's grammar. `docs/cli.md` is generated from it.

mod bundle;
mod dlq;
mod login;
mod mirror;
mod place;
mod schedule;
mod seal;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use bundle::{BundleCommand, DiffArgs, UnpackArgs, VerifyArgs};
#[cfg(feature = "stack")]
pub(crate) use dlq::StackCommand;
pub(crate) use dlq::{DlqCommand, PhaseName};
pub(crate) use login::LoginArgs;
pub(crate) use mirror::{MirrorApplyArgs, MirrorCommand, MirrorDir, MirrorVerifyArgs};
pub(crate) use place::Place;
pub(crate) use schedule::ScheduleCommand;
pub(crate) use seal::{RewrapArgs, SealCommand};

/// Packages security evidence into signed bundles that anybody can verify offline.
#[derive(Debug, Parser)]
#[command(
    name = "exportctl",
    version,
    max_term_width = 100,
    disable_help_subcommand = false
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The folder with ledger, runs, bundles and keys [default: the platform's data folder]
    #[arg(long, global = true, env = "EXPORT_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// A service to work with instead of a home [default: none]. What works on a home only refuses
    /// it; `verify`, `inspect`, `unpack` and `mirror` work offline and never use it
    #[arg(long, global = true, env = "EXPORT_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The file that says where a stack is [default: export-center.toml in the working folder, where
    /// there is one]
    #[cfg(feature = "stack")]
    #[arg(long, global = true, env = "EXPORT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object on standard output, nothing else
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log more; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fill the ledger and look at it
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// What can be exported, and how
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Export evidence into a signed bundle
    Run(Box<RunArgs>),
    /// The stack that the settings name: set it up, ask whether it answers
    #[cfg(feature = "stack")]
    #[command(subcommand)]
    Stack(StackCommand),
    /// Messages that could not be dealt with, and were put aside
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Past and present runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Start runs at times
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Check a bundle, offline: who signed it, and that nothing changed
    Verify(VerifyArgs),
    /// Show what a bundle says of itself, without verifying it
    Inspect {
        /// The bundle: an archive, a folder, or `-` for standard input
        bundle: PathBuf,
        /// List what of the evidence a scanner's database has no words for, and why
        #[arg(long)]
        unmapped: bool,
    },
    /// Verify a bundle and unpack it: into a new folder, or into a scanner's cache
    Unpack(UnpackArgs),
    /// Compare the advisories of two bundles of trivy:db, without verifying them. Exits with 0, whether
    /// they differ or not, unless --exit-code is given
    Diff(DiffArgs),
    /// Bundles on media: cut to size, and put together again
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// A folder that mirrors the evidence at a site that only media reach
    #[command(subcommand)]
    Mirror(MirrorCommand),
    /// Signing keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Let another tenant export your evidence, and know who may
    #[command(subcommand)]
    Approval(ApprovalCommand),
    /// Seal bundles: for whom, with which keys, and how keys are rotated
    #[command(subcommand)]
    Seal(SealCommand),
    /// What this version can produce
    Adapters,
    /// Serve the API, and do its runs, until stopped
    Serve(Box<ServeArgs>),
    /// Obtain a token for a service, bound to a key that stays here
    Login(Box<LoginArgs>),
    /// Forget the token and the key of a service
    Logout,
    /// Print the header lines that show who a request is from, for `curl -H @-`. They hold the
    /// token: a terminal or a pipe is the place for them, and no file
    Proof {
        /// The request's method, such as GET
        method: String,
        /// Its path at the service, such as /api/export/runs, or its URL
        #[arg(value_name = "URL|PATH")]
        target: String,
        /// So many proofs, for as many requests of this kind
        #[arg(long, value_name = "N", default_value_t = 1, hide = true,
            value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        count: u32,
    },
    /// Print generated pages of the documentation
    #[command(hide = true)]
    Docs {
        /// Which page: `errors`, `cli` or `openapi`
        page: String,
    },
}

impl Command {
    /// How many parts may be written at once.
    pub(crate) fn workers(&self) -> usize {
        let asked = match self {
            Self::Run(args) => args.workers,
            Self::Runs(RunsCommand::Resume { workers }) => *workers,
            // Downloads read beside the parts that are written.
            Self::Serve(args) => {
                return usize::from(args.workers.unwrap_or_else(default_workers)) + 12;
            }
            Self::Ledger(LedgerCommand::Serve(_)) => return 12,
            _ => Some(1),
        };
        usize::from(asked.unwrap_or_else(default_workers))
    }
}

/// Half the cores write parts; compression and hashing fill the others.
pub(crate) fn default_workers() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from((cores / 2).clamp(1, 16)).unwrap_or(1)
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Import evidence: files, folders, zip archives, `.zst`, `.gz`, or `-` for standard input
    Import(ImportArgs),
    /// What the ledger holds, by tenant, kind and source
    Stats,
    /// Add made-up records, for trying things out and for measuring
    Generate {
        /// How many records
        #[arg(long)]
        records: u64,
        /// The same seed gives the same records
        #[arg(long)]
        seed: u64,
        /// Whose records they are [default: `default`]
        #[arg(long, env = "EXPORT_TENANT")]
        tenant: Option<String>,
    },
    /// Serve the ledger and the policy engine to other hosts over HTTP, until stopped
    Serve(Box<LedgerServeArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct LedgerServeArgs {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8760")]
    pub(crate) listen: String,
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Whose records public documents become; ledger records of others are refused [default:
    /// ledger records keep their own tenant, documents go to `default`]
    #[arg(long, env = "EXPORT_TENANT")]
    pub(crate) tenant: Option<String>,
    /// The documents' format: auto, ledger, osv, cyclonedx, spdx, openvex, csaf, or maven-index for
    /// text with a jar a line: `SHA1<TAB>GROUP:ARTIFACT:VERSION[:CLASSIFIER]`, or
    /// `{"g", "a", "v", "c", "sha1"}`
    #[arg(long, default_value = "auto")]
    pub(crate) format: String,
    /// Fill the ledger of this MongoDB instead (mongodb://…, with the database's name)
    #[cfg(feature = "stack")]
    #[arg(long, value_name = "URI")]
    pub(crate) to: Option<String>,
    /// What to import
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TenantArg {
    /// Whose [default: the only tenant of the ledger]
    #[arg(long, env = "EXPORT_TENANT")]
    pub(crate) tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Every profile, built-in ones first
    List(TenantArg),
    /// A profile with its configuration
    Show {
        /// The profile's name
        name: String,
        /// A revision [default: the newest]
        #[arg(long)]
        revision: Option<u32>,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Make a profile from a JSON file: {"name", "kind", "description", "config"}
    Create {
        /// The file, or `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Retire a profile: nothing is run with it any more; past runs keep it
    Retire {
        /// The profile's name
        name: String,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Change a profile: its description in place, its configuration into a new revision
    Update {
        /// The profile's name
        name: String,
        /// The new description
        #[arg(long)]
        description: Option<String>,
        /// A JSON file with the new configuration, or `-` for standard input
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        tenant: TenantArg,
    },
}

/// Which records. Of all that are named, a record must meet each.
#[derive(Debug, Args)]
pub(crate) struct SelectorArgs {
    /// Only records of this kind: advisory, vex, sbom, finding (repeat for more)
    #[arg(long = "kind", value_name = "KIND")]
    pub(crate) kinds: Vec<String>,
    /// Only records about this purl type, such as npm
    #[arg(long = "ecosystem", value_name = "TYPE")]
    pub(crate) ecosystems: Vec<String>,
    /// Only records about this purl; `*` at its end for all that begin so
    #[arg(long = "product", value_name = "PURL")]
    pub(crate) products: Vec<String>,
    /// Only this SBOM and findings about it, by subject or `_id`
    #[arg(long = "sbom-subject", value_name = "SBOM")]
    pub(crate) sbom_subjects: Vec<String>,
    /// Only records with this identifier or alias, such as CVE-2021-44228
    #[arg(long = "identifier", value_name = "ID")]
    pub(crate) identifiers: Vec<String>,
    /// Only records from this source, `vendor` or `vendor/stream`
    #[arg(long = "source", value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// Leave out records of this kind
    #[arg(long = "exclude-kind", value_name = "KIND")]
    pub(crate) exclude_kinds: Vec<String>,
    /// Leave out records about this purl type
    #[arg(long = "exclude-ecosystem", value_name = "TYPE")]
    pub(crate) exclude_ecosystems: Vec<String>,
    /// Leave out records about this purl
    #[arg(long = "exclude-product", value_name = "PURL")]
    pub(crate) exclude_products: Vec<String>,
    /// Leave out this SBOM and findings about it
    #[arg(long = "exclude-sbom-subject", value_name = "SBOM")]
    pub(crate) exclude_sbom_subjects: Vec<String>,
    /// Leave out records with this identifier
    #[arg(long = "exclude-identifier", value_name = "ID")]
    pub(crate) exclude_identifiers: Vec<String>,
    /// Leave out records from this source
    #[arg(long = "exclude-source", value_name = "SOURCE")]
    pub(crate) exclude_sources: Vec<String>,
    /// Selectors as a JSON file (`-` for standard input), instead of the flags above
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kinds", "ecosystems", "products",
        "sbom_subjects", "identifiers", "sources", "exclude_kinds", "exclude_ecosystems",
        "exclude_products", "exclude_sbom_subjects", "exclude_identifiers", "exclude_sources",
        "recorded_from", "recorded_to"])]
    pub(crate) selectors: Option<PathBuf>,
    /// Only records received at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) recorded_from: Option<String>,
    /// Only records received before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) recorded_to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The profile: `json:raw`, `json:policy`, `trivy:db`, `trivy:java-db`, `mirror:full`,
    /// `mirror:delta`, or one of your own
    pub(crate) profile: String,
    #[command(flatten)]
    pub(crate) tenant: TenantArg,
    #[command(flatten)]
    pub(crate) selecting: SelectorArgs,
    /// This tenant's records too; needs its approval (repeat for more)
    #[arg(long = "include-tenant", value_name = "TENANT")]
    pub(crate) include_tenants: Vec<String>,
    /// An approval by another tenant, as `approval create` wrote it (repeat for more)
    #[arg(long = "approval", value_name = "FILE")]
    pub(crate) approvals: Vec<PathBuf>,
    /// Let a run name other tenants
    #[arg(long, env = "EXPORT_CROSS_TENANT",
        value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) cross_tenant: bool,
    /// The ledger as it was: a time (RFC 3339), or the watermark of a past run
    #[arg(long, value_name = "TIME|WATERMARK")]
    pub(crate) as_of: Option<String>,
    /// Seal payload files with age to this recipient, `age1…`, that the tenant's configuration lists
    /// (repeat for more) [default: as the profile says]
    #[arg(long = "encrypt-to", value_name = "RECIPIENT")]
    pub(crate) encrypt_to: Vec<String>,
    /// The mirror export that a mirror:delta starts from
    #[arg(long, value_name = "RUN_ID")]
    pub(crate) base: Option<String>,
    /// The policy snapshot to export [default: the newest; of a mirror none, or the base's]
    #[arg(long, value_name = "ID")]
    pub(crate) policy_snapshot: Option<String>,
    /// The version of the scanner's schema to write, for trivy:db and trivy:java-db [default: the
    /// profile's]
    #[arg(long, value_name = "N")]
    pub(crate) schema_version: Option<u32>,
    /// How many parts are written at once [default: half the cores, at least 1]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// Where to write the archive; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Submit the run and leave it to those who serve the same backends
    #[arg(long, conflicts_with_all = ["out", "workers"])]
    pub(crate) detach: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Newest runs first
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// A run: status, counts, digests, where its bundle is
    Show {
        /// The run's id
        id: String,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// What happened to a run, in order
    Events {
        /// The run's id
        id: String,
        /// Print them as they happen, until the run has ended
        #[arg(long)]
        follow: bool,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// The bundle of a completed run; from a service, a broken connection is continued
    Download {
        /// The run's id
        id: String,
        /// Where to write the archive; `-` for standard output
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Cancel a run; nothing of its payload is kept
    Cancel {
        /// The run's id
        id: String,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Hand an undelivered run over again
    Retry {
        /// The run's id
        id: String,
        #[command(flatten)]
        tenant: TenantArg,
    },
    /// Finish what processes that ended have left unfinished
    Resume {
        /// How many parts are written at once
        #[arg(long, value_name = "N")]
        workers: Option<u16>,
    },
}

/// What a process of the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Answers requests
    Api,
    /// Does the runs
    Worker,
    /// Both
    All,
    /// Gives tokens to whoever asks on this machine: the dev authority alone, for a service that is
    /// tried out elsewhere on it
    Authority,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::All => "all",
            Self::Authority => "authority",
        }
    }
}

/// By whose tokens a service knows who asks.
#[derive(Debug, Args)]
pub(crate) struct AuthorityArgs {
    /// The URL that clients reach the service by, as DPoP proofs name it [default: the address]
    #[arg(long, value_name = "URL", env = "EXPORT_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// The Authority's key set, a URL or a file [default: a dev authority of this machine's own]
    #[arg(long, value_name = "URL|FILE", env = "EXPORT_JWKS", requires_all = ["issuer", "audience"])]
    pub(crate) jwks: Option<String>,
    /// The `iss` of the Authority's tokens
    #[arg(long, value_name = "ISS", env = "EXPORT_ISSUER")]
    pub(crate) issuer: Option<String>,
    /// The `aud` by which the Authority knows this service
    #[arg(long, value_name = "AUD", env = "EXPORT_AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// How many seconds clocks may differ, for a token's times [default: 60]
    #[arg(long, value_name = "SECONDS", env = "EXPORT_LEEWAY")]
    pub(crate) leeway: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// What this process does; several may share one home
    #[arg(long, value_enum, default_value_t = Role::All)]
    pub(crate) role: Role,
    /// The address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8750",
        env = "EXPORT_LISTEN"
    )]
    pub(crate) listen: String,
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// How many parts are written at once [default: half the cores, at least 1]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// How many messages of each other phase are worked on at once [default: 1; on a stack 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) messages: Option<u16>,
    /// Take messages of these phases only (repeat for more) [default: of all]
    #[arg(long = "phase", value_enum, value_name = "PHASE")]
    pub(crate) phases: Vec<PhaseName>,
    /// Runs that a tenant may submit in a day (UTC) [default: no limit]
    #[arg(long, value_name = "N", env = "EXPORT_RUNS_PER_DAY")]
    pub(crate) runs_per_day: Option<u64>,
    /// Bytes of archives after which a tenant may submit no more runs in a day (UTC)
    /// [default: no limit]
    #[arg(long, value_name = "BYTES", env = "EXPORT_BYTES_PER_DAY")]
    pub(crate) bytes_per_day: Option<u64>,
    /// Requests that a tenant may make in a minute [default: no limit]
    #[arg(long, value_name = "N", env = "EXPORT_REQUESTS_PER_MINUTE")]
    pub(crate) requests_per_minute: Option<u64>,
    /// A JSON file with limits of single tenants: {"acme": {"runs_per_day": 100}}
    #[arg(long, value_name = "FILE", env = "EXPORT_TENANT_LIMITS")]
    pub(crate) tenant_limits: Option<PathBuf>,
    /// Let runs have other tenants' evidence, with approvals that these have signed
    #[arg(long, env = "EXPORT_CROSS_TENANT", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) cross_tenant: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// The home's signing key and the keys that it trusts
    Show,
    /// Make a key pair: PREFIX.key and PREFIX.pub; without PREFIX, the home's signing key.
    /// COSIGN_PASSWORD encrypts it
    Generate {
        /// Where to write the pair
        #[arg(long, value_name = "PREFIX")]
        out: Option<PathBuf>,
    },
    /// The home's public key, PEM, on standard output
    Public,
    /// Trust a public key: bundles signed with it verify in this home
    Trust {
        /// The key, PEM
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalCommand {
    /// Sign an approval: the grantor lets the grantee export the grantor's evidence
    Create(Box<ApprovalArgs>),
    /// Let a public key sign approvals of a tenant in this home
    Trust {
        /// Whose approvals
        tenant: String,
        /// The key, PEM
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalArgs {
    /// Whose evidence may be exported
    #[arg(long, value_name = "TENANT")]
    pub(crate) grantor: String,
    /// Who may export it
    #[arg(long, value_name = "TENANT")]
    pub(crate) grantee: String,
    /// With which kind of profile, such as json:raw (repeat for more)
    #[arg(long = "profile", value_name = "KIND", required = true)]
    pub(crate) profiles: Vec<String>,
    #[command(flatten)]
    pub(crate) selecting: SelectorArgs,
    /// The first instant at which a run may be submitted (RFC 3339) [default: any]
    #[arg(long, value_name = "TIME")]
    pub(crate) not_before: Option<String>,
    /// The first instant at which none may any more (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: String,
    /// Good for one run only
    #[arg(long)]
    pub(crate) once: bool,
    /// The grantor's own name of it, never given to another approval [default: made up]
    #[arg(long, value_name = "TEXT")]
    pub(crate) nonce: Option<String>,
    /// The grantor's private key, PEM; COSIGN_PASSWORD opens it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Where to write the approval
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
