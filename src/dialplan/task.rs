//! The ledger of merging (台账): what the merge document asks of each line and by when, and how far its phases have come.
//!
//! Deadlines are data of the plan file; states and dates follow from the phases. Reads no clock.

use jiff::civil::{Date, Time};

use super::{Lifecycle, Line, Mode, Plan, words};
use crate::types::Wall;

/// What the plan file says of a line's task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The mode that the document asks for, where the last phase does not say it.
    pub mode: Option<Mode>,
    /// The last day by which its calls come to us, or go where they shall.
    pub deadline: Option<Date>,
    /// The last day by which the number is cancelled.
    pub cancel_by: Option<Date>,
}

words! {
    /// How far a line has come.
    TaskState {
        /// Not begun.
        Planned = "planned", "待归并";
        /// Its calls come here.
        Integrating = "integrating", "整合中";
        /// Its callers hear that the number will end.
        Transition = "transition", "过渡期";
        /// It is as the document wants it.
        Done = "done", "已完成";
        /// The number is dead.
        Cancelled = "cancelled", "已注销";
    }
}

words! {
    /// What is asked by a day.
    Duty {
        /// That it is merged.
        Merge = "merge", "归并";
        /// That its number is cancelled.
        Cancel = "cancel", "销号";
    }
}

/// A line's task at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView<'p> {
    /// The line, with its responsible unit.
    pub line: &'p Line,
    /// The mode that is asked for.
    pub mode: Mode,
    /// How far it is.
    pub state: TaskState,
    /// The last day for merging it.
    pub deadline: Option<Date>,
    /// The last day for cancelling its number.
    pub cancel_by: Option<Date>,
    /// Since when, or from when on, it is merged; `None`: by no phase.
    pub merged: Option<Wall>,
    /// Since when, or from when on, its number is cancelled.
    pub cancelled: Option<Wall>,
    /// What should be done by now and is not.
    pub overdue: Vec<Duty>,
}

impl Plan {
    /// The tasks of all lines but those that are nothing else than 12345 itself, in the order of their numbers.
    pub fn tasks(&self, now: Wall) -> Vec<TaskView<'_>> {
        let merged = |line: &&Line| line.phases.iter().any(|phase| phase.mode != Mode::Hotline);
        self.lines.values().filter(merged).map(|line| self.task(line, now)).collect()
    }

    fn task<'p>(&'p self, line: &'p Line, now: Wall) -> TaskView<'p> {
        let said = self.tasks.get(&line.number).copied().unwrap_or_default();
        let overdue = self.duties(line).filter(|duty| duty.too_late <= now && duty.done.is_none_or(|done| done > now));
        TaskView {
            mode: said.mode.unwrap_or_else(|| line.aim()),
            state: state(line.phase_at(now).map(|phase| phase.attributes.lifecycle)),
            deadline: said.deadline,
            cancel_by: said.cancel_by,
            merged: line.merged(),
            cancelled: line.cancelled(),
            overdue: overdue.map(|duty| duty.what).collect(),
            line,
        }
    }

    /// What is asked of a line by a day, and when its phases do it.
    pub(super) fn duties(&self, line: &Line) -> impl Iterator<Item = DueDuty> {
        let said = self.tasks.get(&line.number).copied().unwrap_or_default();
        let duties = [(Duty::Merge, said.deadline, line.merged()), (Duty::Cancel, said.cancel_by, line.cancelled())];
        duties.into_iter().filter_map(|(what, by, done)| {
            let too_late = self.clocks.moment(by?.tomorrow().ok()?.to_datetime(Time::midnight()))?;
            Some(DueDuty { what, by: by?, too_late, done })
        })
    }
}

/// A duty with its day.
pub(super) struct DueDuty {
    pub(super) what: Duty,
    pub(super) by: Date,
    /// The first moment after that day.
    pub(super) too_late: Wall,
    /// When a phase does it.
    pub(super) done: Option<Wall>,
}

impl Line {
    /// The mode of its last phase before the number dies.
    fn aim(&self) -> Mode {
        let alive = self.phases.iter().rev().map(|phase| phase.mode).find(|mode| *mode != Mode::Cancelled);
        alive.unwrap_or(Mode::Cancelled)
    }

    fn merged(&self) -> Option<Wall> {
        self.phases.iter().find(|phase| phase.attributes.lifecycle != Lifecycle::Planned).map(|phase| phase.from)
    }

    fn cancelled(&self) -> Option<Wall> {
        self.phases.iter().find(|phase| phase.attributes.lifecycle == Lifecycle::Cancelled).map(|phase| phase.from)
    }
}

fn state(lifecycle: Option<Lifecycle>) -> TaskState {
    match lifecycle {
        None | Some(Lifecycle::Planned) => TaskState::Planned,
        Some(Lifecycle::Integrating) => TaskState::Integrating,
        Some(Lifecycle::Transition) => TaskState::Transition,
        Some(Lifecycle::InForce | Lifecycle::NotMerged) => TaskState::Done,
        Some(Lifecycle::Cancelled) => TaskState::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::file::{Outside, read};
    use crate::dialplan::report::Report;

    const MIANYANG: &str = include_str!("../../dialplans/mianyang.toml");
    const WUZHONG: &str = include_str!("../../dialplans/wuzhong.toml");

    fn checked(text: &str) -> (Option<Plan>, Report) {
        read("plan.toml", text, &Outside { prompts: &|_| true, networks: None })
    }

    fn plan(text: &str) -> Plan {
        let (plan, report) = checked(text);
        plan.unwrap_or_else(|| panic!("{report}"))
    }

    fn at(text: &str) -> Wall {
        Wall::from_china(text.parse().expect("a moment"))
    }

    /// Mode, state and what is overdue of a line at a moment.
    fn told(plan: &Plan, number: &str, moment: &str) -> String {
        let tasks = plan.tasks(at(moment));
        let task = tasks.iter().find(|task| task.line.number.as_str() == number).expect("it has a task");
        let overdue: Vec<&str> = task.overdue.iter().map(|duty| duty.shown()).collect();
        format!("{} {} {}", task.mode.shown(), task.state.shown(), overdue.join(" ")).trim_end().to_owned()
    }

    /// The days of the annexes of 绵府办函[2021]36号 and 吴政办发〔2021〕35号.
    #[test]
    fn each_line_goes_the_way_from_planned_to_done_or_cancelled() {
        let plan_of = plan(MIANYANG);
        for (number, moment, wanted) in [
            ("12336", "2021-05-30T12:00", "整体并入 待归并"),
            ("12336", "2021-05-31T00:00", "整体并入 整合中"),
            ("12336", "2021-08-01T00:00", "整体并入 已注销"),
            ("12315", "2021-10-14T23:59", "双号并行 待归并"),
            ("12315", "2021-10-15T00:00", "双号并行 已完成"),
            ("12366", "2022-01-01T00:00", "设分中心 已完成"),
        ] {
            assert_eq!(told(&plan_of, number, moment), wanted, "{number} at {moment}");
        }
        assert!(plan_of.tasks(at("2021-01-01T00:00")).iter().all(|task| task.line.number.as_str() != "12345"));
        let wuzhong = plan(WUZHONG);
        for (moment, wanted) in [
            ("2021-11-29T00:00", "整体并入 待归并"),
            ("2021-12-01T00:00", "整体并入 过渡期"),
            ("2022-03-01T00:00", "整体并入 已注销"),
        ] {
            assert_eq!(told(&wuzhong, "5189000", moment), wanted, "{moment}");
        }
        for city in [plan_of, wuzhong] {
            for moment in ["2021-01-01T00:00", "2021-11-01T00:00", "2021-12-31T23:59", "2030-01-01T00:00"] {
                assert!(city.tasks(at(moment)).iter().all(|task| task.overdue.is_empty()), "the plans keep their days");
            }
        }
    }

    #[test]
    fn what_its_phases_do_too_late_or_never_is_overdue_from_the_day_after() {
        let late = MIANYANG.replace("from = 2021-05-31\n", "from = 2021-06-10\n");
        let (planned, report) = checked(&late);
        let planned = planned.unwrap_or_else(|| panic!("{report}"));
        assert_eq!(told(&planned, "12336", "2021-05-31T23:59"), "整体并入 待归并");
        assert_eq!(told(&planned, "12336", "2021-06-01T00:00"), "整体并入 待归并 归并");
        assert_eq!(told(&planned, "12336", "2021-06-10T00:00"), "整体并入 整合中", "done, if late");
        let warned = |part: &str| report.warnings.iter().filter(|w| w.message.contains(part)).count();
        assert_eq!(warned("shall be merged by 2021-05-31, and is from 2021-06-10 00:00 on"), 4, "{report}");
        let never = MIANYANG.replace("from = 2021-08-01\n", "from = 2022-08-01\n");
        let (planned, report) = checked(&never);
        let planned = planned.unwrap_or_else(|| panic!("{report}"));
        assert_eq!(told(&planned, "12336", "2021-08-02T00:00"), "整体并入 整合中 销号");
        assert!(report.to_string().contains("shall be cancelled by 2021-08-01"), "{report}");
    }

    #[test]
    fn a_task_that_says_nothing_or_no_day_is_a_mistake_at_its_place() {
        let with = |task: &str| MIANYANG.replacen("number = \"12315\"\n", &format!("number = \"12315\"\n{task}\n"), 1);
        let bare = MIANYANG.replace("task = {", "# task = {");
        assert!(checked(&bare).0.is_some(), "a line needs none");
        let with = |task: &str| with(task).replace("\ntask = { deadline = 2021-10-15 }", "");
        for (task, wanted) in [
            ("task = {}", "this task says nothing"),
            ("task = { deadline = 2021-10-15T08:00:00 }", "is no day"),
            ("task = { deadline = \"2021-10-15\" }", "expected a date"),
            ("task = { mode = \"dua\" }", "there is no mode \"dua\""),
            ("task = { until = 2021-10-15 }", "`until` is not known here"),
        ] {
            let (plan, report) = checked(&with(task));
            assert!(plan.is_none() && report.to_string().contains(wanted), "{task}: {report}");
        }
    }
}
