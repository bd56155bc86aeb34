//! Small steps over bytes that every header parser shares: blanks, tokens, quoted strings, lists, numbers.
//!
//! Works on slices of the datagram and allocates nothing. A folded header value still holds its CR LF, so they count
//! as blanks here. Knows no header.

/// Longest text that a span can name, and the longest message (RFC 3261 18.1.1: a UDP datagram).
pub(crate) const MAX_MESSAGE_BYTES: usize = 65_535;

/// A part of the message, by offsets: half the size of a slice and free of its lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    /// Offsets inside a message.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= MAX_MESSAGE_BYTES, "offsets lie inside a message");
        Self { start: start as u16, end: end as u16 }
    }

    /// The offsets of `part` inside `whole`, from which it was cut.
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if part.is_empty() || start > whole.len() {
            return Self::default();
        }
        Self::new(start, start + part.len())
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The part of `whole` that the span names.
    pub(crate) fn slice(self, whole: &[u8]) -> &[u8] {
        &whole[usize::from(self.start)..usize::from(self.end)]
    }

    /// The same for text that was checked to be UTF-8 when the span was made.
    pub(crate) fn str(self, whole: &[u8]) -> &str {
        str::from_utf8(self.slice(whole)).expect("checked when the span was made")
    }
}

/// Whether a byte separates words inside a header value (RFC 3261 25.1 LWS).
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a byte may stand in a token (RFC 3261 25.1).
pub(crate) const fn is_token(byte: u8) -> bool {
    CLASS[byte as usize] & TOKEN != 0
}

/// Whether a byte may stand in an unquoted parameter value: more than RFC 3261 gen-value, less than would end it.
pub(crate) const fn is_value(byte: u8) -> bool {
    CLASS[byte as usize] & VALUE != 0
}

/// Whether a byte may stand in a host name or an IPv4 address; `_` is no letter of DNS, yet in use.
pub(crate) const fn is_host(byte: u8) -> bool {
    CLASS[byte as usize] & HOST != 0
}

/// Whether a byte may stand anywhere in a URI: no blank, no control, nothing that would end it in angle brackets.
pub(crate) const fn is_uri(byte: u8) -> bool {
    CLASS[byte as usize] & URI != 0
}

const TOKEN: u8 = 1;
const VALUE: u8 = 2;
const HOST: u8 = 4;
const URI: u8 = 8;

/// Which classes each byte belongs to: one look instead of a chain of comparisons for every byte of a message.
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') {
            table[i] |= TOKEN | HOST;
        }
        if matches!(b, b'!' | b'%' | b'*' | b'+' | b'`' | b'\'' | b'~') {
            table[i] |= TOKEN;
        }
        let printed = b > b' ' && b != 0x7f;
        if printed && !matches!(b, b';' | b',' | b'"' | b'<' | b'>') {
            table[i] |= VALUE;
        }
        if printed && !matches!(b, b'"' | b'<' | b'>') {
            table[i] |= URI;
        }
        i += 1;
    }
    table
};

/// The slice without blanks at its start.
pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    bytes
}

/// The slice without blanks at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// The slice without blanks at its end.
pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The first place of `byte`, looking at eight bytes at a time: most of a message is searched for line ends.
pub(crate) fn find(haystack: &[u8], byte: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let pattern = LOW * u64::from(byte);
    let (words, tail) = haystack.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        // A byte of `x` is zero where the haystack matches; the lowest flagged byte is always a true match.
        let x = u64::from_le_bytes(*word) ^ pattern;
        let hit = x.wrapping_sub(LOW) & !x & HIGH;
        if hit != 0 {
            return Some(i * 8 + (hit.trailing_zeros() / 8) as usize);
        }
    }
    tail.iter().position(|&b| b == byte).map(|i| words.len() * 8 + i)
}

/// The index behind the closing quote of the quoted string that opens at `open`; `None` when it never closes.
///
/// The second byte of a GBK character may be a backslash. Only when the string does not close with backslashes as
/// escapes, one behind a byte above 0x80 is taken as half a character.
pub(crate) fn quoted_end(bytes: &[u8], open: usize) -> Option<usize> {
    closing_quote(bytes, open, false).or_else(|| closing_quote(bytes, open, true))
}

fn closing_quote(bytes: &[u8], open: usize, gbk: bool) -> Option<usize> {
    let mut i = open + 1;
    while let Some(&b) = bytes.get(i) {
        match b {
            b'"' => return Some(i + 1),
            b'\\' if !(gbk && bytes[i - 1] > 0x80) => i += 2,
            _ => i += 1,
        }
    }
    None
}

/// A whole number without sign: at least one digit, nothing else, no overflow.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u32, |n, &b| match b {
        b'0'..=b'9' => n.checked_mul(10)?.checked_add(u32::from(b - b'0')),
        _ => None,
    })
}

/// Splits off the part before the first `byte`; the second part is behind it.
pub(crate) fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = find(bytes, byte)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// The first word of blank-separated bytes, and the trimmed rest.
pub(crate) fn first_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = trim(bytes);
    let end = bytes.iter().position(|&b| is_blank(b)).unwrap_or(bytes.len());
    (&bytes[..end], trim(&bytes[end..]))
}

/// The elements of a comma list, trimmed; commas in quotes and in angle brackets do not count. Empty elements are
/// skipped (RFC 3261 7.3.1 does not know them, but old equipment sends a trailing comma).
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = element_end(self.rest);
            let element = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// Where the first element of a comma list ends. An open quote or bracket runs to the end: its parser refuses it.
pub(crate) fn element_end(bytes: &[u8]) -> usize {
    let mut i = 0;
    let mut in_brackets = false;
    while let Some(&b) = bytes.get(i) {
        match b {
            b',' if !in_brackets => return i,
            b'"' if !in_brackets => match quoted_end(bytes, i) {
                Some(end) => {
                    i = end;
                    continue;
                }
                None => return bytes.len(),
            },
            b'<' => in_brackets = true,
            b'>' => in_brackets = false,
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_agrees_with_position_at_every_offset() {
        for len in 0..40 {
            for at in 0..len {
                let mut hay = vec![b'a'; len];
                hay[at] = b'\n';
                assert_eq!(find(&hay, b'\n'), Some(at));
            }
            assert_eq!(find(&vec![b'\x0b'; len], b'\n'), None);
        }
    }

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let all: Vec<&[u8]> = Elements::new(b"\"a,b\" <sip:x,y@z>;p=1 , ,<sip:b>\r\n , c,").collect();
        assert_eq!(all, [&b"\"a,b\" <sip:x,y@z>;p=1"[..], b"<sip:b>", b"c"]);
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        assert_eq!(number(b"4294967296"), None);
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(b""), None);
    }
}
