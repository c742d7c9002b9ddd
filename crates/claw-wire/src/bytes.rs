//! Names that need not be UTF-8: a JSON string, or `{"bytes": "base64"}`.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The usual alphabet; padding is written, and read when it is there.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name or an argument, as the kernel takes it.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bytes(pub Vec<u8>);

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("bytes", &BASE64.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or {\"bytes\": \"base64\"}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes(text.as_bytes().to_vec()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Bytes, E> {
        Ok(Bytes(text.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
        let Some((key, text)) = map.next_entry::<String, String>()? else {
            return Err(A::Error::missing_field("bytes"));
        };
        if key != "bytes" {
            return Err(A::Error::unknown_field(&key, &["bytes"]));
        }
        if map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom("`bytes` stands alone"));
        }
        let bytes = BASE64
            .decode(&text)
            .map_err(|error| A::Error::custom(format!("`bytes` is not base64: {error}")))?;
        Ok(Bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_travel_as_text_when_they_are_utf_8_and_as_base64_when_not() {
        for (bytes, json) in [
            (&b"plain"[..], r#""plain""#),
            ("ä".as_bytes(), "\"ä\""),
            (b"", "\"\""),
            (b"a\xff", r#"{"bytes":"Yf8="}"#),
        ] {
            let bytes = Bytes(bytes.to_vec());
            assert_eq!(serde_json::to_string(&bytes).unwrap(), json);
            assert_eq!(serde_json::from_str::<Bytes>(json).unwrap(), bytes);
        }
        assert_eq!(serde_json::from_str::<Bytes>(r#"{"bytes":"Yf8"}"#).unwrap(), Bytes(b"a\xff".to_vec()));
    }

    #[test]
    fn other_shapes_are_refused() {
        for json in
            ["1", "null", "[]", "{}", r#"{"bytes":"%"}"#, r#"{"byte":"Yf8="}"#, r#"{"bytes":"Yf8=","x":"y"}"#]
        {
            assert!(serde_json::from_str::<Bytes>(json).is_err(), "{json}");
        }
    }
}
