//! The columns of the sheet, each with the key of the plan file that it stands for.

use crate::dialplan::{Answering, Lifecycle, Mode, NumberFate, Unresolved, Worded};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its head.
    pub(super) name: &'static str,
    /// Which table of the file has the key.
    pub(super) part: Part,
    /// The key; below an inline table with a point: `reactivated.by`.
    pub(super) key: &'static str,
    /// What a cell may hold.
    pub(super) form: Form,
}

/// What of the plan file a column belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `[[line]]`: every row of a line says the same, or nothing.
    Line,
    /// `[[line.phase]]`.
    Phase,
    /// Nothing: written for the reader, and checked against the rest when it is read.
    Shown,
}

/// What a cell may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// A day, or a minute of it.
    Date,
    /// Several texts.
    List,
    /// One of a few words: that of the file, and the one that is shown.
    Words(fn() -> Vec<(&'static str, &'static str)>),
}

const fn column(name: &'static str, part: Part, key: &'static str, form: Form) -> Column {
    Column { name, part, key, form }
}

/// All of them, in their order.
pub(super) const COLUMNS: &[Column] = &[
    column("号码", Part::Line, "number", Form::Text),
    column("名称", Part::Line, "name", Form::Text),
    column("责任单位", Part::Line, "unit", Form::Text),
    column("其他写法", Part::Line, "also", Form::List),
    column("服务时间", Part::Line, "hours", Form::Text),
    column("非服务时间提示音", Part::Line, "closed_prompt", Form::Text),
    column("非服务时间队列", Part::Line, "closed_queue", Form::Text),
    column("任务方式", Part::Line, "task.mode", Form::Words(words::<Mode>)),
    column("归并期限", Part::Line, "task.deadline", Form::Date),
    column("销号期限", Part::Line, "task.cancel_by", Form::Date),
    column("开始", Part::Phase, "from", Form::Date),
    column("结束", Part::Phase, "until", Form::Date),
    column("归并方式", Part::Phase, "mode", Form::Words(words::<Mode>)),
    column("号码处理", Part::Phase, "number_fate", Form::Words(words::<NumberFate>)),
    column("接听坐席", Part::Phase, "seats", Form::Words(words::<Answering>)),
    column("未决事项", Part::Phase, "unresolved_to", Form::Words(words::<Unresolved>)),
    column("所处阶段", Part::Phase, "lifecycle", Form::Words(words::<Lifecycle>)),
    column("队列", Part::Phase, "queue", Form::Text),
    column("专家队列", Part::Phase, "experts", Form::Text),
    column("通知音", Part::Phase, "notices", Form::List),
    column("问候语", Part::Phase, "greeting", Form::Text),
    column("应答时机", Part::Phase, "answer", Form::Words(answers)),
    column("优先级", Part::Phase, "priority", Form::Number),
    column("去向", Part::Phase, "destination", Form::Text),
    column("呼叫转移", Part::Phase, "forward", Form::Text),
    column("并行接听", Part::Phase, "parallel", Form::Text),
    column("中继", Part::Shown, "trunk", Form::List),
    column("无人接听队列", Part::Phase, "fallback", Form::Text),
    column("办公坐席", Part::Phase, "office", Form::Number),
    column("销号应答", Part::Phase, "end", Form::Words(ends)),
    column("恢复批准人", Part::Phase, "reactivated.by", Form::Text),
    column("恢复理由", Part::Phase, "reactivated.reason", Form::Text),
];

/// The number of a line.
pub(super) const NUMBER: usize = 0;
/// Its name.
pub(super) const NAME: usize = 1;

fn words<T: Worded>() -> Vec<(&'static str, &'static str)> {
    T::all().iter().map(|one| (one.word(), one.shown())).collect()
}

fn answers() -> Vec<(&'static str, &'static str)> {
    vec![("at-once", "立即应答"), ("by-seat", "坐席应答")]
}

fn ends() -> Vec<(&'static str, &'static str)> {
    vec![("gone", "播报后410"), ("not-found", "空号404")]
}

/// The place of a column by the key that it stands for.
pub(super) fn index(part: Part, key: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.part == part && column.key == key)
}

/// The letter of a column in a sheet: A to Z, then AA.
pub(super) fn letter(column: usize) -> String {
    let digit = |n: usize| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
    match column / 26 {
        0 => digit(column).to_string(),
        tens => format!("{}{}", digit(tens - 1), digit(column)),
    }
}
