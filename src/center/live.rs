//! One live call: its legs, its way through the plan, and the one place where it is.

use std::sync::Arc;
use std::time::Duration;

use super::way_out::{Attempt, WayOut};
use crate::acd::Ticket;
use crate::call::{Call, Phase, Scene};
use crate::dialplan::{Overflow, OverflowTo, Plan, Queue, feature};
use crate::seat::WrapUpRule;
use crate::types::{
    CallId, Calling, Cause, DestinationId, Fate, LegId, LineNumber, Mono, OfferId, Origin, PhoneNumber, PromptName,
    QueueId, RunId, SeatId, Source, SuperviseHow, TransferHow, Wall, WishKind, Word,
};

/// A live call.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) call: Call,
    pub(super) place: Place,
    /// Its way through a queue, now or when nobody outside answers; a feature code or a refused call has none.
    pub(super) way: Option<Way>,
    /// Where it goes on outside when all notices are said.
    pub(super) outside: Option<Attempt>,
    pub(super) origin: Origin,
    pub(super) called: LineNumber,
    pub(super) calling: Calling,
    pub(super) arrived_wall: Wall,
    /// Since when it is in this place.
    pub(super) since: Mono,
    pub(super) recording: bool,
    /// Whom the seat calls that placed it.
    pub(super) to: Option<PhoneNumber>,
    /// The earlier call that it belongs to.
    pub(super) linked: Option<CallId>,
    /// Everybody in it is being told that it will end.
    pub(super) notice: Option<RunId>,
    /// The seat that has answered the caller first.
    pub(super) answered: Option<SeatId>,
    /// An emergency service is in it, or rung: nothing of ours ends it.
    pub(super) emergency: bool,
    /// What the agent's phone keys for the exchange, after a star.
    pub(super) keys: Option<String>,
    /// Rows about keys and holds so far: a bounded number, so that a held-down key cannot fill the ledger.
    pub(super) notes: u16,
}

/// Where a call is. One enum: a call cannot wait and talk at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The caller hears notices and the greeting of the line, each whole.
    Greeting(Saying),
    /// In its queue, hearing music.
    Waiting,
    /// In its queue, hearing where it stands. Cut the moment a seat is free.
    Announcing(Saying),
    /// Out of its queue: seats are rung for it, each under a lease of its own, and the first to answer wins. The caller goes
    /// on to hear the queue's music.
    Offered(Vec<Offer>),
    /// The seat has answered; our answer to the caller is not confirmed yet.
    Joining(Party),
    /// Caller and seat talk, perhaps with a third.
    Talking(Talk),
    /// The caller has left a talk of three; the seat and the third go on.
    CallerLeft(Talk),
    /// Somebody outside is rung for the caller, who hears the ringing tone.
    Reaching(Attempt),
    /// Caller and somebody outside talk.
    Outside(Through),
    /// The caller is told that nobody can come.
    Overflowing {
        /// This playing of the prompt.
        run: RunId,
    },
    /// The caller has left the queue for a wish and hears its prompt.
    Wishing {
        /// This playing of the prompt.
        run: RunId,
        /// What the wish is.
        kind: WishKind,
    },
    /// The caller speaks a message, which is recorded.
    Message,
    /// A seat places the call and its own phone is rung first.
    Summoning(Outing),
    /// The party whom the seat calls is rung; the seat hears the ringing tone.
    Calling(Outing),
    /// The seat and its party talk.
    Called(Outing),
    /// A seat's phone hears what its feature code did, or why its call has come to nothing, a caller that a number is served
    /// no more, or that nobody answers; then the call ends.
    Telling(Sentence),
    /// Its fate is decided; legs that we hung up have not said their last word.
    Ending {
        /// What the row of its end will say; `None` when that is written.
        fate: Option<Fate>,
    },
}

/// A call that a seat places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outing {
    /// The seat that places it.
    pub(super) from: Party,
    /// Whom it calls.
    pub(super) whom: Whom,
    /// The leg that is called now.
    pub(super) to: Option<LegId>,
    /// Heard while somebody holds.
    pub(super) music: PromptName,
}

/// The talk of a caller with a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Talk {
    pub(super) party: Party,
    /// The third whom the agent brings in.
    pub(super) guest: Option<Box<Guest>>,
    /// The supervisor who is in it, or rung.
    pub(super) supervisor: Option<Supervisor>,
}

/// A supervisor in a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Supervisor {
    pub(super) party: Party,
    pub(super) how: SuperviseHow,
    /// Whether the phone has answered.
    pub(super) here: bool,
}

impl Talk {
    /// Of two.
    pub(super) fn of(party: Party) -> Self {
        Self { party, guest: None, supervisor: None }
    }
}

/// A third in a talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    /// How it comes in; after a consultation [`TransferHow::Conference`].
    pub(super) how: TransferHow,
    pub(super) at: GuestAt,
    /// Name or number, for the records.
    pub(super) name: String,
}

/// How far a third has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GuestAt {
    /// Is rung, way after way.
    Rung(Attempt),
    /// Has answered on this leg.
    Here(LegId),
}

impl Guest {
    /// Its leg, rung or answered.
    pub(super) fn leg(&self) -> Option<LegId> {
        match &self.at {
            GuestAt::Rung(attempt) => attempt.leg,
            GuestAt::Here(leg) => Some(*leg),
        }
    }
}

/// Whom a caller has reached outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Through {
    pub(super) leg: LegId,
    /// Name of the place.
    pub(super) destination: String,
    /// Heard while somebody holds.
    pub(super) music: PromptName,
}

/// The party whom a seat calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Another seat.
    Seat(SeatId),
    /// A number of the network, over one of these ways that were not tried yet, the next one first.
    Over(Vec<WayOut>),
}

/// What is heard before the call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    /// This playing of the prompt.
    pub(super) run: RunId,
    pub(super) prompt: PromptName,
    /// With which the call ends.
    pub(super) fate: Fate,
    /// For which whoever hears it is hung up.
    pub(super) cause: Cause,
}

/// Several prompts, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saying {
    /// The playing of the one that is heard.
    pub(super) run: RunId,
    pub(super) name: PromptName,
    /// Those that follow, the next one last.
    pub(super) rest: Vec<PromptName>,
}

/// The lease of an offer; its deadline is the place's timer, one for all offers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) id: OfferId,
    pub(super) seat: SeatId,
    pub(super) leg: LegId,
}

/// The seat that has a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Party {
    pub(super) seat: SeatId,
    pub(super) leg: LegId,
}

impl Place {
    /// The seat and the leg that have this call.
    pub(super) fn party(&self) -> Option<Party> {
        match self {
            Place::Joining(party) => Some(*party),
            Place::Talking(talk) | Place::CallerLeft(talk) => Some(talk.party),
            Place::Greeting(_)
            | Place::Waiting
            | Place::Announcing(_)
            | Place::Wishing { .. }
            | Place::Message
            | Place::Offered(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Overflowing { .. }
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Telling(_)
            | Place::Ending { .. } => None,
        }
    }

    /// The offers that are open.
    pub(super) fn offers(&self) -> &[Offer] {
        match self {
            Place::Offered(offers) => offers,
            Place::Greeting(_)
            | Place::Waiting
            | Place::Announcing(_)
            | Place::Wishing { .. }
            | Place::Message
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Overflowing { .. }
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Telling(_)
            | Place::Ending { .. } => &[],
        }
    }

    /// The third in a talk, rung or answered.
    pub(super) fn guest(&self) -> Option<&Guest> {
        if let Place::Talking(talk) | Place::CallerLeft(talk) = self { talk.guest.as_deref() } else { None }
    }

    /// The supervisor in a talk.
    pub(super) fn supervisor(&self) -> Option<Supervisor> {
        if let Place::Talking(talk) = self { talk.supervisor } else { None }
    }

    /// What is placed by a seat.
    pub(super) fn outing(&self) -> Option<&Outing> {
        match self {
            Place::Summoning(outing) | Place::Calling(outing) | Place::Called(outing) => Some(outing),
            Place::Greeting(_)
            | Place::Waiting
            | Place::Announcing(_)
            | Place::Wishing { .. }
            | Place::Message
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Overflowing { .. }
            | Place::Telling(_)
            | Place::Ending { .. } => None,
        }
    }

    /// Who is being reached outside for the caller.
    pub(super) fn reaching(&self) -> Option<&Attempt> {
        if let Place::Reaching(attempt) = self { Some(attempt) } else { None }
    }

    /// Whom the caller has reached outside.
    pub(super) fn through(&self) -> Option<&Through> {
        if let Place::Outside(through) = self { Some(through) } else { None }
    }

    /// Whether the place has a deadline.
    pub(super) fn is_leased(&self) -> bool {
        match self {
            Place::Greeting(_)
            | Place::Announcing(_)
            | Place::Wishing { .. }
            | Place::Message
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Reaching(_)
            | Place::Overflowing { .. }
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Telling(_) => true,
            Place::Waiting
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Outside(_)
            | Place::Called(_)
            | Place::Ending { .. } => false,
        }
    }
}

/// A call's way through a queue, by the plan that counted when it arrived.
#[derive(Debug)]
pub(super) struct Way {
    plan: Arc<Plan>,
    /// Index in that plan.
    planned: QueueId,
    /// Our own id of the queue.
    pub(super) queue: QueueId,
    /// Queues that the call has left, by their index in that plan: it never goes back.
    left: Vec<QueueId>,
    pub(super) ticket: Ticket,
    /// Since when it waits, in whichever queue; offers count as waiting.
    pub(super) waiting_since: Option<Mono>,
    /// Since when it is in this queue.
    pub(super) joined: Mono,
    /// The seat that knows the caller.
    pub(super) prefer: Option<SeatId>,
    /// What the caller lists say of the caller.
    pub(super) mark: Option<Word>,
    /// Places outside to which rules have sent the call: none is tried twice.
    tried: Vec<DestinationId>,
    /// The old desk, which rings beside the seats; `None` when there is none, or it has come to nothing.
    pub(super) desk: Option<Attempt>,
    /// It waits in this queue, or has left it for an offer or a place outside and comes back.
    pub(super) queued: bool,
    /// The longest waiting is over: no new offer.
    pub(super) too_long: bool,
}

impl Way {
    pub(super) fn new(plan: Arc<Plan>, (planned, queue): (QueueId, QueueId), ticket: Ticket) -> Self {
        Self {
            plan,
            planned,
            queue,
            left: Vec::new(),
            ticket,
            waiting_since: None,
            joined: ticket.since(),
            prefer: None,
            mark: None,
            tried: Vec::new(),
            desk: None,
            queued: false,
            too_long: false,
        }
    }

    /// Another queue of the same plan; `queue` is our own id of it.
    pub(super) fn move_on(&mut self, planned: QueueId, queue: QueueId) {
        self.left.push(std::mem::replace(&mut self.planned, planned));
        self.queue = queue;
        self.too_long = false;
        self.queued = false;
    }

    /// Sends the call to a place outside.
    pub(super) fn leave_for(&mut self, to: DestinationId, line: &LineNumber) -> Option<Attempt> {
        self.tried.push(to);
        Some(Attempt::new(&self.plan, self.plan.destination(to)?, line))
    }

    /// Where the call may go by the rules of its queue: not back to where it was, and to no place outside twice.
    pub(super) fn overflows(&self) -> impl Iterator<Item = Overflow> + '_ {
        let rules = self.planned().overflow.iter().copied();
        rules.filter(|rule| match rule.to {
            OverflowTo::Queue(to) => to != self.planned && !self.left.contains(&to),
            OverflowTo::Message => true,
            OverflowTo::Destination(to) => !self.tried.contains(&to),
        })
    }

    /// The call comes back to its queue before all others.
    pub(super) fn come_first(&mut self, now: Mono, ticket: Ticket) {
        (self.ticket, self.joined, self.too_long, self.queued) = (ticket, now, false, true);
        self.desk = None;
    }

    /// A queue of the call's plan by its name.
    pub(super) fn queue_named(&self, name: &str) -> Option<QueueId> {
        let place = self.plan.queues.iter().position(|queue| queue.name == name)?;
        u16::try_from(place).ok().map(QueueId)
    }

    /// Name of a queue of the call's plan.
    pub(super) fn name_of(&self, planned: QueueId) -> String {
        self.plan.queue(planned).map(|queue| queue.name.clone()).unwrap_or_default()
    }

    /// How the seat wraps up after this call.
    pub(super) fn wrap_up(&self) -> WrapUpRule {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let queue = self.planned();
        WrapUpRule {
            time: ms(queue.wrap_up_ms),
            more: ms(queue.wrap_up_more_ms),
            most: ms(queue.wrap_up_most_ms),
            result: queue.result,
        }
    }

    /// The queue as the call's plan describes it.
    pub(super) fn planned(&self) -> &Queue {
        &self.plan.queues[usize::from(self.planned.0)]
    }
}

impl Live {
    /// What the legs hear in this place; `None` when nobody is to hear anything any more.
    pub(super) fn scene(&self) -> Option<Scene> {
        let music = || {
            let queue = self.way.as_ref()?.planned();
            Some(Source::Music { name: queue.music.clone() })
        };
        let prompt = |name: &PromptName, run: RunId| Scene::Apart(Source::Prompt { name: name.clone(), run });
        if let Some(run) = self.notice.filter(|_| !matches!(self.place, Place::Ending { .. })) {
            return Some(prompt(&PromptName::new(feature::ENDING), run));
        }
        match &self.place {
            Place::Waiting | Place::Offered(_) => music().map(Scene::Apart),
            Place::Greeting(saying) | Place::Announcing(saying) => Some(prompt(&saying.name, saying.run)),
            Place::Wishing { run, .. } => Some(prompt(&self.way.as_ref()?.planned().wish.as_ref()?.done, *run)),
            Place::Message => Some(Scene::Silent),
            Place::Joining(_) | Place::Talking(_) | Place::CallerLeft(_) => {
                let on_hold = music()?;
                // An agent who consults has nobody to talk with until the third answers.
                let alone = match self.place.guest() {
                    Some(Guest { how: TransferHow::Consult, at: GuestAt::Rung(attempt), .. }) => {
                        self.ringing(attempt.leg)
                    }
                    Some(_) | None => on_hold.clone(),
                };
                Some(Scene::Together { on_hold, alone })
            }
            Place::Overflowing { run } => Some(prompt(&self.way.as_ref()?.planned().overflow_prompt, *run)),
            Place::Reaching(Attempt { leg, .. }) | Place::Calling(Outing { to: leg, .. }) => {
                Some(Scene::Apart(self.ringing(*leg)))
            }
            Place::Summoning(_) => Some(Scene::Apart(Source::Ringback)),
            Place::Outside(Through { music, .. }) | Place::Called(Outing { music, .. }) => {
                let on_hold = Source::Music { name: music.clone() };
                Some(Scene::Together { alone: on_hold.clone(), on_hold })
            }
            Place::Telling(sentence) => Some(prompt(&sentence.prompt, sentence.run)),
            Place::Ending { .. } => None,
        }
    }

    /// What is heard while a leg is rung: what its own network lets us hear, or our ringing tone (the policy of RFC 3960 3.2).
    fn ringing(&self, leg: Option<LegId>) -> Source {
        let heard = leg.filter(|leg| self.call.leg(*leg).is_some_and(|leg| leg.phase == Phase::Heard));
        heard.map_or(Source::Ringback, |leg| Source::Leg { leg, gain_db: 0 })
    }

    /// Moves the call; gives the new set of who hears what, if it changed.
    pub(super) fn go(&mut self, now: Mono, place: Place) -> Option<Vec<crate::types::Hear>> {
        self.place = place;
        self.since = now;
        self.sound()
    }

    /// Whether it is a citizen's: it lasts until that leg is gone.
    pub(super) fn is_callers(&self) -> bool {
        matches!(self.origin, Origin::Trunk(_))
    }

    /// Whether its time in the queue is not over.
    pub(super) fn may_wait(&self) -> bool {
        self.way.as_ref().is_some_and(|way| !way.too_long)
    }

    /// Whether the row of its end is written: nothing but last words and figures follows.
    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Ending { fate: None }
    }

    /// The set of who hears what, if it changed.
    pub(super) fn sound(&mut self) -> Option<Vec<crate::types::Hear>> {
        let scene = self.scene()?;
        self.call.hear(&scene)
    }
}

/// Heard while somebody holds in a call that is in no queue.
pub(super) fn music_on_hold(plan: &Plan) -> PromptName {
    plan.queues.first().map_or_else(|| PromptName::new("music/waiting"), |queue| queue.music.clone())
}
