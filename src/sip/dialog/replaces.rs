//! An INVITE that takes the place of another dialog (RFC 3891).
//!
//! Says whether it may; acting on it is the call's affair.

use crate::sip::message::Replaces;

use super::{Dialog, DialogId, Phase, Role};

/// Why an INVITE with Replaces is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplacesRefusal {
    /// No dialog matches: 481.
    #[error("no such dialog")]
    NoDialog,
    /// The dialog is early and it was the far end that called: nobody may take a call from one who is being rung: 481.
    #[error("the dialog is early and not ours")]
    EarlyAndNotOurs,
    /// `early-only`, and the call has been answered: 486.
    #[error("the dialog is confirmed")]
    Answered,
    /// The dialog is being ended: 603.
    #[error("the dialog has ended")]
    Ended,
}

impl ReplacesRefusal {
    /// The status that says so (RFC 3891 3).
    pub fn status(self) -> u16 {
        match self {
            ReplacesRefusal::NoDialog | ReplacesRefusal::EarlyAndNotOurs => 481,
            ReplacesRefusal::Answered => 486,
            ReplacesRefusal::Ended => 603,
        }
    }
}

/// The dialog that is meant, seen from us: its to-tag is ours.
pub fn target(replaces: &Replaces) -> DialogId {
    DialogId::new(&replaces.call_id, &replaces.to_tag, &replaces.from_tag)
}

/// Whether the dialog found under [`target`] may be replaced. `ended` says that its BYE is out or has come. That the sender
/// may do this at all is checked before (RFC 3891 7).
///
/// # Errors
/// [`ReplacesRefusal`], with its status.
pub fn judge(replaces: &Replaces, dialog: Option<&Dialog>, ended: bool) -> Result<(), ReplacesRefusal> {
    let dialog = dialog.filter(|dialog| *dialog.id() == target(replaces)).ok_or(ReplacesRefusal::NoDialog)?;
    if ended {
        return Err(ReplacesRefusal::Ended);
    }
    match (dialog.phase(), dialog.role()) {
        (Phase::Confirmed, _) if replaces.early_only => Err(ReplacesRefusal::Answered),
        (Phase::Early, Role::Callee) => Err(ReplacesRefusal::EarlyAndNotOurs),
        (Phase::Confirmed, _) | (Phase::Early, Role::Caller) => Ok(()),
    }
}
