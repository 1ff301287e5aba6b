use std::time::{Duration, SystemTime};

use crate::protocol::json::NotJson;

/// The time from `now` until a `google.protobuf.Timestamp` as proto3 JSON writes it (RFC 3339, UTC, with at most nine
/// digits of the second); zero if that has passed.
pub(super) fn until(text: &str, now: SystemTime) -> Result<Duration, NotJson> {
    let (seconds, nanos) = read(text).ok_or(NotJson)?;
    // A time before 1970 has passed, also where the clock was never set.
    let (Ok(seconds), Ok(now)) = (u64::try_from(seconds), now.duration_since(SystemTime::UNIX_EPOCH)) else {
        return Ok(Duration::ZERO);
    };
    Ok(Duration::new(seconds, nanos).saturating_sub(now))
}

/// Seconds since 1970 and nanoseconds.
fn read(text: &str) -> Option<(i64, u32)> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let (time, fraction) = time
        .split_once('.')
        .map_or((time, None), |(time, rest)| (time, Some(rest)));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = fraction.map_or(Some(0), nanos)?;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds, nanos))
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut numbers = [0; 3];
    let mut parts = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *number = digits(part)?;
    }
    parts.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

fn nanos(fraction: &str) -> Option<u32> {
    let padding = 9_usize.checked_sub(fraction.len())?;
    let number = digits(fraction)?.checked_mul(10_i64.pow(u32::try_from(padding).ok()?))?;
    u32::try_from(number).ok()
}

/// Days since 1970 in the Gregorian calendar. Here a year begins in March, so the leap day is its last day.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let before_month = (153 * ((month + 9) % 12) + 2) / 5;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_from_now() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_230_119);
        for (text, left) in [
            ("2026-11-21T03:01:59Z", Duration::ZERO),
            ("2026-11-21T03:02:00Z", Duration::from_secs(1)),
            ("2026-11-21T03:02:00.5Z", Duration::from_millis(1500)),
            ("2026-11-21T03:02:00.000000001Z", Duration::new(1, 1)),
            ("2027-11-21T03:01:59Z", Duration::from_secs(365 * 86_400)),
            ("2028-11-21T03:01:59Z", Duration::from_secs((2 * 365 + 1) * 86_400)),
            ("1969-12-31T23:59:59Z", Duration::ZERO),
            ("0001-01-01T00:00:00Z", Duration::ZERO),
        ] {
            assert_eq!(until(text, now), Ok(left), "{text}");
        }
        let never_set = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(until("2026-11-21T03:02:00Z", never_set), Ok(Duration::ZERO));
    }

    #[test]
    fn knows_the_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-12-31T23:59:59Z", 31_535_999),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("1900-03-01T00:00:00Z", -2_203_891_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(read(text), Some((seconds, 0)), "{text}");
        }
    }

    #[test]
    fn malformed_timestamps_are_errors() {
        for text in [
            "",
            "Z",
            "2026-11-21",
            "2026-11-21T03:01:59",
            "2026-11-21T03:01:59+00:00",
            "2026-11-21 03:01:59Z",
            "2026-13-21T03:01:59Z",
            "2026-00-21T03:01:59Z",
            "2026-11-32T03:01:59Z",
            "2026-11-21T24:01:59Z",
            "2026-11-21T03:60:59Z",
            "2026-11-21T03:01:60Z",
            "2026-11-21T03:01:59.Z",
            "2026-11-21T03:01:59.1234567890Z",
            "2026-11-21T03:01:59.+1Z",
            "2026-11-21T03:+1:59Z",
            "20261-11-21T03:01:59Z",
        ] {
            assert_eq!(until(text, UNIX_EPOCH), Err(NotJson), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+0-9TZ:.é]{0,32}", shaped in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z") {
            let _ = until(&text, SystemTime::now());
            let _ = until(&shaped, SystemTime::now());
        }
    }
}
