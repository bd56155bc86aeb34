//! Copies of SIP messages for a collector of captures, without passwords, proofs and keys. Decides nothing.

use super::input_log::Mask;
use crate::sip::transport::hep::{Hep, Seen};

/// The way to the collector, and what must not go there.
#[derive(Debug)]
pub(super) struct Captures {
    hep: Hep,
    mask: Mask,
}

impl Captures {
    /// Copies go out by `hep`, masked as the log of inputs is.
    pub(super) fn new(hep: Hep, mask: Mask) -> Self {
        Self { hep, mask }
    }

    /// Sends a copy. One that does not go at once is lost and counted.
    pub(super) fn copy(&mut self, seen: &Seen<'_>) {
        let masked = self.mask.message(seen.message);
        self.hep.copy(&Seen { message: masked.as_deref().unwrap_or(seen.message), ..*seen });
    }

    /// Copies that were lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.hep.lost()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::*;
    use crate::sip::flow::Transport;
    use crate::types::Wall;

    #[test]
    fn a_copy_holds_no_proof_and_no_key() {
        let collector = UdpSocket::bind("127.0.0.1:0").expect("a port");
        collector.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let at = collector.local_addr().expect("bound");
        let mask = Mask::new("yihao", &BTreeMap::new(), &[1; 32]);
        let mut captures = Captures::new(Hep::new(at, 1).expect("reachable"), mask);
        let message = b"REGISTER sip:h SIP/2.0\r\nAuthorization: Digest realm=\"yihao\", response=\"abc123\"\r\n\r\n\
            a=crypto:1 X inline:PS1uQCVe\r\n";
        captures.copy(&Seen { at: Wall(0), transport: Transport::Udp, from: at, to: at, message });
        let mut packet = [0; 2_048];
        let size = collector.recv(&mut packet).expect("a copy");
        let text = String::from_utf8_lossy(&packet[..size]);
        assert!(text.contains("REGISTER sip:h") && text.contains("response=\"000000\""), "{text}");
        assert!(!text.contains("abc123") && !text.contains("PS1uQCVe"), "{text}");
    }
}
