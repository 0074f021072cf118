//! The data of LOC records: a location on Earth (RFC 1876).

use super::reader::Reader;

/// The equator and the meridian of Greenwich, in thousandths of a second of arc (RFC 1876 §2).
const ORIGIN: u32 = 1 << 31;
/// Sea level in centimetres above the lowest altitude (RFC 1876 §2).
const SEA_LEVEL: i64 = 10_000_000;
/// The defaults of size, horizontal and vertical precision: 1 m, 10 km, 10 m, in centimetres (RFC 1876 §3).
const PRECISIONS: [u64; 3] = [100, 1_000_000, 1_000];
/// The maximum precision in centimetres: nine times ten to the ninth.
const PRECISION_MOST: u64 = 9_000_000_000;

/// Reads `d [m [s]] N d [m [s]] E altitude [size [horizontal [vertical]]]`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<()> {
    let latitude = angle(reader, 90, "N", "S")?;
    let longitude = angle(reader, 180, "E", "W")?;
    let altitude = reader.word()?;
    let (negative, digits) = match altitude.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, altitude),
    };
    let centimetres = i64::try_from(metres(digits)?).ok()?;
    let altitude = SEA_LEVEL.checked_add(if negative { -centimetres } else { centimetres })?;
    let mut precisions = PRECISIONS;
    for precision in &mut precisions {
        if !reader.tokens.is_empty() {
            *precision = metres(reader.word()?).filter(|value| *value <= PRECISION_MOST)?;
        }
    }
    reader.data.push(0);
    reader.data.extend(precisions.map(packed));
    for value in [latitude, longitude, u32::try_from(altitude).ok()?] {
        reader.data.extend(value.to_be_bytes());
    }
    Some(())
}

/// Degrees, minutes and seconds up to the letter of a hemisphere.
fn angle(reader: &mut Reader<'_, '_>, most: u64, positive: &str, negative: &str) -> Option<u32> {
    let mut parts = [0_u64; 3];
    let mut count = 0;
    let sign = loop {
        let word = reader.word()?;
        if word.eq_ignore_ascii_case(positive) {
            break true;
        }
        if word.eq_ignore_ascii_case(negative) {
            break false;
        }
        *parts.get_mut(count)? = fixed(word, if count == 2 { 3 } else { 0 })?;
        count += 1;
    };
    let [degrees, minutes, thousandths] = parts;
    let total = degrees.checked_mul(3_600_000)? + minutes * 60_000 + thousandths;
    let legal = count > 0 && minutes < 60 && thousandths < 60_000 && total <= most * 3_600_000;
    let total = u32::try_from(total).ok().filter(|_| legal)?;
    Some(if sign { ORIGIN + total } else { ORIGIN - total })
}

/// A length in centimetres, parsed from metres with or without `m`.
fn metres(word: &str) -> Option<u64> {
    fixed(word.strip_suffix(['m', 'M']).unwrap_or(word), 2)
}

/// A number with at most `decimals` decimals, in units of the last decimal.
fn fixed(word: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let legal = digits(whole) && digits(fraction) && fraction.len() <= decimals;
    let text = format!("{whole}{fraction:0<decimals$}");
    // At most twelve digits, so that sums cannot overflow.
    (legal && !whole.is_empty() && text.len() <= 12).then(|| text.parse().ok())?
}

/// A precision as a digit and a power of ten, in four bits each.
fn packed(mut centimetres: u64) -> u8 {
    let mut exponent = 0;
    while centimetres > 9 {
        centimetres /= 10;
        exponent += 1;
    }
    (centimetres as u8) << 4 | exponent
}

/// The data as text; `None` for an unknown version, or octets out of range.
pub(super) fn text(octets: &[u8]) -> Option<String> {
    let (head, values) = octets.split_first_chunk::<4>()?;
    let [version, precisions @ ..] = *head;
    let value = |at: usize| Some(u32::from_be_bytes(*values.get(at..)?.first_chunk()?));
    let latitude = angle_text(value(0)?, 90, 'N', 'S')?;
    let longitude = angle_text(value(4)?, 180, 'E', 'W')?;
    let altitude = i64::from(value(8)?) - SEA_LEVEL;
    let sign = if altitude < 0 { "-" } else { "" };
    let mut words = vec![latitude, longitude];
    words.push(format!("{sign}{}", metres_text(altitude.unsigned_abs())));
    for precision in precisions {
        let (digit, exponent) = (precision >> 4, precision & 0x0f);
        let legal = digit <= 9 && exponent <= 9 && (digit > 0 || exponent == 0);
        words.push(metres_text(
            legal.then(|| u64::from(digit) * 10_u64.pow(exponent.into()))?,
        ));
    }
    (version == 0 && values.len() == 12).then(|| words.join(" "))
}

fn angle_text(value: u32, most: u32, positive: char, negative: char) -> Option<String> {
    let total = value.abs_diff(ORIGIN);
    let hemisphere = if value < ORIGIN { negative } else { positive };
    let (degrees, rest) = (total / 3_600_000, total % 3_600_000);
    let (minutes, rest) = (rest / 60_000, rest % 60_000);
    let (seconds, thousandths) = (rest / 1000, rest % 1000);
    (total <= most * 3_600_000)
        .then(|| format!("{degrees} {minutes} {seconds}.{thousandths:03} {hemisphere}"))
}

fn metres_text(centimetres: u64) -> String {
    format!("{}.{:02}m", centimetres / 100, centimetres % 100)
}
