//! Our side of one stream: the port, what we offered, what was agreed. Knows SDP, no dialog.

use std::net::IpAddr;

use crate::sip::negotiate::{self, LocalMedia, NegotiateError, Protection};
use crate::types::{Codec, CryptoSuite, Direction, MediaPort, SrtpKey, StreamParams};

/// One leg's (or one branch's) audio as we negotiate it. Each leg negotiates with us alone.
#[derive(Clone, Debug)]
pub(super) struct Audio {
    pub(super) port: MediaPort,
    local: LocalMedia,
    /// The last description that we sent, byte for byte: repeated where the RFCs want the same.
    sent: String,
    /// Whether our last description was an offer that waits for its answer.
    offered: bool,
    /// Whether our last description is part of an agreement: an offer that was refused is not.
    stands: bool,
    agreed: Option<StreamParams>,
    /// Which way we wanted audio to flow when it was agreed last.
    settled: Direction,
    /// Whether the media engine has the port.
    pub(super) opened: bool,
}

/// Codecs in our order: A-law first, so that the usual call between the telephone network and a seat needs no transcoding.
const CODECS: [Codec; 3] = [Codec::Pcma, Codec::Pcmu, Codec::G722];

impl Audio {
    /// Nothing is offered or agreed yet.
    pub(super) fn new(port: MediaPort, address: IpAddr, session: u64, may_latch: bool, protection: Protection) -> Self {
        let local = LocalMedia {
            address,
            port: port.port,
            session,
            version: 1,
            codecs: CODECS.to_vec(),
            comfort_noise: false,
            protection,
            direction: Direction::SendRecv,
            may_latch,
        };
        Self {
            port,
            local,
            sent: String::new(),
            offered: false,
            stands: false,
            agreed: None,
            settled: Direction::SendRecv,
            opened: false,
        }
    }

    /// Offers comfort noise: the leg beside this one has it.
    pub(super) fn offer_noise(&mut self) {
        self.local.comfort_noise = true;
    }

    /// A first or a further offer.
    pub(super) fn offer(&mut self) -> &str {
        let mut text = self.write_offer();
        if self.is_news(&text) {
            self.local.version += 1;
            text = self.write_offer();
        }
        self.sent = text;
        self.stands = false;
        self.offered = true;
        &self.sent
    }

    /// The description that stands once more, to refresh the session and change nothing (RFC 4028 7.4).
    pub(super) fn offer_same(&mut self) -> &str {
        if !self.stands {
            return self.offer();
        }
        self.offered = true;
        &self.sent
    }

    fn write_offer(&self) -> String {
        if self.sent.is_empty() {
            negotiate::offer(&self.local)
        } else {
            negotiate::offer_again(&self.local, self.sent.as_bytes())
        }
    }

    /// Whether a description differs from the one before, so that it needs the next version (RFC 3264 8).
    fn is_news(&self, text: &str) -> bool {
        !self.sent.is_empty() && text != self.sent
    }

    /// Our answer to an offer; the agreement counts from now on.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Result<&str, NegotiateError> {
        let (mut text, params) = negotiate::answer(offer, &self.local)?;
        if self.is_news(&text) {
            self.local.version += 1;
            (text, _) = negotiate::answer(offer, &self.local)?;
        }
        self.sent = text;
        self.settle(params);
        Ok(&self.sent)
    }

    /// The far end's answer to our offer.
    pub(super) fn accept(&mut self, answer: &[u8]) -> Result<(), NegotiateError> {
        let params = negotiate::accept(answer, &self.local)?;
        self.settle(params);
        Ok(())
    }

    fn settle(&mut self, params: StreamParams) {
        self.offered = false;
        self.stands = true;
        self.settled = self.local.direction;
        self.agreed = Some(params);
    }

    /// Takes an offer back that was refused (491, 488): the old agreement goes on (RFC 3261 14.1), and which way the audio
    /// flows with it.
    pub(super) fn withdraw(&mut self) {
        self.offered = false;
        self.local.direction = self.settled;
    }

    /// Whether an offer of ours waits for its answer.
    pub(super) fn waits(&self) -> bool {
        self.offered
    }

    /// What we sent last.
    pub(super) fn sent(&self) -> &str {
        &self.sent
    }

    pub(super) fn agreed(&self) -> Option<&StreamParams> {
        self.agreed.as_ref()
    }

    /// Whether the far end does not want to hear us: it holds the call.
    pub(super) fn held_by_peer(&self) -> bool {
        self.local.direction == Direction::SendRecv
            && self.agreed.as_ref().is_some_and(|p| matches!(p.direction, Direction::RecvOnly | Direction::Inactive))
    }

    /// Which way we want audio to flow from the next offer on.
    pub(super) fn want(&mut self, direction: Direction) {
        self.local.direction = direction;
    }
}

/// One key for each suite that we speak, made of random bytes.
pub(super) fn keys(bytes: [u8; 60]) -> Vec<SrtpKey> {
    let (first, second) = bytes.split_at(30);
    vec![key(CryptoSuite::Aes128Sha1_80, first), key(CryptoSuite::Aes128Sha1_32, second)]
}

fn key(suite: CryptoSuite, bytes: &[u8]) -> SrtpKey {
    let mut key_salt = [0; 30];
    key_salt.copy_from_slice(bytes);
    SrtpKey { suite, key_salt }
}
