//! What stands beside the lines in their table: `[[utility]]`, `[[branch]]`, `[[missing]]`.

use super::Building;
use crate::dialplan::lint::Part;
use crate::dialplan::table::Table;
use crate::dialplan::{Branch, Missing};
use crate::types::LineNumber;

impl<'r, 'a> Building<'r, 'a> {
    /// Water, power, gas: reached by transfer like the emergency services, and never merged.
    pub(super) fn read_utilities(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("utility") {
            let hint = "the number of the utility as it is dialled: number = \"95598\"";
            if !table.has("number") {
                table.missing("number", hint);
            }
            let number = table.parsed("number", hint, super::line_number);
            let name = table.need_text("name", "whose number it is: name = \"供电服务\"");
            if let (Some(number), Some(name)) = (number, name)
                && self.take(number.value.as_str(), "the number of a utility", &number.with_nothing())
            {
                self.plan.utilities.insert(number.value, name.value);
            }
            table.finish();
        }
    }

    /// The counties' parts of 12345, after lines, trunks and queues.
    pub(super) fn read_branches(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("branch") {
            if let Some(branch) = self.read_branch(&table) {
                self.places.insert(Part::Branch(self.plan.branches.len()), table.here());
                self.plan.branches.push(branch);
            }
            table.finish();
        }
    }

    fn read_branch(&mut self, table: &Table<'r, 'a>) -> Option<Branch> {
        let name = table.need_text("name", "its unified name: name = \"...12345政务服务便民热线...分中心\"");
        let trunk = table.need_text("trunk", "the trunk on which the county's calls come in: trunk = \"...\"");
        let queue = table.need_text("queue", "the queue of the branch's own seats: queue = \"...\"");
        let queue = queue.and_then(|at| self.queue_named(&at));
        let mut lines = self.lines_named(table);
        if !table.has("lines") {
            lines.push(LineNumber::parse("12345").expect("five digits are a number"));
        }
        let trunk = trunk?;
        if self.plan.trunk_named(&trunk.value).is_none() {
            let message = format!("there is no trunk {:?}", trunk.value);
            self.reader.error(trunk.span.clone(), &trunk.key, message, None);
        }
        let same = |branch: &&Branch| branch.trunk == trunk.value;
        if let Some(other) = self.plan.branches.iter().find(same) {
            let message = format!("the trunk {:?} is that of {:?} already", trunk.value, other.name);
            let hint = "give each branch a trunk of its own: by it its calls are known".to_owned();
            self.reader.error(trunk.span, &trunk.key, message, Some(hint));
        }
        Some(Branch { name: name?.value, trunk: trunk.value, queue: queue?, lines })
    }

    /// What the copy of the merge document has lost.
    pub(super) fn read_missing(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("missing") {
            let what = table.need_text("what", "what the source has lost: what = \"整体并入热线\"");
            let count = table.number("count", 1..=1_000).map_or(1, |at| at.value);
            table.finish();
            if let Some(what) = what {
                self.plan.missing.push(Missing { what: what.value, count });
            }
        }
    }
}
