//! Presigned URLs (AWS Signature Version 4 in the query).

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use export_model::ObjectKey;
use export_ports::{Link, PortError, PortErrorKind};

use super::S3Objects;
use crate::clock::system_time;

/// The longest time that a link can be good for.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) async fn link(
    store: &S3Objects,
    key: &ObjectKey,
    link: Link<'_>,
) -> Result<String, PortError> {
    let doing = || format!("making a link to {}", store.place(key));
    if link.valid > LONGEST || link.valid < Duration::from_secs(1) {
        return Err(PortError::because(
            PortErrorKind::Invalid,
            doing(),
            "a link is good for a second to seven days",
        ));
    }
    let config = PresigningConfig::builder()
        .start_time(system_time(store.aws.now()))
        .expires_in(link.valid)
        .build()
        .map_err(|error| PortError::because(PortErrorKind::Invalid, doing(), error))?;
    let request = store
        .quick
        .get_object()
        .bucket(&store.bucket)
        .key(store.key(key))
        .response_content_type(link.media_type)
        .set_response_content_disposition(link.file_name.map(disposition))
        .presigned(config)
        .await;
    match request {
        Ok(request) => Ok(request.uri().to_owned()),
        // Nothing is sent to make one: what fails is finding credentials.
        Err(_) => Err(PortError::because(
            PortErrorKind::Unavailable,
            doing(),
            "no credentials to sign it with were found",
        )),
    }
}

/// `Content-Disposition` (RFC 6266) of a file that is to be saved as `name`.
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(
            disposition("acme-0199.tar"),
            "attachment; filename=\"acme-0199.tar\""
        );
        assert_eq!(
            disposition("a\"; x=\r\n\\"),
            "attachment; filename=\"a__ x____\""
        );
    }
}
