//! What every layer needs of a message to find its transaction and dialog, checked once.
//!
//! After this check the accessors of [`super::Message`] cannot fail.

use super::lex::{Fault, Field};
use super::scan::{self, Span};
use super::{CSeq, HeaderError, HeaderName, Method, name_addr, via};

/// Places of the values by which messages are matched. Empty spans are absent values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) via: Span,
    pub(crate) branch: Span,
    pub(crate) sent_by: Span,
    pub(crate) from: Span,
    pub(crate) from_tag: Span,
    pub(crate) to: Span,
    pub(crate) to_tag: Span,
    pub(crate) call_id: Span,
    pub(crate) cseq: u32,
    pub(crate) max_forwards: Option<u8>,
    pub(crate) content_length: Option<u32>,
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Self {
        Self::bad(error.reason)
    }
}

/// The first value of each header that is searched for. Only Via may come twice.
fn first_values(fields: &[Field]) -> Result<[Option<Span>; HeaderName::INDEXED], Fault> {
    let mut first = [None; HeaderName::INDEXED];
    for field in fields {
        let Some(slot) = first.get_mut(field.id as usize) else { continue };
        if slot.is_none() {
            *slot = Some(field.value);
        } else if field.id != HeaderName::Via {
            return Err(Fault::bad(match field.id == HeaderName::ContentLength {
                true => "Duplicate Content-Length",
                false => "Duplicate Header",
            }));
        }
    }
    Ok(first)
}

impl Index {
    /// Checks the headers that a message must have (RFC 3261 8.1.1) and gives their places and the CSeq method.
    pub(crate) fn build(bytes: &[u8], fields: &[Field]) -> Result<(Self, Method), Fault> {
        let first = first_values(fields)?;
        let need = |name: HeaderName, missing| first[name as usize].ok_or(Fault::bad(missing));
        let mut index = Self {
            from: need(HeaderName::From, "Missing From")?,
            to: need(HeaderName::To, "Missing To")?,
            call_id: need(HeaderName::CallId, "Missing Call-ID")?,
            ..Self::default()
        };
        index.read_via(bytes, need(HeaderName::Via, "Missing Via")?)?;
        index.from_tag = tag(bytes, index.from)?;
        index.to_tag = tag(bytes, index.to)?;
        let call_id = index.call_id.slice(bytes);
        if call_id.is_empty()
            || call_id.iter().any(|b| b.is_ascii_control() || *b == b' ')
            || str::from_utf8(call_id).is_err()
        {
            return Err(Fault::bad("Malformed Call-ID"));
        }
        let cseq = CSeq::parse(need(HeaderName::CSeq, "Missing CSeq")?.slice(bytes))?;
        index.cseq = cseq.number;
        if let Some(value) = first[HeaderName::MaxForwards as usize] {
            let hops = scan::number(value.slice(bytes)).and_then(|hops| u8::try_from(hops).ok());
            index.max_forwards = Some(hops.ok_or(Fault::bad("Malformed Max-Forwards"))?);
        }
        if let Some(value) = first[HeaderName::ContentLength as usize] {
            let length = scan::number(value.slice(bytes));
            index.content_length = Some(length.ok_or(Fault::bad("Malformed Content-Length"))?);
        }
        Ok((index, cseq.method))
    }

    fn read_via(&mut self, bytes: &[u8], value: Span) -> Result<(), Fault> {
        let value = value.slice(bytes);
        let top = scan::trim(&value[..scan::element_end(value)]);
        let parts = via::Parts::scan(top)?;
        self.via = Span::of(top, bytes);
        self.branch = Span::of(parts.check()?, bytes);
        self.sent_by = Span::of(parts.sent_by, bytes);
        Ok(())
    }
}

fn tag(bytes: &[u8], value: Span) -> Result<Span, Fault> {
    Ok(Span::of(name_addr::Parts::scan(value.slice(bytes))?.check()?, bytes))
}
