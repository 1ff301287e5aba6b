/// The bytes of a path as the gateway reads it: Go decodes all escapes before the gateway splits the path at slashes. A
/// malformed escape stays unmodified; Go rejects it.
pub(super) fn unescaped(path: &str) -> impl Iterator<Item = u8> {
    let mut rest = path.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        Some(match escaped {
            Some((high, low)) => {
                rest = &after[2..];
                high << 4 | low
            }
            None => *byte,
        })
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoes_escapes_and_leaves_invalid_ones() {
        for (path, expected) in [
            ("/v1/check", "/v1/check"),
            ("/v1/%63heck", "/v1/check"),
            ("%2Fv1%2fcheck", "/v1/check"),
            ("/%2563", "/%63"),
            ("/%6", "/%6"),
            ("/%", "/%"),
            ("/%zz%41", "/%zzA"),
            ("/%+1", "/%+1"),
        ] {
            assert!(unescaped(path).eq(expected.bytes()), "{path}");
        }
    }
}
