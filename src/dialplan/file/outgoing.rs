//! `[outgoing]`: how calls of seats leave, and in whose name.

use super::Building;
use super::lines::A_LINE;
use crate::dialplan::Outgoing;
use crate::dialplan::table::{Table, one_of};

impl<'r, 'a> Building<'r, 'a> {
    /// After trunks and lines, which it names.
    pub(super) fn read_outgoing(&mut self, root: &Table<'r, 'a>) {
        let Some(table) = root.table("outgoing") else { return };
        let default = Outgoing::default();
        // Here another way to write a line stands for it.
        let line = table.parsed("line", A_LINE, super::line_number);
        let line = line.map(|at| at.with(self.plan.aliases.get(&at.value).unwrap_or(&at.value).clone()));
        let line = line.and_then(|at| self.line_named(at));
        self.plan.outgoing = Outgoing {
            trunk: self.trunk_out(&table, "trunk"),
            emergency_trunk: self.trunk_out(&table, "emergency_trunk"),
            line: line.unwrap_or(default.line),
            ring_ms: table.number_or("ring_s", 5..=180, default.ring_ms / 1_000) * 1_000,
            emergency_ring_ms: table.number_or("emergency_ring_s", 3..=60, default.emergency_ring_ms / 1_000) * 1_000,
            wrap_up_ms: table.number_or("wrap_up_s", 0..=600, default.wrap_up_ms / 1_000) * 1_000,
            most_passed_on: table.number_or("most_passed_on", 1..=20, default.most_passed_on),
        };
        table.finish();
    }

    /// The name of a trunk that calls can be placed on.
    pub(super) fn trunk_out(&self, table: &Table<'r, 'a>, key: &'static str) -> Option<String> {
        let at = table.text(key)?;
        let trunk = self.plan.trunks.iter().find(|trunk| trunk.name == at.value);
        let (message, hint) = match trunk {
            Some(trunk) if trunk.address.is_some() => return Some(at.value),
            Some(_) => (
                format!("the trunk {:?} has no `address` to send calls to", at.value),
                "address = \"sip:10.0.0.1:5060;transport=udp\" in its [[trunk]]".to_owned(),
            ),
            None => {
                let known = self.plan.trunks.iter().map(|trunk| trunk.name.as_str());
                (format!("there is no trunk {:?}", at.value), one_of(&at.value, known))
            }
        };
        self.reader.error(at.span, &at.key, message, Some(hint));
        None
    }
}
