use std::time::Duration;

use http::{HeaderMap, HeaderName};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The timeout that the gateway sets for a call. It reads the first `Grpc-Timeout`: any number and a unit. 0 is no
/// limit, a negative number has already passed, and the nanoseconds wrap around at 64 bits. The gateway itself rejects
/// a header that it can't read.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let (unit, number) = headers.get(GRPC_TIMEOUT)?.as_bytes().split_last()?;
    let number: i64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let unit: i64 = match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    match number.wrapping_mul(unit) {
        0 => None,
        nanos => Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(GRPC_TIMEOUT, HeaderValue::from_str(value).unwrap());
        }
        timeout(&headers)
    }

    #[test]
    fn reads_timeouts_as_the_gateway_does() {
        for (text, timeout) in [
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("10S", Some(Duration::from_secs(10))),
            ("+1500m", Some(Duration::from_millis(1500))),
            ("7u", Some(Duration::from_micros(7))),
            ("123456789n", Some(Duration::from_nanos(123_456_789))),
            ("-1S", Some(Duration::ZERO)),
            ("9223372037S", Some(Duration::ZERO)),
            ("0S", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("1s", None),
            ("1.5S", None),
            (" 1S", None),
            ("9223372036854775808n", None),
        ] {
            assert_eq!(read(&[text]), timeout, "{text}");
        }
        assert_eq!(
            read(&["1S", "2S"]),
            Some(Duration::from_secs(1)),
            "the first one counts"
        );
        assert_eq!(read(&[]), None);
    }

    proptest! {
        #[test]
        fn never_panics(value in "[-+0-9HMSmun é]{0,24}") {
            let _ = read(&[&value]);
        }
    }
}
