//! Sizes as users write them: `512`, `64K`, `1.5G`, `2GiB`.

/// The number of bytes that a text stands for.
///
/// # Errors
/// A sentence about what is wrong with it.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a number with K, M, G or T, such as 500M".to_owned();
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().trim_end_matches("ib") {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let thousandths: u64 = format!("{fraction:0<3}").get(..3).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let unit = 1_u64 << shift;
    let part = (u128::from(unit) * u128::from(thousandths) / 1000) as u64;
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse("512"), Ok(512));
        assert_eq!(parse("64K"), Ok(64 << 10));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("1.5k"), Ok(1536));
        for bad in ["", "G", "1X", "-1", "1.2.3", "99999999999999999999", "99999999T", "1e3"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
