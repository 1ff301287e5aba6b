//! Percentages on a command line.

/// `10` or `10%`, up to 100.
pub fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok();
    let number = number.filter(|percent| *percent <= 100);
    number.ok_or_else(|| format!("`{text}` is no percentage from 0 to 100; write it as `10` or `10%`"))
}
