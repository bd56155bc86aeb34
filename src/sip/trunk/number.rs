//! Numbers as carriers write them, brought to one form.
//!
//! Rules look at whole numbers of the national plan (length and first digits of the significant number), never at
//! what the rest of a number happens to begin with. What fits no rule stays as it is, or is no number at all.
//!
//! National significant numbers of mainland China (E.164 country code 86, national numbering plan of the ministry):
//! mobiles have 11 digits and begin with 13 to 19; land lines are an area code (10, 2x, or three digits from 3 to 9) and a
//! local number of 7 or 8 digits that begins with 2 to 8; everything shorter than 7 digits is a service code.

use crate::types::{LineNumber, NumberError, PhoneNumber};

/// Words in the user part that mean that the number is withheld (RFC 3323 4.1.1.3 and what gateways write).
const WITHHELD: [&str; 6] = ["anonymous", "unavailable", "restricted", "unknown", "private", "withheld"];

/// A calling number in normal form ([`PhoneNumber`]); `None` when the text is no number. `area_code` is that of the city
/// where the trunk ends, without 0; empty: local numbers stay as they are.
pub fn calling(raw: &str, area_code: &str) -> Option<PhoneNumber> {
    let text = bare(raw);
    if text.is_empty() || is_withheld(&text) {
        return None;
    }
    let normal = match (international(&text), text.strip_prefix('+')) {
        (Some(International::China(national)), _) => from_china(national),
        (Some(International::Abroad(digits)), _) => format!("+{digits}"),
        (None, Some(_)) => return None,
        (None, None) => domestic(&text, area_code),
    };
    PhoneNumber::parse(&normal).ok()
}

/// A called number as a line: the number without country code and without the area code of the trunk's own city.
/// `+8681612345`, `008681612345`, `081612345` and `12345` are all line 12345 where `area_code` is 816; `02812345` is
/// not, since it is the line of another city.
///
/// # Errors
/// [`NumberError`] when the text is no number.
pub fn called(raw: &str, area_code: &str) -> Result<LineNumber, NumberError> {
    let text = bare(raw);
    let own_city = |national: &str| -> Option<String> {
        national.strip_prefix(area_code).filter(|local| !area_code.is_empty() && is_local(local)).map(str::to_owned)
    };
    match international(&text) {
        Some(International::China(national)) => {
            let significant = national.strip_prefix('0').unwrap_or(national);
            LineNumber::parse(&own_city(significant).unwrap_or_else(|| from_china(national)))
        }
        Some(International::Abroad(digits)) => LineNumber::parse(&format!("00{digits}")),
        None => {
            let local = text.strip_prefix('0').and_then(own_city);
            LineNumber::parse(local.as_deref().unwrap_or(&text))
        }
    }
}

/// Whether the user part says that the caller withholds the number.
pub fn is_withheld(raw: &str) -> bool {
    let text = raw.trim();
    WITHHELD.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A number with its country code.
enum International<'a> {
    /// Behind +86.
    China(&'a str),
    /// Country code and number of another country (or of Hong Kong, Macau, Taiwan).
    Abroad(&'a str),
}

/// Reads `+` or `00` and a country code. No domestic number begins with 00.
fn international(text: &str) -> Option<International<'_>> {
    let digits = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match digits.strip_prefix("86") {
        Some(national) if !national.is_empty() => Some(International::China(national)),
        Some(_) | None => Some(International::Abroad(digits)),
    }
}

/// Normal form of what stands behind +86. Some exchanges leave the trunk prefix 0 in: +86 0816...
fn from_china(national: &str) -> String {
    let significant = national.strip_prefix('0').unwrap_or(national);
    if is_land_line(significant) { format!("0{significant}") } else { significant.to_owned() }
}

/// Normal form of a number without `+` or 00.
fn domestic(text: &str, area_code: &str) -> String {
    if let Some(rest) = text.strip_prefix('0') {
        // 013800138000: the long-distance prefix before a mobile of another city.
        return if is_mobile(rest) { rest.to_owned() } else { text.to_owned() };
    }
    // 8613800138000, 868162250857: the country code without its plus. A domestic number of 12 or 13 digits would
    // begin with 0 or with 106.
    if let Some(national) = text.strip_prefix("86").filter(|n| is_mobile(n) || is_land_line(n)) {
        return from_china(national);
    }
    if is_subscriber(text) && !area_code.is_empty() {
        return format!("0{area_code}{text}");
    }
    // 8162250857: our own city's area code without its 0. Other cities' would be a guess.
    let is_own_city = !area_code.is_empty() && text.strip_prefix(area_code).is_some_and(is_subscriber);
    if is_own_city && !is_mobile(text) { format!("0{text}") } else { text.to_owned() }
}

/// A mobile number: 11 digits, 13 to 19.
fn is_mobile(digits: &str) -> bool {
    let b = digits.as_bytes();
    b.len() == 11 && b[0] == b'1' && (b'3'..=b'9').contains(&b[1]) && b.iter().all(u8::is_ascii_digit)
}

/// Area code and local number. 400 and 800 are service prefixes, not areas.
fn is_land_line(digits: &str) -> bool {
    let area_len = match digits.as_bytes() {
        [b'1', b'0', ..] | [b'2', ..] => 2,
        [b'4' | b'8', b'0', b'0', ..] => return false,
        [b'3'..=b'9', ..] => 3,
        _ => return false,
    };
    digits.get(area_len..).is_some_and(is_subscriber)
}

/// A local subscriber's number: 7 or 8 digits that begin with 2 to 8 (9 begins the codes 95xxx and 96xxx).
fn is_subscriber(digits: &str) -> bool {
    let b = digits.as_bytes();
    matches!(b.len(), 7 | 8) && (b'2'..=b'8').contains(&b[0]) && b.iter().all(u8::is_ascii_digit)
}

/// What may follow an area code: a subscriber's number or a service code of 3 to 8 digits.
fn is_local(digits: &str) -> bool {
    matches!(digits.len(), 3..=8) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The user part without parameters (`;phone-context=`, `;cpc=`) and visual separators.
fn bare(raw: &str) -> String {
    let user = raw.split(';').next().unwrap_or_default();
    user.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_numbers_come_to_one_form() {
        let cases = [
            // Mobiles.
            ("13800138000", "13800138000"),
            ("+8613800138000", "13800138000"),
            ("8613800138000", "13800138000"),
            ("013800138000", "13800138000"),
            ("008613800138000", "13800138000"),
            ("+86013800138000", "13800138000"),
            ("+86-138-0013-8000", "13800138000"),
            ("+8613800138000;phone-context=+86", "13800138000"),
            // Land lines of the own city.
            ("2250857", "08162250857"),
            ("08162250857", "08162250857"),
            ("8162250857", "08162250857"),
            ("+868162250857", "08162250857"),
            ("868162250857", "08162250857"),
            ("00868162250857", "08162250857"),
            ("+8608162250857", "08162250857"),
            ("(0816) 225-0857", "08162250857"),
            // Land lines elsewhere.
            ("02886123456", "02886123456"),
            ("+862886123456", "02886123456"),
            ("862886123456", "02886123456"),
            ("01065123456", "01065123456"),
            ("+861065123456", "01065123456"),
            ("+8675526701234", "075526701234"),
            ("86123456", "081686123456"), // a local number of 8 digits, not a country code
            // Service numbers and codes.
            ("12345", "12345"),
            ("+8612345", "12345"),
            ("110", "110"),
            ("95588", "95588"),
            ("4001234567", "4001234567"),
            ("+864001234567", "4001234567"),
            ("10086", "10086"),
            ("106575123456789", "106575123456789"),
            // Abroad.
            ("+85212345678", "+85212345678"),
            ("0085212345678", "+85212345678"),
            ("+12025550123", "+12025550123"),
            ("2025550123", "2025550123"),
        ];
        for (raw, normal) in cases {
            assert_eq!(calling(raw, "816").as_ref().map(PhoneNumber::as_str), Some(normal), "{raw}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        let texts = [
            "",
            "anonymous",
            "Anonymous",
            "unavailable",
            "alice",
            "138001x8000",
            "+",
            "++86",
            "市民",
            "1".repeat(21).leak(),
        ];
        for raw in texts {
            assert_eq!(calling(raw, "816"), None, "{raw}");
        }
    }

    #[test]
    fn without_an_area_code_local_numbers_stay() {
        assert_eq!(calling("2250857", "").unwrap().as_str(), "2250857");
        assert_eq!(called("081612345", "").unwrap().as_str(), "081612345");
    }

    #[test]
    fn called_numbers_lose_the_country_and_their_own_city_only() {
        let cases = [
            ("12345", "12345"),
            ("081612345", "12345"),
            ("+8681612345", "12345"),
            ("008681612345", "12345"),
            ("+86081612345", "12345"),
            ("+8612345", "12345"),
            ("0816-12345", "12345"),
            ("12345;phone-context=+86816", "12345"),
            ("08162250857", "2250857"),
            ("+868162250857", "2250857"),
            ("2250857", "2250857"),
            // Whole numbers: another city's line, or one that merely contains ours.
            ("02812345", "02812345"),
            ("+862812345", "2812345"),
            ("+862886123456", "02886123456"),
            ("81612345", "81612345"),
            ("112345", "112345"),
            ("123456", "123456"),
            ("0816", "0816"),
            ("+85212345", "0085212345"),
            ("*41", "*41"),
        ];
        for (raw, line) in cases {
            assert_eq!(called(raw, "816").map(String::from), Ok(line.to_owned()), "{raw}");
        }
        assert_eq!(called("", "816"), Err(NumberError::Empty));
        assert!(called("alice", "816").is_err());
    }

    #[test]
    fn normal_forms_are_stable() {
        for raw in ["+8613800138000", "2250857", "+868162250857", "12345", "0085212345678", "02886123456"] {
            let once = calling(raw, "816").unwrap();
            assert_eq!(calling(once.as_str(), "816"), Some(once.clone()), "{raw}");
        }
    }
}
