//! How fast messages are read and answered: one INVITE of 1.2 kB, as a carrier's switch sends it.
//!
//! Run with `cargo bench --bench sip`. Floor and goal on one core: lexing 500 k and 1.2 M a second, a typed look and a
//! response 250 k and 500 k a second.

#[path = "speed/sample.rs"]
mod sample;

use std::hint::black_box;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use yihao::sip::message::{HeaderName, Message, NameAddr, ResponseBuilder, Uri};
use yihao::sip::negotiate;
use yihao::types::{Codec, Direction};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn lex_and_index(bencher: Bencher<'_, '_>) {
    let bytes = sample::invite();
    bencher.counter(ItemsCount::new(1u32)).bench(|| Message::parse(black_box(bytes.clone())));
}

#[divan::bench]
fn lex_typed_and_respond(bencher: Bencher<'_, '_>) {
    let bytes = sample::invite();
    let ours = NameAddr::new(Uri::parse("sip:12345@10.20.30.40:5060").expect("is a URI"));
    bencher.counter(ItemsCount::new(1u32)).bench(|| {
        let message = Message::parse(black_box(bytes.clone())).expect("is a message");
        let contact = message.contact().expect("is an address");
        black_box((message.top_via(), message.from(), message.to(), message.cseq(), contact));
        ResponseBuilder::to_request(&message, 180, "", Some("9a7d11")).header(HeaderName::Contact, &ours).build()
    });
}

#[divan::bench]
fn answer_an_offer(bencher: Bencher<'_, '_>) {
    let message = Message::parse(sample::invite()).expect("is a message");
    let local = negotiate::LocalMedia {
        address: "10.20.30.40".parse().expect("is an address"),
        port: 20_000,
        session: 1,
        version: 1,
        codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
        comfort_noise: false,
        protection: negotiate::Protection::Plain,
        direction: Direction::SendRecv,
        may_latch: false,
    };
    bencher.counter(ItemsCount::new(1u32)).bench(|| negotiate::answer(black_box(message.body()), &local));
}
