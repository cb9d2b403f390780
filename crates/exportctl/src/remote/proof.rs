//! `exportctl proof`: the header fields of one request, for other clients.

use export_model::ErrorCode;
use serde_json::json;

use super::http::Client;
use crate::failure::Failed;
use crate::output::Output;

/// Prints the two fields for a request of `method` at `target`, a path at the service or a URL of
/// it. This is the one place where a token is printed: it is what the command is for.
pub(crate) fn execute(
    client: &Client,
    output: &Output,
    method: &str,
    target: &str,
    count: u32,
) -> Result<u8, Failed> {
    let method = method.to_ascii_uppercase();
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        let detail = format!("`{method}` is no method of HTTP");
        return Err(Failed::new(ErrorCode::Usage, detail));
    }
    let url = client.address().target(target).ok_or_else(|| {
        let detail = format!(
            "`{target}` is neither a path that begins with / nor a URL of {}; the token is for no \
             other service",
            client.address().as_str()
        );
        Failed::new(ErrorCode::Usage, detail)
    })?;
    let (authorization, proof) = client.fields(&method, &url)?;
    let (authorization, proof) = (authorization.expose(), proof.expose());
    let mut text = format!("Authorization: {authorization}\nDPoP: {proof}");
    for _ in 1..count {
        let (_, proof) = client.fields(&method, &url)?;
        text.push_str("\nDPoP: ");
        text.push_str(proof.expose());
    }
    let value = json!({
        "method": method,
        "url": url,
        "Authorization": authorization,
        "DPoP": proof,
    });
    output.result(&text, &value);
    Ok(0)
}
