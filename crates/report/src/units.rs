//! Bytes for reading.

pub(crate) const GIB: f64 = (1u64 << 30) as f64;
const MIB: f64 = (1u64 << 20) as f64;

/// Bytes as GiB, for reading.
pub fn gib(bytes: u64) -> String {
    format!("{:.3}", bytes as f64 / GIB)
}

/// Bytes as MiB, for reading.
pub fn mib(bytes: f64) -> String {
    format!("{:.1}", bytes / MIB)
}

/// `1234567` as `1,234,567`.
pub fn grouped(bytes: u64) -> String {
    let digits = bytes.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with so many decimals. One that they show as zero has no sign.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let shown = format!("{value:.decimals$}");
    match shown.strip_prefix('-') {
        Some(zero) if !zero.contains(|c| ('1'..='9').contains(&c)) && value.is_finite() => {
            zero.to_owned()
        }
        _ => shown,
    }
}

/// A difference in percent with its sign, and with so many decimals; `+` where they show zero.
pub(crate) fn percent(value: f64, decimals: usize) -> String {
    let shown = fixed(value, decimals);
    if shown.starts_with('-') { shown } else { format!("+{shown}") }
}

/// The largest unit of which a number of bytes holds one, and its bytes.
pub(crate) fn unit(bytes: f64) -> (&'static str, f64) {
    const UNITS: [(&str, u32); 6] =
        [("EiB", 60), ("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let sized = UNITS.map(|(name, power)| (name, (1u64 << power) as f64));
    sized.into_iter().find(|(_, size)| bytes >= *size).unwrap_or(("bytes", 1.0))
}

/// Bytes in the unit that suits them, and as they are: `8.094 GiB (8,690,597,888 bytes)`.
pub(crate) fn exactly(bytes: u64) -> String {
    match unit(bytes as f64) {
        (_, 1.0) => format!("{bytes} bytes"),
        (name, size) => format!("{:.3} {name} ({} bytes)", bytes as f64 / size, grouped(bytes)),
    }
}

/// `once`, `2 times`.
pub fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zero_has_a_sign_and_every_difference_has_one() {
        assert_eq!([fixed(-0.0004, 3), fixed(-0.0, 1), fixed(-0.06, 1)], ["0.000", "0.0", "-0.1"]);
        assert_eq!([percent(-0.0004, 3), percent(1.0, 2)], ["+0.000", "+1.00"]);
        assert_eq!(percent(-10.5, 1), "-10.5");
        assert_eq!(fixed(f64::NEG_INFINITY, 1), "-inf");
    }

    #[test]
    fn bytes_are_shown_in_their_unit() {
        assert_eq!(exactly(1023), "1023 bytes");
        assert_eq!(exactly(8_690_597_888), "8.094 GiB (8,690,597,888 bytes)");
        assert_eq!(exactly(u64::MAX), "16.000 EiB (18,446,744,073,709,551,615 bytes)");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }
}
