//! RFC 4733 events sent: one packet each 20 ms, three end packets, a pause between keys.

use std::collections::VecDeque;

use super::{DtmfError, MAX_WAITING, event};
use crate::media::rtp::{EventPacket, FRAME_TICKS};
use crate::types::Digit;

/// Length of a press: 100 ms, enough for every receiver (Q.24 asks for 40).
const PRESS_TICKS: u16 = 800;
/// Ticks without anything after the last end packet: 60 ms (Q.24 asks for 40 between keys).
const PAUSE_FRAMES: u8 = 3;
/// The end packet is sent three times (RFC 4733 2.5.1.4).
const END_PACKETS: u8 = 3;
/// Loudness of the tone that a gateway makes of it: -10 dBm0.
const VOLUME: u8 = 10;

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Pressed { event: u8, start: u32, duration: u16 },
    Ending { event: u8, start: u32, left: u8 },
    Pause { left: u8 },
}

/// Keys of ours on their way to the far end.
#[derive(Clone, Debug)]
pub struct EventSender {
    waiting: VecDeque<u8>,
    state: State,
}

impl Default for EventSender {
    fn default() -> Self {
        Self::new()
    }
}

impl EventSender {
    /// Nothing to send.
    pub fn new() -> Self {
        Self { waiting: VecDeque::new(), state: State::Idle }
    }

    /// Takes a key; it is sent after those that wait.
    ///
    /// # Errors
    /// [`DtmfError`] when there is no such key or [`MAX_WAITING`] wait already.
    pub fn press(&mut self, digit: Digit) -> Result<(), DtmfError> {
        let event = event(digit).ok_or(DtmfError::NoSuchKey)?;
        if self.waiting.len() >= MAX_WAITING {
            return Err(DtmfError::Full);
        }
        self.waiting.push_back(event);
        Ok(())
    }

    /// Whether keys are being sent: no audio goes out meanwhile, and `tick` wants to be called each 20 ms.
    pub fn is_active(&self) -> bool {
        !self.waiting.is_empty() || !matches!(self.state, State::Idle)
    }

    /// One tick of 20 ms. `clock` is our RTP time ([`crate::media::rtp::Sender::clock`]).
    pub fn tick(&mut self, clock: u32) -> Option<EventPacket> {
        if let State::Pause { left } = &mut self.state {
            *left -= 1;
            if *left == 0 {
                self.state = State::Idle;
            }
            return None;
        }
        if let State::Idle = self.state {
            let event = self.waiting.pop_front()?;
            self.state = State::Pressed { event, start: clock, duration: 0 };
        }
        match &mut self.state {
            State::Pressed { event, start, duration } => {
                // PRESS_TICKS bounds the sum.
                *duration += FRAME_TICKS as u16;
                let packet = packet(*event, false, *duration, *start);
                if *duration + FRAME_TICKS as u16 >= PRESS_TICKS {
                    self.state = State::Ending { event: *event, start: *start, left: END_PACKETS };
                }
                Some(packet)
            }
            State::Ending { event, start, left } => {
                let packet = packet(*event, true, PRESS_TICKS, *start);
                *left -= 1;
                if *left == 0 {
                    self.state = State::Pause { left: PAUSE_FRAMES };
                }
                Some(packet)
            }
            State::Idle | State::Pause { .. } => None,
        }
    }
}

fn packet(event: u8, end: bool, duration: u16, start: u32) -> EventPacket {
    let [high, low] = duration.to_be_bytes();
    EventPacket {
        payload: [event, u8::from(end) << 7 | VOLUME, high, low],
        marker: duration == FRAME_TICKS as u16,
        timestamp: start,
    }
}
