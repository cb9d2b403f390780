//! The OCI manifest of a layer. Source: OCI image specification 1.1, "Guidelines for Artifact Usage";
//! what the scanner asks of it is in `aquasecurity/trivy`, `pkg/oci`.

use serde_json::json;

use super::LayerKind;
use crate::TrivyError;
use crate::assembled::canonical;

/// The empty configuration, `{}`, by its digest.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// The manifest's bytes, for a layer of `size` bytes whose SHA-256 is `sha256`. `created` is an RFC
/// 3339 time; what is the same every time, such as the database's `UpdatedAt`, gives the same digest.
///
/// # Errors
/// [`TrivyError::Canonical`] where `size` is more than JSON readers hold exactly.
pub fn manifest(
    kind: LayerKind,
    sha256: &[u8; 32],
    size: u64,
    created: &str,
) -> Result<Vec<u8>, TrivyError> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.aquasec.trivy.config.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": EMPTY,
            "size": 2,
        },
        "layers": [{
            "mediaType": kind.media_type(),
            "digest": format!("sha256:{}", hex::encode(sha256)),
            "size": size,
            "annotations": { "org.opencontainers.image.title": kind.file_name() },
        }],
        "annotations": { "org.opencontainers.image.created": created },
    });
    canonical("the manifest", &manifest)
}
