use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::{Date, DateTime};

use crate::protocol::call::Unreadable;

const EPOCH: DateTime = Date::constant(1970, 1, 1).at(0, 0, 0, 0);

/// The time from `now` until a `google.protobuf.Timestamp` as proto3 JSON writes it, in UTC; zero if that has passed.
/// `text` is the quoted text.
pub(super) fn until(text: &str, now: SystemTime) -> Result<Duration, Unreadable> {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix("Z\""));
    // Not an instant of jiff: those end a day before the last timestamp of Protocol Buffers.
    let end = text.and_then(|text| DateTime::strptime("%Y-%m-%dT%H:%M:%S%.f", text).ok());
    let end = end.ok_or(Unreadable("a timestamp is not in UTC by RFC 3339"))?;
    // A time before 1970 has passed, also where the clock was never set.
    let end = Duration::try_from(end.duration_since(EPOCH)).unwrap_or_default();
    Ok(end.saturating_sub(now.duration_since(UNIX_EPOCH).unwrap_or(Duration::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_from_now() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_230_119);
        for (text, left) in [
            ("2026-11-21T03:01:59Z", Duration::ZERO),
            ("2026-11-21T03:02:00Z", Duration::from_secs(1)),
            (
                "9999-12-31T23:59:59Z",
                Duration::from_secs(253_402_300_799 - 1_795_230_119),
            ),
            ("2026-11-21T03:02:00.5Z", Duration::from_millis(1500)),
            ("2026-11-21T03:02:00.000000001Z", Duration::new(1, 1)),
            ("2028-11-21T03:01:59Z", Duration::from_secs((2 * 365 + 1) * 86_400)),
            ("1969-12-31T23:59:59Z", Duration::ZERO),
            ("0001-01-01T00:00:00Z", Duration::ZERO),
        ] {
            assert_eq!(until(&format!("\"{text}\""), now), Ok(left), "{text}");
        }
    }

    #[test]
    fn malformed_timestamps_are_errors() {
        for text in [
            "",
            "1",
            "\"\"",
            "\"soon\"",
            "\"2026-11-21\"",
            "\"2026-11-21T03:01:59\"",
            "\"2026-13-21T03:01:59Z\"",
            "\"2026-11-32T03:01:59Z\"",
            "\"2026-11-21T24:01:59Z\"",
            "\"2026-11-21T03:01:59+01:00\"",
            "\"2026-11-21T03:01:59+01:00Z\"",
            "\"2026-11-21T03:01:59[UTC]Z\"",
            "2026-11-21T03:01:59Z",
        ] {
            assert!(until(text, UNIX_EPOCH).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\"[-+0-9TZ:.é\\[\\]]{0,32}\"") {
            let _ = until(&text, SystemTime::now());
        }
    }
}
