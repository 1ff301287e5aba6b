use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::protobuf::{NotProtobuf, fields};

const SECONDS: u32 = 1;
const NANOS: u32 = 2;

/// The time from `now` until a `google.protobuf.Timestamp`; zero if that has passed.
pub(super) fn until(timestamp: &[u8], now: SystemTime) -> Result<Duration, NotProtobuf> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(timestamp) {
        let field = field?;
        match field.number {
            SECONDS => seconds = field.varint()?,
            NANOS => nanos = field.varint()?,
            _ => return Err(NotProtobuf),
        }
    }
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let nanos = nanos.ok_or(NotProtobuf)?;
    // Both can be negative: a time before 1970 has passed, also where the clock was never set.
    let (Ok(seconds), Ok(now)) = (i64::try_from(seconds), now.duration_since(UNIX_EPOCH)) else {
        return Ok(Duration::ZERO);
    };
    Ok(Duration::new(seconds.unsigned_abs(), nanos).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protobuf::{write_bytes, write_number};

    fn timestamp(seconds: i64, nanos: i32) -> Vec<u8> {
        let mut message = Vec::new();
        write_number(&mut message, SECONDS, seconds as u64);
        write_number(&mut message, NANOS, i64::from(nanos) as u64);
        message
    }

    #[test]
    fn counts_from_now() {
        let now = UNIX_EPOCH + Duration::new(1000, 500);
        for (seconds, nanos, expected) in [
            (1010, 700, Duration::new(10, 200)),
            (1000, 501, Duration::from_nanos(1)),
            (1000, 500, Duration::ZERO),
            (999, 999_999_999, Duration::ZERO),
            (0, 0, Duration::ZERO),
            (-5, 0, Duration::ZERO),
            (i64::MIN, 0, Duration::ZERO),
            (
                i64::MAX,
                999_999_999,
                Duration::new(i64::MAX as u64 - 1000, 999_999_499),
            ),
        ] {
            assert_eq!(
                until(&timestamp(seconds, nanos), now),
                Ok(expected),
                "{seconds} {nanos}"
            );
        }
        assert_eq!(until(&[], now), Ok(Duration::ZERO), "the epoch itself");
        let never_set = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(until(&timestamp(1, 0), never_set), Ok(Duration::ZERO));
    }

    #[test]
    fn malformed_timestamps_are_errors() {
        let mut unknown = timestamp(1, 1);
        write_number(&mut unknown, 3, 1);
        let mut text = Vec::new();
        write_bytes(&mut text, SECONDS, b"1");
        for message in [timestamp(1, -1), timestamp(1, 1_000_000_000), unknown, text, vec![0x08]] {
            assert_eq!(until(&message, UNIX_EPOCH), Err(NotProtobuf), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(message: Vec<u8>, seconds: i64, nanos: i32) {
            let _ = until(&message, UNIX_EPOCH);
            let _ = until(&timestamp(seconds, nanos), SystemTime::now());
        }
    }
}
