//! One INVITE of ours, several dialogs: provisional responses and 2xx from every branch behind a forking proxy
//! (RFC 3261 12.1, 13.2.2.4).
//!
//! Sorts responses by their To tag. Which dialog is wanted is decided by the user; the first 2xx wins here.

use std::collections::BTreeMap;

use crate::sip::message::Message;

use super::{Dialog, DialogError, Phase};

/// Early dialogs that one INVITE may have; answers may make as many again. A hunt group of a carrier has a handful; more is
/// an attack or a loop.
const MOST_DIALOGS: usize = 16;

/// The dialogs of one INVITE of ours, by the far end's tag.
#[derive(Clone, Debug)]
pub struct Forks {
    invite: Message,
    dialogs: BTreeMap<Box<str>, Dialog>,
    winner: Option<Box<str>>,
}

/// What a response means. Dialogs are read by [`Forks::dialog`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fork {
    /// 100, or a provisional response without tag: no dialog.
    Trying,
    /// A provisional response of an early dialog.
    Early {
        /// The far end's tag.
        tag: Box<str>,
        /// Whether it is the first of its dialog.
        new: bool,
    },
    /// The first 2xx: the call is answered. It gets its ACK.
    Won {
        /// The far end's tag.
        tag: Box<str>,
    },
    /// The winner's 2xx again: its ACK goes out again.
    Again,
    /// A 2xx of another branch. It gets ACK and BYE; when it has come before, the ACK again.
    Late {
        /// The far end's tag.
        tag: Box<str>,
        /// Whether it is the first of its dialog.
        new: bool,
    },
    /// A refusal: every branch has ended, unless one has won before.
    Refused,
}

/// Why a response cannot be sorted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// It makes no dialog.
    #[error(transparent)]
    Dialog(#[from] DialogError),
    /// There are too many dialogs already.
    #[error("too many branches answer one INVITE")]
    TooMany,
}

impl Forks {
    /// For an INVITE that has been sent, read back.
    pub fn new(invite: Message) -> Forks {
        Forks { invite, dialogs: BTreeMap::new(), winner: None }
    }

    /// Sorts a response to the INVITE, and makes or confirms its dialog.
    ///
    /// # Errors
    /// [`ForkError`]: a provisional response is then dropped. For a 2xx the call fails, since it cannot be acknowledged.
    pub fn on_response(&mut self, response: &Message) -> Result<Fork, ForkError> {
        let status = response.status().unwrap_or(0);
        if status >= 300 {
            return Ok(Fork::Refused);
        }
        let is_success = status >= 200;
        if !is_success && (status == 100 || response.to_tag().is_none()) {
            return Ok(Fork::Trying);
        }
        let tag: Box<str> = response.to_tag().unwrap_or("").into();
        if !is_success {
            let new = self.know(&tag, response)?;
            return Ok(Fork::Early { tag, new });
        }
        if self.winner.as_ref() == Some(&tag) {
            return Ok(Fork::Again);
        }
        let seen_before = self.dialogs.get(&tag).is_some_and(|dialog| dialog.phase() == Phase::Confirmed);
        self.know(&tag, response)?;
        let dialog = self.dialogs.get_mut(&tag).expect("it is known now");
        dialog.confirm_by(response)?;
        if self.winner.is_none() {
            self.winner = Some(tag.clone());
            return Ok(Fork::Won { tag });
        }
        Ok(Fork::Late { tag, new: !seen_before })
    }

    /// Makes the dialog unless it is there; says whether it is new.
    fn know(&mut self, tag: &str, response: &Message) -> Result<bool, ForkError> {
        if self.dialogs.contains_key(tag) {
            return Ok(false);
        }
        let is_success = response.status().is_some_and(|status| status >= 200);
        if self.dialogs.len() >= if is_success { 2 * MOST_DIALOGS } else { MOST_DIALOGS } {
            return Err(ForkError::TooMany);
        }
        self.dialogs.insert(tag.into(), Dialog::caller(&self.invite, response)?);
        Ok(true)
    }

    /// The INVITE.
    pub fn invite(&self) -> &Message {
        &self.invite
    }

    /// The dialog with this tag of the far end.
    pub fn dialog(&self, tag: &str) -> Option<&Dialog> {
        self.dialogs.get(tag)
    }

    /// The dialog with this tag of the far end.
    pub fn dialog_mut(&mut self, tag: &str) -> Option<&mut Dialog> {
        self.dialogs.get_mut(tag)
    }

    /// The dialog that was answered first.
    pub fn winner(&self) -> Option<&Dialog> {
        self.winner.as_ref().and_then(|tag| self.dialogs.get(tag))
    }

    /// All dialogs in the order of their tags.
    pub fn dialogs(&self) -> impl Iterator<Item = &Dialog> {
        self.dialogs.values()
    }
}
