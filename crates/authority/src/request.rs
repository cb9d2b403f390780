//! What a request says about who it is from.

/// The parts of a request that are looked at. Header values are as they were received: all fields of a name, each by
/// itself, since more than one is a reason to refuse.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// The path as it was sent, beginning with `/`, with its escapes, without a query.
    pub url_path: &'a str,
    /// Every `Authorization` field.
    pub authorization: &'a [&'a [u8]],
    /// Every `DPoP` field.
    pub dpop: &'a [&'a [u8]],
}

/// Why the `Authorization` of a request gives no access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum CredentialsError {
    #[error("the request has no access token")]
    Missing,
    #[error("the request has more than one Authorization field")]
    Several,
    #[error(
        "the access token was sent as Bearer; it is bound to a key and has to be sent as DPoP, with a proof"
    )]
    Bearer,
    #[error("the Authorization field has another scheme than DPoP")]
    OtherScheme,
    #[error("the Authorization field is not DPoP followed by one access token")]
    Malformed,
}

/// The access token of a request (RFC 9449 §7.1). Schemes are compared without regard to case (RFC 9110 §11.1).
pub(crate) fn access_token<'a>(fields: &[&'a [u8]]) -> Result<&'a str, CredentialsError> {
    let field = match fields {
        [] => return Err(CredentialsError::Missing),
        [one] => std::str::from_utf8(one).map_err(|_| CredentialsError::Malformed)?,
        _ => return Err(CredentialsError::Several),
    };
    let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Err(CredentialsError::Bearer);
    }
    if !scheme.eq_ignore_ascii_case("DPoP") {
        return Err(CredentialsError::OtherScheme);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || token.bytes().any(|b| !b.is_ascii_graphic() || b == b',') {
        return Err(CredentialsError::Malformed);
    }
    Ok(token)
}
