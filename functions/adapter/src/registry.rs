//! The adapters that a process has, fixed when it starts.

use export_model::ProfileKind;
use serde::Serialize;

/// An adapter: what it is called, what it makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdapterInfo {
    /// Its name, the part of a profile's kind before the colon.
    pub name: &'static str,
    /// The version of what it writes: it changes whenever the same records would give other bytes.
    pub version: &'static str,
    /// What it makes: the parts of profile kinds after the colon.
    pub variants: &'static [&'static str],
    /// Media types of its payload files.
    pub formats: &'static [&'static str],
}

/// The adapters of a process.
#[derive(Clone, Debug)]
pub struct Registry {
    adapters: Vec<AdapterInfo>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            adapters: vec![
                AdapterInfo {
                    name: "json",
                    version: "1",
                    variants: &["raw", "policy"],
                    formats: &["application/x-ndjson"],
                },
                AdapterInfo {
                    name: "trivy",
                    version: "1",
                    variants: &["db", "java-db"],
                    formats: &[
                        "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
                        "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip",
                    ],
                },
                AdapterInfo {
                    name: "mirror",
                    version: "1",
                    variants: &["full", "delta"],
                    formats: &["application/x-tar"],
                },
            ],
        }
    }
}

impl Registry {
    /// Every adapter.
    #[must_use]
    pub fn adapters(&self) -> &[AdapterInfo] {
        &self.adapters
    }

    /// The adapter that makes profiles of `kind`; none when this process has none.
    #[must_use]
    pub fn find(&self, kind: ProfileKind) -> Option<&AdapterInfo> {
        let (name, variant) = kind.adapter_and_variant();
        self.adapters
            .iter()
            .find(|adapter| adapter.name == name && adapter.variants.contains(&variant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_of_a_layer_is_what_is_made() {
        use export_bundle::payload::layer_of;
        use export_trivy::layer::LayerKind;
        use export_trivy::{DATABASE_SCHEMA, JAVA_SCHEMA};
        for (kind, layer, schema) in [
            (ProfileKind::TrivyDb, LayerKind::Database, DATABASE_SCHEMA),
            (ProfileKind::TrivyJavaDb, LayerKind::Java, JAVA_SCHEMA),
        ] {
            assert_eq!(kind.schema_version(), Some(schema));
            let path = format!("payload/{}", layer.file_name());
            assert_eq!(layer_of(kind), Some((path.as_str(), layer.media_type())));
            let adapter = Registry::default().find(kind).cloned().unwrap();
            assert!(adapter.formats.contains(&layer.media_type()));
        }
    }

    #[test]
    fn every_profile_kind_has_an_adapter() {
        for kind in ProfileKind::ALL {
            assert!(Registry::default().find(kind).is_some(), "{kind}");
        }
    }
}
