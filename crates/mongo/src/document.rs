//! JSON as BSON, and back, without losing anything.
//!
//! Rows are kept as native sub-documents, so that operators can read and query them with the tools
//! that they have. Three things of JSON have no place in BSON and are taken care of here:
//!
//! - Names of members. BSON's cannot hold NUL; MongoDB reads more into some that begin with `$`
//!   (references, extended JSON), depending on its version. Such names, and those that begin with a
//!   backslash themselves, are written with a backslash before them. Dots in names need nothing:
//!   MongoDB has stored them in nested documents since 3.6, and nothing here queries by such a path.
//! - Whole numbers are 64-bit integers, always, so that one value has one form. Those beyond
//!   2^63 - 1 are refused; nothing that is counted here gets there.
//! - Types that JSON does not have are refused when read: somebody else wrote them.

use mongodb::bson::{Bson, Document};
use serde_json::{Map, Number, Value};

/// The BSON form of a JSON value.
///
/// # Errors
/// What cannot be stored.
pub(crate) fn to_bson(value: Value) -> Result<Bson, String> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(value),
        Value::String(text) => Bson::String(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Bson::Int64(whole),
            (None, Some(float)) if !number.is_u64() => Bson::Double(float),
            _ => return Err(format!("the number {number} is too large")),
        },
        Value::Array(list) => Bson::Array(list.into_iter().map(to_bson).collect::<Result<_, _>>()?),
        Value::Object(members) => Bson::Document(to_document(members)?),
    })
}

/// The BSON form of a JSON object.
///
/// # Errors
/// What cannot be stored.
pub(crate) fn to_document(members: Map<String, Value>) -> Result<Document, String> {
    members
        .into_iter()
        .map(|(name, value)| Ok((escaped(name), to_bson(value)?)))
        .collect()
}

/// The JSON form of what was stored.
///
/// # Errors
/// What was not stored by this program.
pub(crate) fn to_json(value: Bson) -> Result<Value, String> {
    Ok(match value {
        Bson::Null => Value::Null,
        Bson::Boolean(value) => Value::Bool(value),
        Bson::String(text) => Value::String(text),
        Bson::Int64(number) => Value::Number(number.into()),
        Bson::Int32(number) => Value::Number(number.into()),
        Bson::Double(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("{number} is no JSON number"))?,
        Bson::Array(list) => Value::Array(list.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Bson::Document(members) => Value::Object(to_object(members)?),
        other => return Err(format!("a {:?} is no JSON value", other.element_type())),
    })
}

/// The JSON form of a document that was stored.
///
/// # Errors
/// What was not stored by this program.
pub(crate) fn to_object(members: Document) -> Result<Map<String, Value>, String> {
    members
        .into_iter()
        .map(|(name, value)| Ok((unescaped(name), to_json(value)?)))
        .collect()
}

fn escaped(name: String) -> String {
    if name.starts_with(['$', '\\']) || name.contains('\0') {
        format!("\\{}", name.replace('\\', "\\\\").replace('\0', "\\0"))
    } else {
        name
    }
}

fn unescaped(name: String) -> String {
    let Some(text) = name.strip_prefix('\\') else {
        return name;
    };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(one) = rest.next() {
        match one {
            '\\' => plain.push(match rest.next() {
                Some('0') => '\0',
                Some(other) => other,
                None => '\\',
            }),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use mongodb::bson::doc;
    use serde_json::json;

    #[test]
    fn everything_of_json_comes_back() {
        let value = json!({
            "pkg:npm/a.b@1.0": [1, -1, 0.5, 1.0, i64::MAX, i64::MIN, null, true, "\0é"],
            "$ref": {"$id": 1, "$numberLong": "7"},
            "\\$x\\0": {"": {}},
            "a\0b\\": "$y",
            "plain\\0": 1,
        });
        let stored = to_bson(value.clone()).unwrap();
        let bytes = mongodb::bson::serialize_to_vec(stored.as_document().unwrap()).unwrap();
        let read: Document = mongodb::bson::deserialize_from_slice(&bytes).unwrap();
        assert_eq!(to_json(Bson::Document(read)).unwrap(), value);
    }

    #[test]
    fn names_that_mongodb_would_interpret_are_escaped() {
        let stored = to_bson(json!({"$ref": {"$x.y": 1}, "a.b": 2})).unwrap();
        let expected = doc! {"\\$ref": {"\\$x.y": 1_i64}, "a.b": 2_i64};
        assert_eq!(stored, Bson::Document(expected));
    }

    #[test]
    fn what_has_no_form_is_refused() {
        assert!(to_bson(json!(u64::MAX)).is_err());
        assert!(to_json(Bson::Double(f64::NAN)).is_err());
        assert!(to_json(Bson::DateTime(mongodb::bson::DateTime::from_millis(0))).is_err());
    }
}
