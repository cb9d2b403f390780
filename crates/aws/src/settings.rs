//! What a host says about the services, and how patient their clients are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use export_ports::Clock;
use zeroize::Zeroizing;

/// How often a call is made at most, the first time included.
///
/// Made again: what never arrived or broke off (connections, timeouts), answers of 500, 502, 503
/// and 504, throttling, and a clock that is too far off (corrected by the answer's `Date` first).
/// Not made again: what the service refuses. Every call here may be made twice: parts and puts
/// write the same bytes again, completing an upload finds its own object, and messages are
/// delivered at least once anyway.
pub const ATTEMPTS: u32 = 4;

/// The longest wait before the second call; it doubles for each one after. What is waited is a
/// random share of it, so that clients that failed together do not come back together.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The longest wait before any call.
pub const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// How many seconds one call, and all calls for one purpose, may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// One call: from its first byte to its answer. Of an answer whose body is read as it comes,
    /// also the longest wait for more of it.
    pub attempt: Duration,
    /// All of them, with the waits in between.
    pub total: Duration,
}

/// How patient clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Calls that carry little: everything but the next.
    pub quick: CallLimits,
    /// Calls that carry parts of objects, and receiving, which waits up to 20 seconds by itself.
    pub bulk: CallLimits,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            quick: CallLimits {
                attempt: Duration::from_secs(8),
                total: Duration::from_secs(25),
            },
            bulk: CallLimits {
                attempt: Duration::from_secs(45),
                total: Duration::from_secs(150),
            },
        }
    }
}

/// Credentials that are given instead of looked for.
#[derive(Clone)]
pub struct StaticCredentials {
    /// The access key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Zeroizing<String>,
    /// The session's token, of temporary credentials.
    pub session_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Where the services are and who calls them.
#[derive(Clone)]
pub struct AwsSettings {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Where every service is, instead of at AWS: `http://` or `https://` and a host.
    pub endpoint: Option<String>,
    /// Where S3 is, if elsewhere than `endpoint`.
    pub s3_endpoint: Option<String>,
    /// Who calls. None: looked for at the first call, where AWS's own programs look for it
    /// (environment, profile, web identity, container, instance).
    pub credentials: Option<StaticCredentials>,
    /// Who calls S3, if somebody else.
    pub s3_credentials: Option<StaticCredentials>,
    /// How patient clients are.
    pub timeouts: Timeouts,
    /// The time, by which requests are signed and links expire.
    pub clock: Arc<dyn Clock>,
}

impl AwsSettings {
    /// AWS itself in `region`, with credentials that are looked for.
    pub fn new(region: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            region: region.into(),
            endpoint: None,
            s3_endpoint: None,
            credentials: None,
            s3_credentials: None,
            timeouts: Timeouts::default(),
            clock,
        }
    }
}

impl fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSettings")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("s3_endpoint", &self.s3_endpoint)
            .field("credentials", &self.credentials)
            .field("s3_credentials", &self.s3_credentials)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}
