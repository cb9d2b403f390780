//! Credentials: given, or looked for at the first call.

use std::fmt;
use std::sync::Arc;

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, future::ProvideCredentials as Provided,
};
use export_ports::Clock;
use tokio::sync::OnceCell;

use crate::clock::ClockTime;
use crate::http::SchemeClient;
use crate::settings::StaticCredentials;

pub(crate) fn given(credentials: &StaticCredentials) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(
        credentials.access_key_id.clone(),
        credentials.secret_access_key.as_str(),
        credentials
            .session_token
            .as_ref()
            .map(|token| token.to_string()),
        None,
        "settings",
    ))
}

/// The SDK's own chain, which is made when it is first asked: making it may look into files.
pub(crate) struct LookedFor {
    pub(crate) region: Region,
    pub(crate) http: SchemeClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chain: OnceCell<DefaultCredentialsChain>,
}

impl LookedFor {
    async fn chain(&self) -> &DefaultCredentialsChain {
        self.chain
            .get_or_init(|| async {
                let config = ProviderConfig::without_region()
                    .with_region(Some(self.region.clone()))
                    .with_http_client(self.http.clone())
                    .with_time_source(ClockTime(Arc::clone(&self.clock)));
                DefaultCredentialsChain::builder()
                    .configure(config)
                    .region(self.region.clone())
                    .build()
                    .await
            })
            .await
    }
}

impl ProvideCredentials for LookedFor {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(async move { self.chain().await.provide_credentials().await })
    }
}

impl fmt::Debug for LookedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookedFor")
    }
}
