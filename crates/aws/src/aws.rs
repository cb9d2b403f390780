//! The one place where SDK clients are built.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::IdentityCache;
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use export_model::Timestamp;
use export_ports::{PortError, PortErrorKind};
use tokio::sync::OnceCell;

use crate::clock::ClockTime;
use crate::credentials::{LookedFor, given};
use crate::http::SchemeClient;
use crate::settings::{ATTEMPTS, AwsSettings, CallLimits, FIRST_BACKOFF, MAX_BACKOFF};

/// The services of one account and region. Its backends share connections and credentials.
///
/// Cheap to clone. Building it and its backends asks nobody anything.
#[derive(Clone)]
pub struct Aws {
    settings: AwsSettings,
    quick: SdkConfig,
    s3_credentials: Option<SharedCredentialsProvider>,
}

impl Aws {
    /// The services that `settings` name.
    ///
    /// # Errors
    /// `Invalid` when an endpoint is not an `http` or `https` URL, or the region is empty.
    pub fn new(settings: AwsSettings) -> Result<Self, PortError> {
        if settings.region.is_empty() {
            return Err(PortError::because(
                PortErrorKind::Invalid,
                "using AWS",
                "no region is set",
            ));
        }
        for endpoint in [&settings.endpoint, &settings.s3_endpoint]
            .into_iter()
            .flatten()
        {
            check_endpoint(endpoint)?;
        }
        let http = SchemeClient::new();
        let region = Region::new(settings.region.clone());
        let credentials = match &settings.credentials {
            Some(credentials) => given(credentials),
            None => SharedCredentialsProvider::new(LookedFor {
                region: region.clone(),
                http: http.clone(),
                clock: Arc::clone(&settings.clock),
                chain: OnceCell::new(),
            }),
        };
        let mut quick = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .http_client(http)
            .credentials_provider(credentials)
            // One for all clients, so that credentials are fetched once.
            .identity_cache(IdentityCache::lazy().build())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(FIRST_BACKOFF)
                    .with_max_backoff(MAX_BACKOFF),
            )
            .timeout_config(timeouts(&settings, settings.timeouts.quick))
            .time_source(ClockTime(Arc::clone(&settings.clock)));
        quick.set_sleep_impl(default_async_sleep());
        quick.set_endpoint_url(settings.endpoint.clone());
        Ok(Self {
            s3_credentials: settings.s3_credentials.as_ref().map(given),
            quick: quick.build(),
            settings,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// The limits of calls that carry parts of objects.
    pub(crate) fn bulk_limits(&self) -> CallLimits {
        self.settings.timeouts.bulk
    }

    /// Whether S3 is somebody else's than AWS's.
    pub(crate) fn has_s3_endpoint(&self) -> bool {
        self.s3_endpoint().is_some()
    }

    fn s3_endpoint(&self) -> Option<&String> {
        self.settings
            .s3_endpoint
            .as_ref()
            .or(self.settings.endpoint.as_ref())
    }

    /// Clients for quick calls and for bulk ones.
    pub(crate) fn s3(&self) -> [aws_sdk_s3::Client; 2] {
        [self.quick.clone(), self.bulk()].map(|config| {
            let mut s3 = aws_sdk_s3::config::Builder::from(&config);
            if let Some(endpoint) = self.s3_endpoint() {
                // Whoever serves S3 at an address of his own seldom has a name for each bucket.
                s3 = s3.endpoint_url(endpoint).force_path_style(true);
            }
            if let Some(credentials) = &self.s3_credentials {
                s3 = s3.credentials_provider(credentials.clone());
            }
            aws_sdk_s3::Client::from_conf(s3.build())
        })
    }

    /// Clients for quick calls and for receiving.
    pub(crate) fn sqs(&self) -> [aws_sdk_sqs::Client; 2] {
        [&self.quick, &self.bulk()].map(aws_sdk_sqs::Client::new)
    }

    pub(crate) fn kms(&self, endpoint: Option<&str>) -> aws_sdk_kms::Client {
        let mut kms = aws_sdk_kms::config::Builder::from(&self.quick);
        if let Some(endpoint) = endpoint {
            kms = kms.endpoint_url(endpoint);
        }
        aws_sdk_kms::Client::from_conf(kms.build())
    }

    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.quick)
    }

    fn bulk(&self) -> SdkConfig {
        self.quick
            .to_builder()
            .timeout_config(timeouts(&self.settings, self.settings.timeouts.bulk))
            .build()
    }
}

fn timeouts(settings: &AwsSettings, limits: CallLimits) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(settings.timeouts.connect)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.total)
        .build()
}

fn check_endpoint(endpoint: &str) -> Result<(), PortError> {
    let rest = endpoint
        .strip_prefix("http://")
        .or_else(|| endpoint.strip_prefix("https://"));
    match rest {
        // The text is not repeated: where it has a user, it has a password.
        Some(host) if host.contains('@') => Err(PortError::because(
            PortErrorKind::Invalid,
            "using an AWS endpoint",
            "it holds a user name; credentials are given separately",
        )),
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(()),
        _ => Err(PortError::because(
            PortErrorKind::Invalid,
            format!("using the AWS endpoint {endpoint:?}"),
            "expected a URL such as http://127.0.0.1:4566",
        )),
    }
}
