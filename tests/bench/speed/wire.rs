//! The few SIP messages of the load: rendered from fixed texts, read by looking for lines. Not a stack.

use std::net::SocketAddr;

/// Where one side of the load speaks and listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// SIP.
    pub(crate) sip: SocketAddr,
    /// RTP.
    pub(crate) media: SocketAddr,
}

/// The caller's leg of one call.
pub(crate) struct Caller<'a> {
    pub(crate) n: u64,
    pub(crate) place: Place,
    pub(crate) server: SocketAddr,
    pub(crate) called: &'a str,
}

impl Caller<'_> {
    /// Call-ID of the call.
    pub(crate) fn call_id(&self) -> String {
        format!("{}-8f31c2d4a90b7e66f1aa0c53e2d4b8a1@{}", self.n, self.place.sip.ip())
    }

    /// An INVITE of 1.2 kB, with the headers that carriers' switches send.
    pub(crate) fn invite(&self) -> String {
        let Self { n, place: Place { sip, .. }, server, called } = self;
        let (host, number, call_id) = (sip.ip(), number(*n), self.call_id());
        let body = self.offer();
        format!(
            "INVITE sip:{called}@{server};user=phone SIP/2.0\r\n\
             Via: SIP/2.0/UDP {sip};branch=z9hG4bKi{n};rport\r\n\
             Via: SIP/2.0/UDP 10.12.34.11:5060;branch=z9hG4bK1186cc2a9be07d35;received=10.12.34.11\r\n\
             Max-Forwards: 68\r\n\
             From: \"{number}\" <sip:{number}@{host};user=phone>;tag=a{n}\r\n\
             To: <sip:{called}@{server};user=phone>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\n\
             Contact: <sip:{number}@{sip};transport=udp>\r\n\
             Allow: INVITE,ACK,CANCEL,BYE,OPTIONS,PRACK,UPDATE,INFO,NOTIFY,REFER\r\n\
             Supported: timer,replaces\r\n\
             Session-Expires: 1800;refresher=uac\r\n\
             Min-SE: 90\r\n\
             P-Asserted-Identity: <tel:+86{number}>\r\n\
             P-Charging-Vector: icid-value=3b1f6a0c7e55;icid-generated-at={host};orig-ioi=city.example.com\r\n\
             P-Early-Media: supported\r\n\
             User-Agent: SoftSwitch 9.2.1\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn offer(&self) -> String {
        let (ip, port) = (self.place.media.ip(), self.place.media.port());
        format!(
            "v=0\r\no=- 1700000001 1700000001 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        )
    }

    /// ACK or BYE in the answered call.
    pub(crate) fn in_dialog(&self, method: &str, cseq: u32, target: &str, to: &str) -> String {
        let Self { n, place: Place { sip, .. }, server, .. } = self;
        let (host, number, call_id) = (sip.ip(), number(*n), self.call_id());
        let target = if target.is_empty() { format!("sip:{server}") } else { target.to_owned() };
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {sip};branch=z9hG4bK{method}{n};rport\r\n\
             Max-Forwards: 68\r\n\
             From: \"{number}\" <sip:{number}@{host};user=phone>;tag=a{n}\r\n\
             To: {to}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }
}

/// The caller's number, by which the seat's leg is found again.
fn number(n: u64) -> String {
    format!("138{n:08}")
}

/// The call that a request to a seat belongs to: its caller's number stands in From.
pub(crate) fn call_of_from(from: &str) -> Option<u64> {
    let digits = from.split_once("<sip:138")?.1;
    digits.get(..8)?.parse().ok()
}

/// The call that a response to the caller belongs to.
pub(crate) fn call_of_call_id(call_id: &str) -> Option<u64> {
    call_id.split_once('-')?.0.parse().ok()
}

/// A message taken apart as far as the load needs it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen<'a> {
    pub(crate) start: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: &'a str,
    pub(crate) contact: &'a str,
    pub(crate) body: &'a str,
}

impl<'a> Seen<'a> {
    /// Looks at a datagram; what is not text is nothing.
    pub(crate) fn at(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = std::str::from_utf8(bytes).ok()?.split_once("\r\n\r\n")?;
        let mut seen = Self { body, ..Self::default() };
        for (index, line) in head.split("\r\n").enumerate() {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name {
                _ if index == 0 => seen.start = line,
                "From" => seen.from = value,
                "To" => seen.to = value,
                "Call-ID" => seen.call_id = value,
                "CSeq" => seen.cseq = value,
                "Contact" => seen.contact = value,
                _ => {}
            }
        }
        Some(seen)
    }

    /// Status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Method of the request or of what is answered.
    pub(crate) fn method(&self) -> &'a str {
        self.cseq.split_once(' ').map_or("", |(_, method)| method)
    }

    /// URI of the Contact.
    pub(crate) fn target(&self) -> &'a str {
        let inner = self.contact.split_once('<').map_or(self.contact, |(_, rest)| rest);
        inner.split_once('>').map_or(inner, |(uri, _)| uri)
    }

    /// Port of the audio in the session description.
    pub(crate) fn audio_port(&self) -> u16 {
        let rest = self.body.split_once("m=audio ").map_or("", |(_, rest)| rest);
        rest.split_once(' ').and_then(|(port, _)| port.parse().ok()).unwrap_or(0)
    }
}

/// A seat's answer to a request of the exchange; a 200 to an INVITE describes its audio.
pub(crate) fn answer(request: &[u8], status: &str, n: u64, place: Place) -> Option<String> {
    let (head, _) = std::str::from_utf8(request).ok()?.split_once("\r\n\r\n")?;
    let mut out = format!("SIP/2.0 {status}\r\n");
    let mut invite = false;
    for line in head.split("\r\n").skip(1) {
        let name = line.split_once(':').map_or("", |(name, _)| name);
        if !matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq") {
            continue;
        }
        out.push_str(line);
        if name == "To" && !line.contains(";tag=") {
            out.push_str(&format!(";tag=s{n}"));
        }
        invite |= name == "CSeq" && line.ends_with("INVITE");
        out.push_str("\r\n");
    }
    if invite {
        out.push_str(&format!("Contact: <sip:{}>\r\nAllow: INVITE,ACK,CANCEL,BYE,OPTIONS\r\n", place.sip));
    }
    let body = if invite && status.starts_with("200") { description(place.media) } else { String::new() };
    if !body.is_empty() {
        out.push_str("Content-Type: application/sdp\r\n");
    }
    out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    Some(out)
}

fn description(media: SocketAddr) -> String {
    let (ip, port) = (media.ip(), media.port());
    format!(
        "v=0\r\no=- 42 42 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}
