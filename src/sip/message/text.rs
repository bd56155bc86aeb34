//! Bytes of a header as text for people. The raw bytes are never changed by this.

use std::borrow::Cow;

use encoding_rs::GBK;

use super::scan::is_blank;

/// Shows bytes as text: UTF-8 (RFC 3261 7.3), else GBK as old Chinese exchanges send, else Latin-1.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(raw) {
        return Cow::Borrowed(text);
    }
    match GBK.decode_without_bom_handling_and_without_replacement(raw) {
        Some(text) => text,
        None => encoding_rs::mem::decode_latin1(raw),
    }
}

/// Replaces each fold (line end and the blanks around it) by one space, as RFC 3261 7.3.1 reads it.
pub(crate) fn unfold(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(['\r', '\n']) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split(['\r', '\n']).map(|line| line.trim_matches(|c| c == ' ' || c == '\t')) {
        if !out.is_empty() && !line.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    Cow::Owned(out)
}

/// Takes the backslashes out of the inside of a quoted string (RFC 3261 25.1 quoted-pair).
pub(crate) fn unescape(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    Cow::Owned(out)
}

/// The content of a quoted string, or the text itself when it is not quoted.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => unescape(Cow::Borrowed(inside)),
        None => Cow::Borrowed(text),
    }
}

/// Writes a quoted string.
pub(crate) fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for &b in text.as_bytes() {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(if is_blank(b) { b' ' } else { b });
    }
    out.push(b'"');
}

/// Makes bytes that stood without quotes fit for between quotes. In bytes that are no UTF-8 a backslash behind one above
/// 0x80 is the second half of a GBK character and stays.
pub(crate) fn escape_unquoted(raw: &[u8]) -> Vec<u8> {
    let gbk = str::from_utf8(raw).is_err();
    let mut out = Vec::with_capacity(raw.len());
    for (i, &b) in raw.iter().enumerate() {
        let half = gbk && i > 0 && raw[i - 1] > 0x80;
        if b == b'\\' && !half {
            out.push(b'\\');
        }
        out.push(b);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gbk_and_latin1_are_shown_as_text() {
        assert_eq!(decode("市民".as_bytes()), "市民");
        assert_eq!(decode(&[0xca, 0xd0, 0xc3, 0xf1]), "市民");
        assert_eq!(decode(b"Andr\xe9"), "Andr\u{e9}");
    }

    #[test]
    fn folds_become_one_space() {
        assert_eq!(unfold(Cow::Borrowed("a  b \r\n \tc")), "a  b c");
    }

    #[test]
    fn quoted_text_comes_back() {
        let mut out = Vec::new();
        quote(&mut out, "a\"b\\c\r\nd");
        assert_eq!(out, b"\"a\\\"b\\\\c  d\"");
        assert_eq!(unquote(str::from_utf8(&out).unwrap()), "a\"b\\c  d");
    }
}
