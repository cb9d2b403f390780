//! Failures of the services, in the words of the ports.
//!
//! Only the service's code and message are told, never its whole answer or the request: those can
//! hold session tokens and signatures.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use export_ports::{PortError, PortErrorKind};

/// The longest text of a service that is repeated, in characters.
const MAX_TEXT: usize = 400;

/// Whether a call was to change something: being refused means other things then.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// `error`, which happened while `doing` something to something.
pub(crate) fn failed<E>(
    access: Access,
    doing: impl Into<String>,
    error: &SdkError<E, Response>,
) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (kind, text) = match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let (kind, advice) = judge(access, code, status);
            let mut text = match service.err().message() {
                Some(message) if !code.is_empty() => format!("{code}: {message}"),
                Some(message) => message.to_owned(),
                None if code.is_empty() => format!("status {status}"),
                None => code.to_owned(),
            };
            shorten(&mut text);
            if !advice.is_empty() {
                text = format!("{advice}; the service says: {text}");
            }
            (kind, text)
        }
        SdkError::TimeoutError(_) => (
            PortErrorKind::Unavailable,
            "the service did not answer in time".to_owned(),
        ),
        other => (PortErrorKind::Unavailable, chain(other)),
    };
    PortError::because(kind, doing, text)
}

/// What a code means, and what to do about it where the service does not say.
fn judge(access: Access, code: &str, status: u16) -> (PortErrorKind, &'static str) {
    use PortErrorKind::{AlreadyExists, Full, Invalid, NotFound, Unavailable};
    match code {
        // Not `NotFound`: that would read as "no such object".
        "NoSuchBucket" => (
            Unavailable,
            "the bucket does not exist: create it, or correct its name in the settings",
        ),
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => (
            Unavailable,
            "the queue does not exist: create it, or correct its URL in the settings",
        ),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => (
            Unavailable,
            "the credentials have expired: renew them, and this will be tried again",
        ),
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "InvalidTokenId"
        | "MissingAuthenticationToken"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => (
            Unavailable,
            "the credentials are not accepted: check access key and secret",
        ),
        "RequestExpired" | "RequestTimeTooSkewed" => (
            Unavailable,
            "the clocks differ too much: check the time of this machine",
        ),
        "DisabledException" => (Unavailable, "the key is disabled: enable it"),
        "KMSInvalidStateException" => (
            Unavailable,
            "the key is not in a state to be used: enable it, or cancel its deletion",
        ),
        "InvalidKeyUsageException" => (Invalid, "the key is not made for this"),
        "AccessDenied"
        | "AccessDeniedException"
        | "AllAccessDisabled"
        | "UnauthorizedOperation"
        | "KmsAccessDenied"
        | "KMS.AccessDeniedException" => denied(access),
        "EntityTooLarge"
        | "EntityTooSmall"
        | "InvalidArgument"
        | "InvalidRequest"
        | "ValidationException"
        | "KeyTooLongError" => (Invalid, ""),
        "NoSuchKey"
        | "NoSuchUpload"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException" => (NotFound, ""),
        "PreconditionFailed" => (AlreadyExists, ""),
        "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" => (Full, ""),
        _ => match status {
            401 | 403 => denied(access),
            404 => (NotFound, ""),
            412 => (AlreadyExists, ""),
            507 => (Full, ""),
            _ => (Unavailable, ""),
        },
    }
}

fn denied(access: Access) -> (PortErrorKind, &'static str) {
    match access {
        Access::Read => (
            PortErrorKind::Unavailable,
            "the credentials may not do this: add the permission to their role",
        ),
        Access::Write => (
            PortErrorKind::ReadOnly,
            "the credentials may not write here: add the permission to their role",
        ),
    }
}

/// An error and its causes, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    shorten(&mut text);
    text
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        use PortErrorKind::{Full, NotFound, ReadOnly, Unavailable};
        for (code, status, read, write) in [
            ("AccessDenied", 403, Unavailable, ReadOnly),
            ("", 403, Unavailable, ReadOnly),
            ("NoSuchKey", 404, NotFound, NotFound),
            ("", 404, NotFound, NotFound),
            ("NoSuchBucket", 404, Unavailable, Unavailable),
            ("ExpiredToken", 400, Unavailable, Unavailable),
            ("SlowDown", 503, Unavailable, Unavailable),
            ("XMinioStorageFull", 507, Full, Full),
        ] {
            assert_eq!(judge(Access::Read, code, status).0, read, "{code} {status}");
            assert_eq!(judge(Access::Write, code, status).0, write, "{code}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut text = "ü".repeat(MAX_TEXT + 1);
        shorten(&mut text);
        assert_eq!(text.chars().count(), MAX_TEXT + 1);
        assert!(text.ends_with('…'));
    }
}
