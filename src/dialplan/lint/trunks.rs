//! Trunks that cannot carry what the plan sends over them, and numbers that they show for us.

use super::{Part, Problem};
use crate::dialplan::{CallerPolicy, Plan, Trunk};
use crate::types::LineNumber;

pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let mut found: Vec<Problem> = plan.trunks.iter().filter_map(without_capacity).collect();
    found.extend(branches_out_of_reach(plan));
    found.extend(foreign_numbers(plan));
    found
}

/// Without a bound one carrier's flood takes all the calls of the exchange.
fn without_capacity(trunk: &Trunk) -> Option<Problem> {
    let message = format!("the trunk {:?} has no capacity: nothing bounds its calls", trunk.name);
    let problem = Problem::warning(Part::Trunk(trunk.name.clone()), message, "max_calls = the channels of its sheet");
    trunk.max_calls.is_none().then_some(problem)
}

fn branches_out_of_reach(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, branch) in plan.branches.iter().enumerate() {
        let Some(trunk) = plan.trunks.iter().find(|trunk| trunk.name == branch.trunk) else { continue };
        if trunk.sources.is_empty() && trunk.tls_identity.is_none() && trunk.register.is_none() {
            let message =
                format!("no call can come in on the trunk {:?}, by which the branch knows its calls", trunk.name);
            let hint = "give the trunk sources = [\"10.0.0.0/24\"], tls_identity or [trunk.register]";
            found.push(Problem::error(Part::Branch(index), message, hint));
        }
    }
    found
}

/// Numbers that trunks show for us must be lines: carriers drop calls from numbers that are not the customer's.
fn foreign_numbers(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for trunk in plan.trunks.iter().filter(|trunk| trunk.address.is_some() && !plan.lines.is_empty()) {
        for number in shown_numbers(&trunk.caller_policy).into_iter().filter(|number| plan.line(number).is_none()) {
            let message = format!("the trunk {:?} shows {number}, which is no line of this plan", trunk.name);
            let hint = "the carrier may refuse calls from a number that is not yours";
            found.push(Problem::warning(Part::Trunk(trunk.name.clone()), message, hint));
        }
    }
    found
}

/// Numbers of ours that a policy shows.
pub(super) fn shown_numbers(policy: &CallerPolicy) -> Vec<&LineNumber> {
    match policy {
        CallerPolicy::Own(own) => vec![own],
        CallerPolicy::Callers { diversion } => vec![diversion],
        CallerPolicy::Mapped { by_line, own } => by_line.values().chain([own]).collect(),
    }
}
