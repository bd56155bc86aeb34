//! Seeded worlds in virtual time. A failing seed prints the end of its log; the same seed gives the same log.

mod center_world;
mod city;
pub(crate) mod dice;
mod ear;
mod model;
mod parties;
mod sip;
mod sip_world;
mod transfer_world;
mod trunk_world;
