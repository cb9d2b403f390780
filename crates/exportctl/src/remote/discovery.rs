//! Where a service's tokens come from.
//!
//! A service names its Authority (RFC 9728), and that one its token endpoint (RFC 8414, or OpenID
//! Connect Discovery 1.0 where it has only that). Both documents are checked to be about what was
//! asked for, because whoever answers decides where the login goes.

use export_authority::client::is_loopback;
use export_model::ErrorCode;
use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use super::address::Address;
use super::http::connections;
use super::trouble::{Trouble, document};
use crate::failure::Failed;

/// Metadata of a protected resource (RFC 9728 §2), as far as it matters here.
#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    authorization_servers: Vec<String>,
}

/// Metadata of an authorization server (RFC 8414 §2), as far as it matters here.
#[derive(Deserialize)]
struct Authority {
    issuer: String,
    token_endpoint: Option<String>,
}

/// The URL of the token endpoint of a service's Authority.
pub(super) async fn token_endpoint(address: &Address) -> Result<Url, Failed> {
    let http = &connections(address.url())?;
    let name = "oauth-protected-resource";
    let url = well_known(address.as_str(), name)?;
    let mut resource: Option<Resource> = fetch(http, &url).await?;
    // A proxy in front of the service may know only what is below the service's own path.
    let below = format!("{}/.well-known/{name}", address.as_str());
    if resource.is_none() && below != url {
        resource = fetch(http, &below).await?;
    }
    let issuer = resource.and_then(|resource| resource.authorization_servers.into_iter().next());
    let Some(issuer) = issuer else {
        let detail = format!(
            "{} does not say which Authority gives its tokens; name its token endpoint with \
             --token-endpoint, or give a token with --token",
            address.as_str()
        );
        return Err(Failed::new(ErrorCode::ServerUnreachable, detail));
    };
    let http = &connections(&secure(&issuer)?)?;
    let openid = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    for url in [well_known(&issuer, "oauth-authorization-server")?, openid] {
        let Some(authority) = fetch::<Authority>(http, &url).await? else {
            continue;
        };
        // RFC 8414 §3.3: a document of another issuer must not be used.
        if authority.issuer != issuer {
            let why = format!("is the document of {}, not of {issuer}", authority.issuer);
            return Err(Trouble::strange(&url, why).into());
        }
        if let Some(endpoint) = authority.token_endpoint {
            return secure(&endpoint);
        }
    }
    let detail = format!(
        "the Authority {issuer} does not say where its token endpoint is; name it with \
         --token-endpoint, or give a token with --token"
    );
    Err(Failed::new(ErrorCode::AuthorityUnreachable, detail))
}

/// Where the metadata of what is at `base` is: between its host and its path (RFC 8414 §3.1, RFC
/// 9728 §3.1).
fn well_known(base: &str, name: &str) -> Result<String, Failed> {
    let mut url = Url::parse(base).map_err(|_| {
        let detail = format!("the Authority `{base}` is no URL");
        Failed::new(ErrorCode::AuthorityUnreachable, detail)
    })?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("/.well-known/{name}{path}"));
    Ok(url.into())
}

/// Reads a URL, and refuses one that what is sent to it could be read on the way to.
pub(super) fn secure(text: &str) -> Result<Url, Failed> {
    let good = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    Url::parse(text).ok().filter(good).ok_or_else(|| {
        let detail = format!(
            "the Authority's `{text}` has to begin with https:// (http:// is for this machine only)"
        );
        Failed::new(ErrorCode::AuthorityUnreachable, detail)
    })
}

/// A document; none where there is none at this URL.
async fn fetch<T: serde::de::DeserializeOwned>(
    http: &reqwest::Client,
    url: &str,
) -> Result<Option<T>, Failed> {
    let response = http
        .get(url)
        .header("accept", "application/json")
        .send()
        .await
        .map_err(|error| Trouble::lost(url, &error))?;
    match response.status() {
        StatusCode::OK => Ok(Some(document(url, response).await?)),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(Trouble::strange(url, format!("answered {status}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_lies_between_host_and_path() {
        let name = "oauth-authorization-server";
        for (base, url) in [
            (
                "https://a.example",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "http://127.0.0.1:8750/dev-authority/",
                "http://127.0.0.1:8750/.well-known/oauth-authorization-server/dev-authority",
            ),
        ] {
            assert_eq!(well_known(base, name).unwrap(), url);
        }
    }

    #[test]
    fn a_login_goes_nowhere_that_can_be_listened_to() {
        assert!(secure("https://a.example/token").is_ok());
        assert!(secure("http://localhost:1/token").is_ok());
        for bad in ["http://a.example/token", "file:///token", "token"] {
            assert!(secure(bad).is_err(), "{bad}");
        }
    }
}
