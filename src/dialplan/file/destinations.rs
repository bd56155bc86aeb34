//! `[[destination]]` with its `[[destination.route]]`: places outside to which calls go on over trunks.

use super::{Building, NamedDestination};
use crate::dialplan::table::{At, Table, one_of};
use crate::dialplan::{Destination, RouteOut};
use crate::types::{DestinationId, PhoneNumber};

/// How long one way is rung.
const RING_S: u32 = 30;

impl<'r, 'a> Building<'r, 'a> {
    /// After the trunks, which routes name.
    pub(super) fn read_destinations(&mut self, root: &Table<'r, 'a>) {
        for table in root.tables("destination") {
            self.read_destination(&table);
            table.finish();
        }
    }

    fn read_destination(&mut self, table: &Table<'r, 'a>) {
        let name = table.need_text("name", "lines and overflows refer to it: name = \"sub-center-12366\"");
        let ring_ms = table.number_or("ring_s", 5..=180, RING_S) * 1_000;
        let tables = table.tables("route");
        if tables.is_empty() && !table.has("route") {
            table.missing("route", "say how it is reached: [[destination.route]] with trunk");
        }
        let mut routes = Vec::new();
        for route in tables {
            routes.extend(self.read_route(&route));
            route.finish();
        }
        let Some(name) = name else { return };
        let Ok(id) = u16::try_from(self.plan.destinations.len()).map(DestinationId) else {
            self.reader.error(name.span, &name.key, "there are more than 65,536 destinations", None);
            return;
        };
        if let Some(other) = self.destinations.get(&name.value) {
            let message = format!("there are two destinations named {:?}", name.value);
            let hint = format!("the first is in line {}", self.reader.line_of(&other.at.span));
            self.reader.error(name.span, &name.key, message, Some(hint));
            return;
        }
        self.destinations.insert(name.value.clone(), NamedDestination { id, at: name.with_nothing(), uses: 0 });
        self.plan.destinations.push(Destination { name: name.value, routes, ring_ms });
    }

    fn read_route(&self, table: &Table<'r, 'a>) -> Option<RouteOut> {
        if !table.has("trunk") {
            table.missing("trunk", "the trunk over which it is reached: trunk = \"telecom\"");
        }
        let trunk = self.trunk_out(table, "trunk");
        let hint = "what is dialled there, digits in quotes; without it the number of the line";
        let number = table.parsed("number", hint, phone_number).map(|at| at.value);
        Some(RouteOut { trunk: trunk?, number })
    }

    /// The place outside of a name; an unknown one is a mistake. Being named counts as a use.
    pub(super) fn destination_named(&mut self, at: &At<String>) -> Option<DestinationId> {
        if let Some(destination) = self.destinations.get_mut(&at.value) {
            destination.uses += 1;
            return Some(destination.id);
        }
        let hint = match self.destinations.is_empty() {
            true => "describe it: [[destination]] with name and route".to_owned(),
            false => one_of(&at.value, self.destinations.keys().map(String::as_str)),
        };
        self.reader.error(at.span.clone(), &at.key, format!("there is no destination {:?}", at.value), Some(hint));
        None
    }

    /// Places to which nothing leads.
    pub(super) fn check_destinations(&self) {
        for (name, destination) in self.destinations.iter().filter(|(_, destination)| destination.uses == 0) {
            let message = format!("no line and no overflow leads to the destination {name:?}");
            self.reader.warning(destination.at.span.clone(), &destination.at.key, message, None);
        }
    }
}

/// A number as it is dialled over a trunk.
fn phone_number(text: &str) -> Result<PhoneNumber, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !(3..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{text:?} is no number: 3 to 20 digits are, with + before them for abroad"));
    }
    PhoneNumber::parse(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use crate::dialplan::file::tests::{GOOD, check};
    use crate::dialplan::{OverflowTo, OverflowWhen, RouteOut};
    use crate::types::{DestinationId, PhoneNumber};

    const SITE: &str = r#"
[[destination]]
name = "other-site"
ring_s = 20

[[destination.route]]
trunk = "telecom"

[[destination.route]]
trunk = "telecom"
number = "08162250857"
"#;

    fn overflow(rule: &str) -> String {
        let ring = "ring_ms = 20000\n";
        // Over a line of its own: the public network would bring the line's number back to us.
        let good = GOOD.replace("area_code = \"816\"\n", "area_code = \"816\"\nreaches = \"office\"\n");
        good.replace(ring, &format!("{ring}[[queue.overflow]]\n{rule}\n")) + SITE
    }

    fn errors(text: &str) -> String {
        check(text).1.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_place_outside_has_ways_in_order_and_overflows_lead_there() {
        let (plan, report) = check(&overflow("after_s = 30\ndestination = \"other-site\""));
        let plan = plan.unwrap_or_else(|| panic!("{report}"));
        let [site] = plan.destinations.as_slice() else { panic!("one destination") };
        assert_eq!((site.name.as_str(), site.ring_ms), ("other-site", 20_000));
        let way = |number: Option<&str>| RouteOut {
            trunk: "telecom".into(),
            number: number.map(|number| PhoneNumber::parse(number).expect("a number")),
        };
        assert_eq!(site.routes, [way(None), way(Some("08162250857"))]);
        let rule = plan.queues[1].overflow[0];
        assert_eq!((rule.when, rule.to), (OverflowWhen::Waited(30_000), OverflowTo::Destination(DestinationId(0))));
        let plan = check(&overflow("no_seats = true\nmessage = true")).0.expect("a plan");
        assert_eq!(plan.queues[1].overflow[0].to, OverflowTo::Message);
    }

    #[test]
    fn mistakes_in_places_outside_are_named() {
        for (rule, part) in [
            ("after_s = 3\ndestination = \"other\"", "no destination \"other\""),
            ("after_s = 3\ndestination = \"other-site\"\nto = \"general\"", "not clear where"),
            ("after_s = 3\nmessage = false", "not clear where"),
            ("after_s = 3", "not clear where"),
        ] {
            let said = errors(&overflow(rule));
            assert!(said.contains(part), "{rule}: {said}");
        }
        for (old, new, part) in [
            ("trunk = \"telecom\"\n\n[[d", "trunk = \"telecon\"\n\n[[d", "no trunk \"telecon\""),
            ("\"08162250857\"", "\"0816-2250857\"", "is no number"),
            ("ring_s = 20", "ring_s = 1", "ring_s"),
            ("name = \"other-site\"\n", "", "name"),
        ] {
            let text = GOOD.to_owned() + &SITE.replace(old, new);
            assert!(errors(&text).contains(part), "{part}: {}", errors(&text));
        }
        assert!(errors(&format!("{GOOD}{SITE}{SITE}")).contains("two destinations"));
        let (head, _) = SITE.split_once("[[destination.route]]").expect("a route");
        assert!(errors(&format!("{GOOD}{head}")).contains("route"));
        let (plan, report) = check(&format!("{GOOD}{SITE}"));
        assert!(plan.is_some() && report.to_string().contains("no line and no overflow leads to"), "{report}");
    }
}
