//! AuthZEN's object ids in the store's grammar.
//!
//! AuthZEN's ids are any text, such as `beth@the-smiths.com` or `/users/{id}`. The store's ids have SpiceDB's grammar: letters,
//! digits and `/ _ | - = +`. So each byte that the grammar does not know is stored as `=` and two hexadecimal digits, in upper
//! case: `beth=40the-smiths=2Ecom`, `/users/=7Bid=7D`. A `=` before two such digits is stored as `=3D`, so that no two ids are
//! stored alike. All other ids are stored as they are.

/// How an id of AuthZEN is stored.
pub fn stored(id: &str) -> String {
    let bytes = id.as_bytes();
    let mut stored = String::with_capacity(id.len());
    for (at, byte) in bytes.iter().enumerate() {
        let is_escape = *byte == b'='
            && bytes
                .get(at + 1..at + 3)
                .is_some_and(|next| next.iter().all(is_hexadecimal));
        if is_known(*byte) && !is_escape {
            stored.push(char::from(*byte));
        } else {
            stored.push_str(&format!("={byte:02X}"));
        }
    }
    stored
}

/// The id of AuthZEN that is stored like this. `None`: no id is.
pub fn original(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes();
    let mut id = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let escaped = rest
            .get(..2)
            .filter(|digits| *first == b'=' && digits.iter().all(is_hexadecimal));
        let byte = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        id.push(byte.unwrap_or(*first));
        bytes = &rest[escaped.map_or(0, <[u8]>::len)..];
    }
    let id = String::from_utf8(id).ok()?;
    (stored(&id) == text).then_some(id)
}

fn is_known(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/_|-=+".contains(&byte)
}

fn is_hexadecimal(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_zookie::store::ObjectRef;

    use super::*;

    #[test]
    fn ids_are_stored_as_the_guide_says() {
        for (id, expected) in [
            ("plans", "plans"),
            ("rust-lang/rust", "rust-lang/rust"),
            ("YWJj+/==", "YWJj+/=="),
            ("beth@the-smiths.com", "beth=40the-smiths=2Ecom"),
            ("/users/{id}", "/users/=7Bid=7D"),
            ("beth=40the-smiths=2Ecom", "beth=3D40the-smiths=3D2Ecom"),
            ("a=4", "a=4"),
            ("a=4g", "a=4g"),
            ("a=ab", "a=ab"),
            ("*", "=2A"),
            ("é", "=C3=A9"),
            ("", ""),
        ] {
            assert_eq!(stored(id), expected, "{id}");
            assert_eq!(original(expected).as_deref(), Some(id));
        }
        for unused in ["a=41", "=FF", "a.b", "=3D"] {
            assert_eq!(original(unused), None, "{unused}");
        }
    }

    proptest! {
        #[test]
        fn every_id_has_a_stored_id_of_its_own(id in "[=0-9A-Ga-f@.*é/]{1,12}|.{1,40}") {
            let stored = stored(&id);
            prop_assert!(ObjectRef::new("user", &stored).is_ok_and(|object| !object.is_wildcard()), "{}", stored);
            prop_assert_eq!(original(&stored), Some(id));
        }
    }
}
