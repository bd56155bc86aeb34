//! Messages out of a byte stream (RFC 3261 18.3, RFC 5626 3.5.1). Knows no socket.

use bytes::{Buf, Bytes, BytesMut};

use super::lex::{self, Field};
use super::{HeaderName, MAX_MESSAGE_BYTES, Message, ParseError, scan};

/// Longest start line and header. Long enough for signed identities and long routes; a peer that sends more without a
/// blank line is not speaking SIP.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// What came out of the stream.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message.
    Message(Box<Message>),
    /// A message that breaks the rules but whose end is known: answer it, the stream goes on.
    Malformed(ParseError),
    /// Two line ends: a keep-alive that wants one line end back.
    Ping,
    /// One line end: the answer to a keep-alive of ours, or the first half of a ping; harmless when nobody waits.
    Pong,
}

/// Why the stream cannot go on: the end of the message is unknown. Answer, where there is an answer, and close.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FramingError {
    /// More than 32 KiB without a blank line.
    #[error("no end of header within {MAX_HEAD_BYTES} bytes")]
    HeadTooLarge,
    /// No message of 65,535 bytes is taken.
    #[error("message of {0} bytes")]
    TooLarge(u64, Option<Box<ParseError>>),
    /// Content-Length is missing, unreadable or there twice, or the bytes are not SIP.
    #[error("end of message unknown: {0}")]
    UnknownEnd(Box<ParseError>),
}

impl FramingError {
    /// The response to send before the stream is closed, where there is one.
    pub fn answer(&self, to_tag: &str) -> Option<Bytes> {
        match self {
            Self::HeadTooLarge | Self::TooLarge(_, None) => None,
            Self::TooLarge(_, Some(error)) | Self::UnknownEnd(error) => error.answer(to_tag),
        }
    }
}

/// Cuts a stream into messages. After each [`push`](Self::push) take frames until there is none: then it holds less
/// than one message, and nothing while the peer is idle.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// Bytes that were searched for the blank line already.
    searched: usize,
    /// Length of the message at the start of the buffer, once its head is there.
    awaited: Option<usize>,
    /// One line end has come; another one makes it a ping.
    half_ping: bool,
    broken: bool,
}

impl StreamFramer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes as they came from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes that wait for the rest of their message; a peer that leaves some for long is stuck.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn step(&mut self) -> Result<Option<Frame>, FramingError> {
        if self.awaited.is_none()
            && self.searched == 0
            && let Some(frame) = self.line_end()
        {
            return Ok(Some(frame));
        }
        let length = match self.awaited {
            Some(length) => length,
            None => match self.find_head()? {
                Some(length) => *self.awaited.insert(length),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        let bytes = self.buffer.split_to(length).freeze();
        (self.awaited, self.searched, self.half_ping) = (None, 0, false);
        Ok(Some(match Message::parse_framed(bytes) {
            Ok(message) => Frame::Message(Box::new(message)),
            Err(error) => Frame::Malformed(error),
        }))
    }

    /// Takes a line end that stands before a message.
    fn line_end(&mut self) -> Option<Frame> {
        if self.buffer.starts_with(b"\r\n\r\n") && !self.half_ping {
            self.buffer.advance(4);
            return Some(Frame::Ping);
        }
        if !self.buffer.starts_with(b"\r\n") {
            return None;
        }
        self.buffer.advance(2);
        self.half_ping = !self.half_ping;
        Some(if self.half_ping { Frame::Pong } else { Frame::Ping })
    }

    /// Finds the length of the message at the start of the buffer; `None` while its head is not there.
    fn find_head(&mut self) -> Result<Option<usize>, FramingError> {
        let Some(head) = head_end(&self.buffer, self.searched) else {
            self.searched = self.buffer.len().saturating_sub(2);
            return if self.buffer.len() > MAX_HEAD_BYTES { Err(FramingError::HeadTooLarge) } else { Ok(None) };
        };
        if head > MAX_HEAD_BYTES {
            return Err(FramingError::HeadTooLarge);
        }
        let after_line = lex::first_line(&self.buffer, 0).map_or(head, |(_, next)| next);
        let (fields, _) = lex::fields(&self.buffer[..head], after_line);
        let refusal = |head: &[u8]| Message::parse_framed(Bytes::copy_from_slice(head)).err().map(Box::new);
        match content_length(&fields, &self.buffer) {
            Some(body) if head as u64 + u64::from(body) <= MAX_MESSAGE_BYTES as u64 => Ok(Some(head + body as usize)),
            Some(body) => {
                let error = refusal(&self.buffer[..head]).map(|error| Box::new(too_large(*error)));
                Err(FramingError::TooLarge(head as u64 + u64::from(body), error))
            }
            None => {
                let error = refusal(&self.buffer[..head]).unwrap_or(Box::new(ParseError::Unusable("no length")));
                Err(FramingError::UnknownEnd(error))
            }
        }
    }
}

impl Iterator for StreamFramer {
    type Item = Result<Frame, FramingError>;

    /// The next frame; `None` when more bytes are needed, and after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let step = self.step();
        self.broken = step.is_err();
        if self.buffer.is_empty() || self.broken {
            // Gives the memory back while the peer is idle.
            self.buffer = BytesMut::new();
        }
        step.transpose()
    }
}

/// The index behind the blank line, searching from `from` on.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(len) = scan::find(&bytes[at..], b'\n') {
        at += len + 1;
        if bytes[at..].starts_with(b"\r\n") {
            return Some(at + 2);
        }
    }
    None
}

/// The one readable Content-Length, if there is exactly one.
fn content_length(fields: &[Field], bytes: &[u8]) -> Option<u32> {
    let mut lengths = fields.iter().filter(|field| field.id == HeaderName::ContentLength);
    let length = scan::number(lengths.next()?.value.slice(bytes));
    length.filter(|_| lengths.next().is_none())
}

fn too_large(error: ParseError) -> ParseError {
    match error {
        ParseError::Malformed { request, .. } => {
            ParseError::Malformed { status: 413, reason: "Request Entity Too Large", request }
        }
        ParseError::Empty | ParseError::Unusable(_) => error,
    }
}

#[cfg(test)]
mod tests;
