//! One test binary, so that the library is linked once: seeded worlds, the torture messages, the real binary end to end.

mod corpora;
mod e2e;
mod sim;
mod torture;
