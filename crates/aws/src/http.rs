//! One HTTP client for every service, which makes what TLS needs when the first `https` request is
//! made.
//!
//! Reading the system's root certificates takes several milliseconds, and the SDK would do it when a
//! client is built. A function that starts cold, or talks to an endpoint without TLS, need not.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// How long a connection that nobody uses is kept: shorter than servers keep theirs, so that few
/// requests meet one that was just closed.
const IDLE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub(crate) struct SchemeClient {
    plain: SharedHttpClient,
    tls: Arc<OnceLock<SharedHttpClient>>,
}

impl SchemeClient {
    pub(crate) fn new() -> Self {
        Self {
            plain: Builder::new().pool_idle_timeout(IDLE).build_http(),
            tls: Arc::new(OnceLock::new()),
        }
    }

    fn of(&self, uri: &str) -> &SharedHttpClient {
        if uri.starts_with("http://") {
            return &self.plain;
        }
        self.tls.get_or_init(|| {
            Builder::new()
                .pool_idle_timeout(IDLE)
                .tls_provider(Provider::rustls(CryptoMode::AwsLc))
                .build_https()
        })
    }
}

impl fmt::Debug for SchemeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SchemeClient")
    }
}

impl HttpClient for SchemeClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(SchemeConnector {
            client: self.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

#[derive(Debug)]
struct SchemeConnector {
    client: SchemeClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for SchemeConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.client
            .of(request.uri())
            .http_connector(&self.settings, &self.components)
            .call(request)
    }
}
