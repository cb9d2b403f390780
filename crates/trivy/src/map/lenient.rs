//! Reading documents whose members may be of other types than their format says.
//!
//! A publisher's mistake in one member must not lose the rest of the document. Each type here takes
//! any JSON value; one of another type than expected is read as absent, and counted. `null` is absent,
//! and is not counted: Go's encoders write it for empty lists.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
    value::MapAccessDeserializer,
};

thread_local! {
    /// How many members of the document being read were of a wrong type. serde has no other way out
    /// of a `Deserialize` for what is not an error; set and read by [`read`] only.
    static WRONG: Cell<usize> = const { Cell::new(0) };
}

fn wrong() {
    WRONG.with(|count| count.set(count.get() + 1));
}

/// Reads a document; also says how many members were of a wrong type. An error is for text that is no
/// object, nests deeper than 128 levels, or names a member twice.
pub(super) fn read<T: DeserializeOwned + Default>(
    text: &str,
) -> Result<(T, usize), serde_json::Error> {
    WRONG.with(|count| count.set(0));
    let document: Object<T> = serde_json::from_str(text)?;
    Ok((document.0, WRONG.with(Cell::take)))
}

/// What a visitor says of values of all the types that it does not want.
macro_rules! otherwise {
    ($value:expr; $($method:ident($type:ty)),*) => {
        $(fn $method<E>(self, _: $type) -> Result<Self::Value, E> {
            wrong();
            Ok($value)
        })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
    (seq $value:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            wrong();
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
    (map $value:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            wrong();
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

/// A string; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Text(pub(super) String);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }

            otherwise!(Text::default(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));
            otherwise!(seq Text::default());
            otherwise!(map Text::default());
        }
        deserializer.deserialize_any(Visit)
    }
}

/// A number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub(super) Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            #[expect(clippy::cast_precision_loss, reason = "scores are small")]
            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }

            #[expect(clippy::cast_precision_loss, reason = "scores are small")]
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }

            otherwise!(Number(None); visit_bool(bool), visit_str(&str));
            otherwise!(seq Number(None));
            otherwise!(map Number(None));
        }
        deserializer.deserialize_any(Visit)
    }
}

/// A list; empty where there is none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Visit<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(List(items))
            }

            otherwise!(List::default(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
            otherwise!(map List::default());
        }
        deserializer.deserialize_any(Visit(PhantomData))
    }
}

/// An object; its default where there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object<T>(pub(super) T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Visit<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }

            otherwise!(Object(T::default()); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
            otherwise!(seq Object(T::default()));
        }
        deserializer.deserialize_any(Visit(PhantomData))
    }
}

/// An object of strings.
pub(super) type Texts = Object<BTreeMap<String, Text>>;

/// A string, or an object with a name: what formats changed from one to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// The string, or the first of the members `cweId`, `id`, `name` and `@id` that is there.
    pub(super) name: String,
    /// The member `aliases`.
    pub(super) aliases: Vec<String>,
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Members {
            #[serde(rename = "@id")]
            address: Text,
            id: Text,
            #[serde(rename = "cweId")]
            cwe: Text,
            name: Text,
            aliases: List<Text>,
        }
        string_or(
            deserializer,
            |name| Self {
                name,
                aliases: Vec::new(),
            },
            |members: Members| Self {
                name: [members.cwe, members.id, members.name, members.address]
                    .into_iter()
                    .find(|name| !name.is_empty())
                    .unwrap_or_default()
                    .0,
                aliases: members.aliases.0.into_iter().map(|alias| alias.0).collect(),
            },
        )
    }
}

/// Reads a string, or an object with members `M`.
pub(super) fn string_or<'de, D, T, M>(
    deserializer: D,
    of_string: impl FnOnce(String) -> T,
    of_members: impl FnOnce(M) -> T,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default,
    M: Deserialize<'de>,
{
    struct Visit<T, M, S, O>(S, O, PhantomData<(T, M)>);
    impl<'de, T, M, S, O> Visitor<'de> for Visit<T, M, S, O>
    where
        T: Default,
        M: Deserialize<'de>,
        S: FnOnce(String) -> T,
        O: FnOnce(M) -> T,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value")
        }

        fn visit_str<E>(self, text: &str) -> Result<T, E> {
            Ok(self.0(text.to_owned()))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            M::deserialize(MapAccessDeserializer::new(map)).map(self.1)
        }

        otherwise!(T::default(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));
        otherwise!(seq T::default());
    }
    deserializer.deserialize_any(Visit(of_string, of_members, PhantomData))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Document {
        id: Text,
        list: List<Object<Document>>,
        texts: List<Text>,
        score: Number,
        map: Texts,
        named: Named,
    }

    #[test]
    fn what_is_right_stays() {
        let (document, wrong): (Document, _) = read(
            r#"{"id":"a","list":[{"id":7},{"id":"b"},null,5,"x",[1]],"texts":{"a":1},"score":"1",
                "map":{"a":"b","c":["d"]},"named":{"@id":"i","aliases":["z"]},"unknown":{"x":[1]}}"#,
        )
        .unwrap();
        assert_eq!(&*document.id, "a");
        assert_eq!(document.list.len(), 6);
        assert_eq!(&*document.list[1].id, "b");
        assert!(document.texts.is_empty());
        assert_eq!(document.score, Number(None));
        assert_eq!(&*document.map["a"], "b");
        assert_eq!(document.named.name, "i");
        assert_eq!(wrong, 7);
    }

    #[test]
    fn nothing_is_absent() {
        let (document, wrong): (Document, _) =
            read(r#"{"id":null,"list":null,"score":7,"map":null,"named":null}"#).unwrap();
        assert!(document.id.is_empty() && document.list.is_empty());
        assert_eq!(document.score, Number(Some(7.0)));
        assert_eq!(wrong, 0);
        let (_, wrong) = read::<Document>("[1]").unwrap();
        assert_eq!(wrong, 1);
        assert!(read::<Document>("{").is_err());
        let deep = format!("{}{}", r#"{"list":["#.repeat(5000), "]}".repeat(5000));
        assert!(read::<Document>(&deep).is_err());
    }
}
