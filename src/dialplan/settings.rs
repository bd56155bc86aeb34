//! What two plans say differently besides their lines: settings of queues, trunks, seats and whatever else stands in the file, as
//! they are written. What changes for callers is compared elsewhere, by what the plans do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::{Table, Value};

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Setting {
    /// What it belongs to: `queue general`, `seat 8001`; empty at the head of the file.
    pub part: String,
    /// Which: `max_wait_ms`, `overflow[0].to`.
    pub key: String,
    /// What the first plan says; nothing where it says nothing.
    pub before: Option<String>,
    /// What the second plan says.
    pub after: Option<String>,
}

/// Part and key to the value as it is written.
type Settings = BTreeMap<(String, String), String>;

/// Settings that two plans do not both have with one value, in the order of their parts and keys. Lines are left out. A text that
/// is no TOML has none.
pub fn differences(before: &str, after: &str) -> Vec<Setting> {
    let (old, new) = (settings(before), settings(after));
    let all: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
    let differ = all.into_iter().filter(|setting| old.get(*setting) != new.get(*setting));
    let told = |setting: &(String, String)| Setting {
        part: setting.0.clone(),
        key: setting.1.clone(),
        before: old.get(setting).cloned(),
        after: new.get(setting).cloned(),
    };
    differ.map(told).collect()
}

fn settings(text: &str) -> Settings {
    let mut settings = Settings::new();
    let root: Table = text.parse().unwrap_or_default();
    for (key, value) in root.iter().filter(|(key, _)| *key != "line") {
        match value {
            Value::Table(table) => flatten(key, "", table, &mut settings),
            Value::Array(all) if all.iter().any(Value::is_table) => {
                for (n, table) in all.iter().filter_map(Value::as_table).enumerate() {
                    flatten(&format!("{key} {}", name(table, n)), "", table, &mut settings);
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => drop(settings.insert((String::new(), key.clone()), value.to_string())),
        }
    }
    settings
}

/// By what people know a part: its name, its number, or its place.
fn name(table: &Table, nth: usize) -> String {
    let known = ["name", "number", "what"].into_iter().find_map(|key| table.get(key));
    match known {
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
        None => (nth + 1).to_string(),
    }
}

fn flatten(part: &str, before: &str, table: &Table, settings: &mut Settings) {
    for (key, value) in table {
        let key = format!("{before}{key}");
        match value {
            Value::Table(inner) => flatten(part, &format!("{key}."), inner, settings),
            Value::Array(all) if all.iter().any(Value::is_table) => {
                for (n, inner) in all.iter().filter_map(Value::as_table).enumerate() {
                    flatten(part, &format!("{key}[{n}]."), inner, settings);
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => drop(settings.insert((part.to_owned(), key), value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WUZHONG: &str = include_str!("../../dialplans/wuzhong.toml");

    fn told(before: &str, after: &str) -> Vec<String> {
        let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let told = |s: Setting| format!("{}|{}|{}|{}", s.part, s.key, word(s.before), word(s.after));
        differences(before, after).into_iter().map(told).collect()
    }

    #[test]
    fn settings_inside_queues_trunks_seats_and_the_head_are_compared() {
        assert_eq!(told(WUZHONG, WUZHONG), Vec::<String>::new());
        let change = |from: &str, to: &str| {
            let after = WUZHONG.replacen(from, to, 1);
            assert_ne!(after, WUZHONG, "{from}");
            told(WUZHONG, &after)
        };
        assert_eq!(change("max_wait_ms = 600000", "max_wait_ms = 300000"), ["queue general|max_wait_ms|600000|300000"]);
        assert_eq!(change("age_s = 60\n", ""), ["queue general|age_s|60|-"]);
        assert_eq!(change("max_calls = 1000\n", "max_calls = 900\n"), ["trunk telecom|max_calls|1000|900"]);
        assert_eq!(
            change("{ policy = \"own\", number = \"12345\" }", "{ policy = \"own\", number = \"12319\" }"),
            ["trunk telecom|caller.number|\"12345\"|\"12319\""]
        );
        assert_eq!(change("transition_months = 3", "transition_months = 4"), ["|transition_months|3|4"]);
        assert_eq!(
            change("no_seats = true\nto = \"general\"", "no_seats = true\nto = \"branch-yanchi\""),
            ["queue branch-litong|overflow[0].to|\"general\"|\"branch-yanchi\""]
        );
        assert_eq!(change("skills = [\"general\"]", "skills = [\"general=7\"]").len(), 1);
        let gone = change("[[queue]]\nname = \"branch-litong\"", "[[queue]]\nname = \"branch-new\"");
        assert!(gone.iter().any(|s| s.starts_with("queue branch-litong|name|")), "{gone:?}");
        assert!(gone.iter().any(|s| s.starts_with("queue branch-new|name|-|")), "{gone:?}");
        assert!(change("name = \"火灾隐患举报投诉电话\"", "name = \"x\"").is_empty(), "lines are compared elsewhere");
    }
}
