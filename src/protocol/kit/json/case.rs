use crate::protocol::call::Unreadable;

/// Whether `name` differs from `expected` only in the case of its letters. Decoders such as Go's accept either name:
/// where the server has one of these, a request with such a member is unreadable ([`OTHER_CASE`]), because a key would
/// keep the member, and the server would read a token in it.
pub fn differs_in_case(name: &str, expected: &str) -> bool {
    if name == expected {
        return false;
    }
    if name.is_ascii() && expected.is_ascii() {
        return name.eq_ignore_ascii_case(expected);
    }
    // To upper case first: the upper case of `ſ` is `S`.
    let folded = |text: &str| -> String {
        text.chars()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect()
    };
    folded(name) == folded(expected)
}

/// A name that some decoders accept in place of a name that the key leaves out.
pub const OTHER_CASE: Unreadable =
    Unreadable("the name of a member differs only in case from one that states the freshness");
