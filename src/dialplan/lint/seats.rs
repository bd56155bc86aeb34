//! Queues whose callers nobody could ever serve.

use std::collections::BTreeSet;

use super::{Part, Problem};
use crate::dialplan::{OverflowTo, OverflowWhen, Plan, Queue};
use crate::types::{Level, QueueId};

pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let ids = (0..plan.queues.len()).filter_map(|index| u16::try_from(index).ok()).map(QueueId);
    let unserved = |id: &QueueId| !is_served(plan, *id, &mut BTreeSet::new());
    ids.filter(unserved).filter_map(|id| Some(problem(id, plan.queue(id)?, plan))).collect()
}

/// Whether some seat can serve a caller of the queue in the end: its own, one that helps out, or one behind an overflow that
/// certainly comes.
fn is_served(plan: &Plan, id: QueueId, seen: &mut BTreeSet<QueueId>) -> bool {
    let Some(queue) = plan.queue(id) else { return false };
    if !seen.insert(id) {
        return false;
    }
    has_seats(plan, queue)
        || queue.overflow.iter().any(|rule| match (rule.when, rule.to) {
            (OverflowWhen::Waited(_) | OverflowWhen::NoSeats, OverflowTo::Queue(to)) => is_served(plan, to, seen),
            (OverflowWhen::Waited(_) | OverflowWhen::NoSeats, OverflowTo::Destination(_)) => true,
            (OverflowWhen::Waited(_) | OverflowWhen::NoSeats, OverflowTo::Message)
            | (OverflowWhen::Waiting(_) | OverflowWhen::Expected(_), _) => false,
        })
}

fn has_seats(plan: &Plan, queue: &Queue) -> bool {
    let lowest = queue.widen.iter().filter_map(|step| step.level).chain([queue.level]).min();
    let helpers = queue.widen.iter().flat_map(|step| &step.skills);
    let helping_queues = queue.widen.iter().flat_map(|step| &step.queues).filter_map(|id| plan.queue(*id));
    somebody_has(plan, &queue.name, &queue.skill, lowest.unwrap_or(queue.level))
        || helpers.into_iter().any(|skill| somebody_has(plan, &queue.name, skill, Level::LOWEST))
        || helping_queues.into_iter().any(|other| somebody_has(plan, &other.name, &other.skill, other.level))
}

/// Whether a seat lends the skill, or a planned agent has it who serves the queue.
fn somebody_has(plan: &Plan, queue: &str, skill: &str, level: Level) -> bool {
    let lent = |has: &(String, Level)| has.0 == skill && has.1 >= level;
    plan.seats.values().any(|seat| seat.skills.iter().any(lent))
        || plan.agents.values().any(|planned| {
            let agent = &planned.agent;
            let serves = agent.queues.is_empty() || agent.queues.iter().any(|name| name == queue);
            serves && agent.skills.get(skill).is_some_and(|has| *has >= level)
        })
}

fn problem(id: QueueId, queue: &Queue, plan: &Plan) -> Problem {
    let (name, skill) = (&queue.name, &queue.skill);
    let what = match somebody_has(plan, name, skill, Level::LOWEST) {
        true => {
            format!("no seat has level {} of the skill {skill:?}, which the queue {name:?} asks", queue.level.get())
        }
        false => format!("no seat has the skill {skill:?} of the queue {name:?}"),
    };
    let hint =
        format!("give at least one seat skills = [{skill:?}], or the queue an overflow: no_seats = true, to = ...");
    Problem::warning(Part::Queue(id), format!("{what}: its callers would wait in vain"), &hint)
}
