//! Replays the fuzz corpora: every input that was ever worth keeping passes its check on the stable compiler.

#[path = "../fuzz/checks/digest.rs"]
mod digest;
#[path = "../fuzz/checks/framing.rs"]
pub(crate) mod framing;
#[path = "../fuzz/checks/lexer.rs"]
pub(crate) mod lexer;
#[path = "../fuzz/checks/rtcp.rs"]
mod rtcp;
#[path = "../fuzz/checks/rtp.rs"]
mod rtp;
#[path = "../fuzz/checks/sdp.rs"]
pub(crate) mod sdp;

fn replay(corpus: &str, check: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(corpus);
    let files = std::fs::read_dir(&folder).expect("has a corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("is readable").path();
        let data = std::fs::read(&path).expect("is readable");
        let checked = std::panic::catch_unwind(|| check(&data));
        assert!(checked.is_ok(), "{} fails its check", path.display());
        count += 1;
    }
    assert!(count > 0, "{corpus} is empty");
}

#[test]
fn messages_pass() {
    replay("lexer", lexer::run);
}

#[test]
fn session_descriptions_pass() {
    replay("sdp", sdp::run);
}

#[test]
fn streams_pass() {
    replay("framing", framing::run);
}

#[test]
fn media_packets_pass() {
    replay("rtp", rtp::run);
}

#[test]
fn media_reports_pass() {
    replay("rtcp", rtcp::run);
}

#[test]
fn credentials_and_challenges_pass() {
    replay("digest", digest::run);
}
