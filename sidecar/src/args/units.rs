//! Arguments with a unit.

use std::time::Duration;

use examples_common::duration;

/// A duration that is not 0.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("nothing happens within 0; choose a longer duration, such as `2s`".to_owned()),
        timeout => Ok(timeout),
    }
}

/// A size in MiB.
pub(super) fn mebibytes(text: &str) -> Result<u32, String> {
    size(text, "MiB", u32::MAX)
}

/// A size in KiB, of what is held in memory at once.
pub(super) fn kibibytes(text: &str) -> Result<u32, String> {
    size(text, "KiB", 64 << 10)
}

fn size(text: &str, unit: &str, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| {
        format!("`{text}` is no number of {unit} from 1 to {most}; write it without the unit, such as `64`")
    })
}
