//! Where the services are, and what a test makes there for itself.

use std::env;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_smithy_http_client::Builder;
use export_aws::{Aws, AwsSettings, Bucket, S3Objects, StaticCredentials};
use export_model::{ObjectKey, RunKey, Timestamp};
use export_ports::Clock;

/// The system's time, off by some seconds.
pub(crate) struct SystemClock {
    pub(crate) off: i64,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let millis = i64::try_from(now.as_millis()).unwrap();
        Timestamp(millis + self.off * 1000)
    }
}

pub(crate) fn random() -> String {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).unwrap();
    hex::encode(bytes)
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn credentials(id: &str, secret: &str, default: Option<&str>) -> Option<StaticCredentials> {
    Some(StaticCredentials {
        access_key_id: set(id).or_else(|| default.map(str::to_owned))?,
        secret_access_key: set(secret).or_else(|| default.map(str::to_owned))?.into(),
        session_token: None,
    })
}

/// LocalStack, or none, saying that `what` is skipped.
pub(crate) fn localstack(what: impl Display) -> Option<AwsSettings> {
    let Some(endpoint) = set("AWS_ENDPOINT_URL") else {
        println!("skipped: {what}: AWS_ENDPOINT_URL is not set");
        return None;
    };
    // Where a bucket needs no location to be named.
    let mut settings = AwsSettings::new("us-east-1", Arc::new(SystemClock { off: 0 }));
    settings.endpoint = Some(endpoint);
    settings.credentials = credentials("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", Some("test"));
    Some(settings)
}

/// MinIO, or none, saying that `what` is skipped.
pub(crate) fn minio(what: impl Display) -> Option<AwsSettings> {
    let Some(endpoint) = set("S3_ENDPOINT") else {
        println!("skipped: {what}: S3_ENDPOINT is not set");
        return None;
    };
    let mut settings = AwsSettings::new("us-east-1", Arc::new(SystemClock { off: 0 }));
    settings.s3_endpoint = Some(endpoint);
    settings.s3_credentials = credentials("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", None)
        .or_else(|| credentials("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", None));
    Some(settings)
}

/// An S3 service with a client of the test's own, which knows nothing of the backend's settings.
pub(crate) struct Store {
    pub(crate) settings: AwsSettings,
    pub(crate) s3: aws_sdk_s3::Client,
}

/// A bucket of a test's own.
pub(crate) struct OwnBucket {
    pub(crate) store: Arc<Store>,
    pub(crate) name: String,
}

impl Store {
    pub(crate) fn new(settings: AwsSettings) -> Arc<Self> {
        let given = settings
            .s3_credentials
            .as_ref()
            .or(settings.credentials.as_ref())
            .unwrap();
        let endpoint = settings.s3_endpoint.as_ref().or(settings.endpoint.as_ref());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .endpoint_url(endpoint.unwrap())
            .force_path_style(true)
            .http_client(Builder::new().build_http())
            .credentials_provider(own(given));
        Arc::new(Self {
            s3: aws_sdk_s3::Client::from_conf(config.build()),
            settings,
        })
    }

    pub(crate) fn localstack(what: &str) -> Option<Arc<Self>> {
        localstack(format!("{what} on LocalStack")).map(Self::new)
    }

    pub(crate) fn minio(what: &str) -> Option<Arc<Self>> {
        minio(format!("{what} on MinIO")).map(Self::new)
    }

    /// Every S3 service that is there; says which are not.
    pub(crate) fn all(what: &str) -> Vec<Arc<Self>> {
        if set("AWS_ENDPOINT_URL").is_none() && set("S3_ENDPOINT").is_none() {
            println!("skipped: {what}: neither AWS_ENDPOINT_URL nor S3_ENDPOINT is set");
            return Vec::new();
        }
        [Self::localstack(what), Self::minio(what)]
            .into_iter()
            .flatten()
            .collect()
    }

    pub(crate) async fn bucket(self: &Arc<Self>) -> OwnBucket {
        let name = format!("export-test-{}", random());
        self.s3.create_bucket().bucket(&name).send().await.unwrap();
        OwnBucket {
            store: Arc::clone(self),
            name,
        }
    }
}

/// A test's own credentials of the SDK.
pub(crate) fn own(given: &StaticCredentials) -> Credentials {
    Credentials::new(
        &given.access_key_id,
        given.secret_access_key.as_str(),
        given.session_token.as_ref().map(|token| token.to_string()),
        None,
        "test",
    )
}

impl OwnBucket {
    pub(crate) async fn versioned(self) -> Self {
        let on = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let request = self.store.s3.put_bucket_versioning().bucket(&self.name);
        request.versioning_configuration(on).send().await.unwrap();
        self
    }

    /// The backend on this bucket.
    pub(crate) fn objects(&self) -> S3Objects {
        self.objects_with(|_| {})
    }

    /// The backend on this bucket, with other settings.
    pub(crate) fn objects_with(&self, change: impl FnOnce(&mut AwsSettings)) -> S3Objects {
        let mut settings = self.store.settings.clone();
        change(&mut settings);
        let aws = Aws::new(settings).unwrap();
        aws.objects(&self.as_setting()).unwrap()
    }

    pub(crate) fn as_setting(&self) -> Bucket {
        Bucket {
            name: self.name.clone(),
            prefix: "exports".to_owned(),
            kms_key: None,
        }
    }

    /// Every version of every object: its key, and whether it is a delete marker.
    pub(crate) async fn versions(&self) -> Vec<(String, bool)> {
        let listed = self.store.s3.list_object_versions().bucket(&self.name);
        let listed = listed.send().await.unwrap();
        let versions = listed.versions().iter();
        let markers = listed.delete_markers().iter();
        versions
            .map(|version| (version.key().unwrap().to_owned(), false))
            .chain(markers.map(|marker| (marker.key().unwrap().to_owned(), true)))
            .collect()
    }

    /// The unfinished uploads.
    pub(crate) async fn uploads(&self) -> usize {
        let listed = self.store.s3.list_multipart_uploads().bucket(&self.name);
        listed.send().await.unwrap().uploads().len()
    }

    /// Removes it, with what is left in it.
    pub(crate) async fn remove(self) {
        let s3 = &self.store.s3;
        let listed = s3.list_multipart_uploads().bucket(&self.name);
        for upload in listed.send().await.unwrap().uploads() {
            let abort = s3.abort_multipart_upload().bucket(&self.name);
            let abort = abort.set_key(upload.key().map(str::to_owned));
            let abort = abort.set_upload_id(upload.upload_id().map(str::to_owned));
            abort.send().await.unwrap();
        }
        let listed = s3.list_object_versions().bucket(&self.name);
        let listed = listed.send().await.unwrap();
        let versions = listed.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = listed.delete_markers().iter();
        for (key, version) in versions.chain(markers.map(|m| (m.key(), m.version_id()))) {
            let delete = s3.delete_object().bucket(&self.name).key(key.unwrap());
            let delete = delete.set_version_id(version.map(str::to_owned));
            delete.send().await.unwrap();
        }
        s3.delete_bucket().bucket(&self.name).send().await.unwrap();
    }
}

pub(crate) fn run(number: u32) -> RunKey {
    RunKey {
        tenant: "acme".parse().unwrap(),
        run: format!("0199f0c2-7a51-7c3e-9d7e-{number:012}")
            .parse()
            .unwrap(),
    }
}

pub(crate) fn key(path: &str) -> ObjectKey {
    ObjectKey::new(&run(1), "t1", path).unwrap()
}

/// The settings of a client that soon gives up.
pub(crate) fn impatient(settings: &mut AwsSettings) {
    let limits = export_aws::CallLimits {
        attempt: Duration::from_millis(500),
        total: Duration::from_secs(2),
    };
    settings.timeouts.quick = limits;
    settings.timeouts.bulk = limits;
}
