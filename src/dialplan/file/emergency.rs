//! Emergency numbers stay out of the merge: they are data for one-key transfer, never lines.

use super::Building;
use crate::dialplan::table::Table;

/// Emergency numbers of the whole country (police, fire, ambulance, traffic): refused as lines even where the plan does not
/// list them. A city adds its own, such as 12389 and 96369 in Nanchang.
pub const ALWAYS: [(&str, &str); 4] =
    [("110", "公安报警"), ("119", "火警"), ("120", "医疗急救"), ("122", "道路交通事故报警")];

impl<'r, 'a> Building<'r, 'a> {
    /// Reads `[[emergency]]`. The numbers of the whole country are there in any case.
    pub(super) fn read_emergency(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("emergency") {
            let hint = "an emergency number as it is dialled: number = \"110\"";
            if !table.has("number") {
                table.missing("number", hint);
            }
            let number = table.parsed("number", hint, super::line_number);
            let name = table.need_text("name", "whose number it is: name = \"公安报警\"");
            if let (Some(number), Some(name)) = (number, name)
                && self.take(number.value.as_str(), "an emergency number", &number.with_nothing())
            {
                self.plan.emergency.insert(number.value, name.value);
            }
            table.finish();
        }
        for (digits, name) in ALWAYS {
            if let Ok(number) = super::line_number(digits) {
                self.plan.emergency.entry(number).or_insert_with(|| name.to_owned());
            }
        }
    }
}
