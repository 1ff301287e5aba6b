use std::time::Duration;

use http::{HeaderMap, HeaderName};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The caller's timeout, from the header `grpc-timeout`: at most eight digits and a unit. `None` if the header is
/// missing or unreadable. For [`Protocol::timeout`](crate::protocol::Protocol::timeout).
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (unit, digits) = value.as_bytes().split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(value: &[u8]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_bytes(value).unwrap());
        timeout(&headers)
    }

    #[test]
    fn reads_every_unit() {
        for (text, nanos) in [
            ("2H", 7_200_000_000_000),
            ("3M", 180_000_000_000),
            ("10S", 10_000_000_000),
            ("10100m", 10_100_000_000),
            ("7u", 7_000),
            ("8n", 8),
            ("0S", 0),
            ("99999999H", 359_999_996_400 * 1_000_000_000),
        ] {
            assert_eq!(read(text.as_bytes()).map(|time| time.as_nanos()), Some(nanos), "{text}");
        }
    }

    #[test]
    fn malformed_timeouts_are_ignored() {
        for text in [
            "",
            "S",
            "10",
            "10s",
            "10 S",
            "-1S",
            "+1S",
            "1.5S",
            "123456789S",
            "10Sx",
            "1S ",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let mut twice = HeaderMap::new();
        twice.append(GRPC_TIMEOUT, HeaderValue::from_static("1S"));
        twice.append(GRPC_TIMEOUT, HeaderValue::from_static("2S"));
        assert_eq!(timeout(&twice), None);
        assert_eq!(timeout(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn never_panics(value in prop::collection::vec(0x20_u8..0x7f, 0..12)) {
            let _ = read(&value);
        }
    }
}
