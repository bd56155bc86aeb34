//! A stream gives the same frames however it is cut, keeps its bounds and never panics.

use yihao::sip::message::{Frame, MAX_MESSAGE_BYTES, StreamFramer};

/// One input: the first byte says how the rest is cut.
pub(crate) fn run(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    assert_eq!(frames(stream, usize::from(cut) + 1), frames(stream, stream.len().max(1)));
}

/// What comes out, as text; line ends between messages depend on the cut and are left out.
fn frames(stream: &[u8], cut: usize) -> Vec<String> {
    let mut framer = StreamFramer::new();
    let mut seen = Vec::new();
    for chunk in stream.chunks(cut) {
        framer.push(chunk);
        for frame in framer.by_ref() {
            match frame {
                Ok(Frame::Message(message)) => seen.push(format!("{:?} {}", message.bytes(), message.body().len())),
                Ok(Frame::Malformed(error)) => seen.push(error.to_string()),
                Ok(Frame::Ping | Frame::Pong) => {}
                Err(error) => seen.push(format!("{error} {}", error.answer("tag").is_some())),
            }
        }
        assert!(framer.pending_bytes() <= MAX_MESSAGE_BYTES + cut);
    }
    seen
}
