//! How a run's files are sealed: only to whom its tenant's configuration lists.

use export_model::{
    Encryption, ErrorCode, FieldError, Profile, RunOptions, SealMode, Sealing, Tenant,
};
use export_ports::Ports;

use crate::PhaseError;

/// How the files of a run are sealed: as the request says, or else the profile.
///
/// # Errors
/// `ERR_RECIPIENT_NOT_LISTED`; when the configuration cannot be read.
pub(crate) async fn sealing(
    ports: &Ports,
    tenant: &Tenant,
    profile: &Profile,
    options: &RunOptions,
) -> Result<Option<Sealing>, PhaseError> {
    let (mode, field) = match (options.encrypt_to.as_slice(), &profile.config.encryption) {
        ([], Encryption::None) => return Ok(None),
        ([], Encryption::Sealed(mode)) => (mode.clone(), "config.encryption"),
        (recipients, _) => {
            let recipients = recipients.to_vec();
            (SealMode::Age { recipients }, "options.encrypt_to")
        }
    };
    check(ports, tenant, &mode, field).await?;
    Ok(Some(mode.into()))
}

/// Checks what a profile's configuration seals to.
///
/// # Errors
/// `ERR_RECIPIENT_NOT_LISTED`; when the tenant's configuration cannot be read.
pub async fn check_encryption(
    ports: &Ports,
    tenant: &Tenant,
    encryption: &Encryption,
) -> Result<(), PhaseError> {
    match encryption {
        Encryption::None => Ok(()),
        Encryption::Sealed(mode) => check(ports, tenant, mode, "config.encryption").await,
    }
}

/// The beginning of what is not listed; nothing of it where it is a secret key by mistake.
fn shown(stranger: &str) -> String {
    let upper = stranger.to_ascii_uppercase();
    if ["AGE-SECRET-", "EXPORT-CENTER-KEK-"]
        .iter()
        .any(|prefix| upper.contains(prefix))
    {
        return "a secret key, which is no recipient,".to_owned();
    }
    stranger.chars().take(120).collect()
}

async fn check(
    ports: &Ports,
    tenant: &Tenant,
    mode: &SealMode,
    field: &str,
) -> Result<(), PhaseError> {
    let listed = ports.seals.listed(tenant).await?;
    let (wanted, listed, member) = match mode {
        SealMode::Age { recipients } => (recipients.as_slice(), listed.recipients, "recipients"),
        SealMode::AesGcm { key } => (std::slice::from_ref(key), listed.keys, "key"),
    };
    let field = match (field, mode) {
        ("config.encryption", _) => format!("config.encryption.{member}"),
        _ => field.to_owned(),
    };
    let strangers: Vec<_> = wanted.iter().filter(|it| !listed.contains(it)).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let fields: Vec<_> = strangers
        .into_iter()
        .map(|stranger| FieldError {
            field: field.clone(),
            message: format!(
                "{} is not listed in the configuration of {tenant}",
                shown(stranger)
            ),
        })
        .collect();
    let detail = fields.iter().map(|error| error.message.as_str());
    let detail = detail.collect::<Vec<_>>().join("; ");
    Err(PhaseError::Refused {
        code: ErrorCode::RecipientNotListed,
        detail,
        fields,
    })
}
