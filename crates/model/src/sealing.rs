//! Whether, and for whom, payload files are sealed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A profile's `encryption`: `none`, or how its files are sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Payload files are readable by whoever holds the bundle.
    #[default]
    None,
    /// They are sealed.
    Sealed(SealMode),
}

/// How files are sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SealMode {
    /// With age, to each of these recipients.
    Age {
        /// X25519 recipients, `age1…`, that the tenant's configuration lists.
        recipients: Vec<String>,
    },
    /// With AES-256-GCM, under a data key that only this key unwraps.
    AesGcm {
        /// A key-encryption key that the tenant's configuration lists.
        key: String,
    },
}

/// What the JSON Schema says.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a shape and nothing else")]
enum Shape {
    /// Payload files are readable by whoever holds the bundle.
    Word(Word),
    /// How payload files are sealed.
    Mode(SealMode),
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is a shape and nothing else")]
enum Word {
    None,
}

impl Serialize for Encryption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Sealed(mode) => mode.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Encryption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        if value.as_str() == Some("none") {
            return Ok(Self::None);
        }
        if !value.is_object() {
            return Err(serde::de::Error::custom(
                "must be \"none\", {\"mode\": \"age\", \"recipients\": […]} or {\"mode\": \"aes-gcm\", \
                 \"key\": …}",
            ));
        }
        serde_json::from_value(value)
            .map(Self::Sealed)
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Encryption {
    fn schema_name() -> Cow<'static, str> {
        "Encryption".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Shape::json_schema(generator)
    }
}

/// How a run's files are sealed, as it was decided when it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case")]
pub enum Sealing {
    /// With age.
    Age {
        /// The recipients.
        recipients: Vec<String>,
    },
    /// With AES-256-GCM.
    AesGcm {
        /// The key-encryption key.
        key: String,
        /// The run's data key, wrapped by it; none until the run is planned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wrapped: Option<serde_json::Value>,
    },
}

impl Sealing {
    /// What the names of sealed files end with.
    #[must_use]
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::Age { .. } => ".age",
            Self::AesGcm { .. } => ".enc",
        }
    }

    /// The mode's name, as documents and headers spell it.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Age { .. } => "age",
            Self::AesGcm { .. } => "aes-gcm",
        }
    }
}

impl From<SealMode> for Sealing {
    fn from(mode: SealMode) -> Self {
        match mode {
            SealMode::Age { recipients } => Self::Age { recipients },
            SealMode::AesGcm { key } => Self::AesGcm { key, wrapped: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_a_word_or_a_mode() {
        for (text, expected) in [
            ("\"none\"", Encryption::None),
            (
                r#"{"mode":"age","recipients":["age1x"]}"#,
                Encryption::Sealed(SealMode::Age {
                    recipients: vec!["age1x".into()],
                }),
            ),
            (
                r#"{"key":"k","mode":"aes-gcm"}"#,
                Encryption::Sealed(SealMode::AesGcm { key: "k".into() }),
            ),
        ] {
            let read: Encryption = serde_json::from_str(text).unwrap();
            assert_eq!(read, expected);
            let written: serde_json::Value = serde_json::to_value(&read).unwrap();
            assert_eq!(
                written,
                serde_json::from_str::<serde_json::Value>(text).unwrap()
            );
        }
        for (text, why) in [
            ("\"some\"", "must be"),
            ("3", "must be"),
            (r#"{"mode":"age"}"#, "recipients"),
            (r#"{"mode":"rot13"}"#, "rot13"),
            (r#"{"mode":"aes-gcm","key":"k","kye":1}"#, "kye"),
        ] {
            let error = serde_json::from_str::<Encryption>(text).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
