//! Stories of the endpoint in virtual time: parties speak SIP by hand, the rig stands in for the core and the media engine.
//!
//! Each story ends with `Rig::finish`: every leg has had its last word once, and nothing of any call is left.

mod carrier_audio;
mod dialled_seat;
mod dialled_trunk;
mod early_media;
mod errands;
mod in_dialog;
mod incoming;
mod lost_callers;
mod lost_ways;
mod party;
mod plans;
mod protection;
mod refer;
mod refused;
mod registering;
mod rig;
mod session_timers;
