//! One INVITE, several branches.

use super::super::forks::{Fork, ForkError, Forks};
use super::*;

fn forks() -> Forks {
    Forks::new(invite(""))
}

fn early(tag: &str, new: bool) -> Result<Fork, ForkError> {
    Ok(Fork::Early { tag: tag.into(), new })
}

#[test]
fn each_branch_that_rings_is_an_early_dialog() {
    let mut forks = forks();
    assert_eq!(forks.on_response(&response(100, "", "")), Ok(Fork::Trying));
    assert_eq!(forks.on_response(&response(180, "", "")), Ok(Fork::Trying), "no tag, no dialog");
    assert_eq!(forks.on_response(&response(180, ";tag=a", "")), early("a", true));
    assert_eq!(forks.on_response(&response(183, ";tag=b", "")), early("b", true));
    assert_eq!(forks.on_response(&response(180, ";tag=a", "")), early("a", false));
    assert_eq!(forks.dialogs().count(), 2);
    assert!(forks.winner().is_none());
}

#[test]
fn the_first_2xx_wins_and_the_others_are_to_be_ended() {
    let mut forks = forks();
    forks.on_response(&response(180, ";tag=a", "")).unwrap();
    let a = || response(200, ";tag=a", "Contact: <sip:a@192.0.2.30>\r\n");
    let b = || response(200, ";tag=b", "Contact: <sip:b@192.0.2.31>\r\n");
    assert_eq!(forks.on_response(&b()), Ok(Fork::Won { tag: "b".into() }));
    assert_eq!(forks.on_response(&b()), Ok(Fork::Again));
    assert_eq!(forks.on_response(&a()), Ok(Fork::Late { tag: "a".into(), new: true }));
    assert_eq!(forks.on_response(&a()), Ok(Fork::Late { tag: "a".into(), new: false }));
    assert_eq!(forks.winner().unwrap().remote_target().as_str(), "sip:b@192.0.2.31");
    assert_eq!(forks.dialog("a").unwrap().remote_target().as_str(), "sip:a@192.0.2.30");
    let bye = written(forks.dialog_mut("a").unwrap(), Method::Bye);
    assert_eq!((bye.to_tag(), bye.cseq_number()), (Some("a"), 8));
}

#[test]
fn a_refusal_ends_the_invite() {
    assert_eq!(forks().on_response(&response(486, ";tag=a", "")), Ok(Fork::Refused));
}

#[test]
fn the_number_of_dialogs_is_bounded_yet_an_answer_still_wins() {
    let mut forks = forks();
    for n in 0..16 {
        assert!(forks.on_response(&response(180, &format!(";tag={n}"), "")).is_ok());
    }
    assert_eq!(forks.on_response(&response(180, ";tag=x", "")), Err(ForkError::TooMany));
    assert_eq!(forks.on_response(&response(200, ";tag=y", "")), Ok(Fork::Won { tag: "y".into() }));
}
