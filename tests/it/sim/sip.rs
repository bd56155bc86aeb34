//! What a world around the whole exchange is made of: the site, a network that loses and doubles, peers that speak SIP on
//! their own, a media engine that obeys, and watchers that believe nobody.

pub(crate) mod books;
pub(crate) mod engine;
pub(crate) mod forger;
pub(crate) mod in_dialog;
pub(crate) mod net;
pub(crate) mod peer;
pub(crate) mod phone;
pub(crate) mod script;
pub(crate) mod seam;
pub(crate) mod site;
pub(crate) mod wires;
pub(crate) mod words;
