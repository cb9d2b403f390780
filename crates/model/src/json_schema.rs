//! JSON Schemas of what serialises as text.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{ErrorCode, RunId, Sha256Digest, Tenant, Timestamp};

macro_rules! texts {
    ($($name:ty, $title:literal, $schema:tt;)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

texts! {
    Timestamp, "Timestamp", {
        "type": "string",
        "format": "date-time",
        "description": "A time, RFC 3339; given in UTC.",
    };
    Sha256Digest, "Sha256Digest", {
        "type": "string",
        "pattern": "^sha256:[0-9a-f]{64}$",
    };
    Tenant, "Tenant", {
        "type": "string",
        "description": "A tenant's name.",
    };
    RunId, "RunId", {
        "type": "string",
        "format": "uuid",
        "description": "A run's id.",
    };
    ErrorCode, "ErrorCode", {
        "type": "string",
        "pattern": "^ERR_[A-Z0-9_]+$",
        "description": "A code of the catalogue of errors.",
    };
}
