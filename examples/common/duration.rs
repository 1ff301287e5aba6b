//! Durations on a command line.

use std::time::Duration;

/// `500ms`, `5s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u32 = text[..text.len() - unit.len()].parse().map_err(|_| hint(text))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        _ => Err(hint(text)),
    }
}

fn hint(text: &str) -> String {
    format!("`{text}` is no duration; write it as `500ms` or `5s`")
}
