//! Durations on a command line.

use std::time::Duration;

/// `500ms`, `5s`, `10m`, `2h`, `1d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u32 = text[..text.len() - unit.len()].parse().map_err(|_| hint(text))?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number.into())),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(hint(text)),
    };
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

fn hint(text: &str) -> String {
    format!("`{text}` is no duration; write it as `500ms`, `5s`, `10m`, `2h` or `1d`")
}
