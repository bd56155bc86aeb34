//! `[[trunk]]`: how a carrier is recognised and spoken to.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Building, words};
use crate::dialplan::lint::Part;
use crate::dialplan::table::{At, Table, one_of};
use crate::dialplan::{CalledFrom, CallerPolicy, Cidr, Reaches, Trunk, TrunkGroup, TrunkRegister};
use crate::types::{LineNumber, TlsMedia, TrunkId};

/// The number shown on outgoing calls where a trunk says nothing.
const OWN_NUMBER: &str = "12345";
const NUMBER_HINT: &str = "a number of digits in quotes: \"12345\"";
const POLICIES: [&str; 3] = ["own", "callers", "mapped"];

/// A range with its owner, to see that an address names one trunk.
struct Taken {
    network: String,
    trunk: String,
    range: Cidr,
    span: Range<usize>,
}

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_trunks(&mut self, root: &Table<'r, 'a>) {
        let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
        let mut ranges: Vec<Taken> = Vec::new();
        for table in root.tables("trunk") {
            let name = table.need_text("name", "the name in records: name = \"telecom-1\"");
            let trunk = self.read_trunk(&table, name.as_ref().map_or("", |at| at.value.as_str()), &mut ranges);
            table.finish();
            let Some(name) = name else { continue };
            if let Some(first) = names.get(&name.value) {
                let message = format!("there are two trunks named {:?}", name.value);
                let hint = format!("the first is in line {}", self.reader.line_of(first));
                self.reader.error(name.span, &name.key, message, Some(hint));
                continue;
            }
            self.places.insert(Part::Trunk(name.value.clone()), name.with_nothing());
            names.insert(name.value, name.span);
            self.plan.trunks.push(Trunk { id: TrunkId(self.plan.trunk_ids), ..trunk });
            self.plan.trunk_ids += 1;
        }
    }

    fn read_trunk(&self, table: &Table<'r, 'a>, name: &str, ranges: &mut Vec<Taken>) -> Trunk {
        let network = self.read_network(table);
        let sources = table.parsed_list("sources", "for example \"10.0.0.0/24\" or \"10.0.0.1\"", words::cidr);
        let trunk = Trunk {
            id: TrunkId(0),
            name: name.to_owned(),
            network,
            sources: sources.iter().map(|at| at.value).collect(),
            tls_identity: table.text("tls_identity").map(|at| at.value),
            address: table
                .parsed("address", "for example sip:10.0.0.1:5060;transport=udp", words::sip_uri)
                .map(|at| at.value),
            register: read_register(table),
            called_from: read_called_from(table),
            area_code: read_area_code(table),
            reaches: super::phases::word(table, "reaches").unwrap_or(Reaches::Network),
            media_over_tls: table
                .parsed("media_over_tls", "\"srtp\", \"rtp\" or \"either\"", TlsMedia::parse)
                .map(|at| at.value)
                .unwrap_or_default(),
            max_calls: table.number("max_calls", 1..=100_000).map(|at| at.value),
            max_calls_per_s: table.number("max_calls_per_s", 1..=10_000).map(|at| at.value),
            options_s: table.number("options_s", 5..=3_600).map(|at| at.value),
            caller_policy: self.read_caller_policy(table),
            group: read_group(table),
        };
        self.check_ranges(&trunk, &sources, ranges);
        self.check_trunk(table, &trunk);
        trunk
    }

    fn read_network(&self, table: &Table<'r, 'a>) -> String {
        let Some(at) = table.need_text("network", "a network of the configuration: network = \"main\"") else {
            return String::new();
        };
        if let Some(networks) = self.outside.networks
            && !networks.contains(&at.value)
        {
            let message = format!("the configuration has no network {:?}", at.value);
            self.reader.error(
                at.span.clone(),
                &at.key,
                message,
                Some(one_of(&at.value, networks.iter().map(String::as_str))),
            );
        }
        at.value
    }

    /// Refuses a range that two trunks claim. Of nested ranges the narrower counts, and a certificate tells trunks of one
    /// address apart.
    fn check_ranges(&self, trunk: &Trunk, sources: &[At<Cidr>], ranges: &mut Vec<Taken>) {
        if trunk.tls_identity.is_some() {
            return;
        }
        for at in sources {
            let same = |taken: &&Taken| taken.network == trunk.network && taken.range == at.value;
            if let Some(other) = ranges.iter().find(same) {
                let message = format!("the trunk {:?} has the same range: an address must name one trunk", other.trunk);
                let hint = format!("that one is in line {}", self.reader.line_of(&other.span));
                self.reader.error(at.span.clone(), &at.key, message, Some(hint));
            }
            let (network, trunk) = (trunk.network.clone(), trunk.name.clone());
            ranges.push(Taken { network, trunk, range: at.value, span: at.span.clone() });
        }
    }

    fn check_trunk(&self, table: &Table<'r, 'a>, trunk: &Trunk) {
        let here = table.here();
        let recognised = table.has("sources") || trunk.tls_identity.is_some() || trunk.register.is_some();
        if !recognised {
            let message = format!(
                "nothing tells a call of the trunk {:?} from a stranger's: it can only be called out on",
                trunk.name
            );
            let hint = "give it sources = [\"10.0.0.0/24\"], tls_identity or [trunk.register]".to_owned();
            self.reader.warning(here.span.clone(), &here.key, message, Some(hint));
        }
        let wanting = [
            ("register", trunk.register.is_some()),
            ("options_s", trunk.options_s.is_some()),
            ("group", trunk.group.is_some()),
        ];
        for (key, _) in
            wanting.into_iter().filter(|(_, wants)| *wants && trunk.address.is_none() && !table.has("address"))
        {
            let message = format!("`{key}` of the trunk {:?} needs an `address` to send to", trunk.name);
            let hint = "address = \"sip:10.0.0.1:5060;transport=udp\"".to_owned();
            self.reader.error(here.span.clone(), &here.key, message, Some(hint));
        }
    }

    fn read_caller_policy(&self, table: &Table<'r, 'a>) -> CallerPolicy {
        let Some(caller) = table.table("caller") else { return CallerPolicy::Own(own_number()) };
        let number = |key: &'static str, used: bool| match (used, caller.has(key)) {
            (true, false) => {
                caller.missing(key, NUMBER_HINT);
                own_number()
            }
            (true, true) => caller.parsed(key, NUMBER_HINT, super::line_number).map_or_else(own_number, |at| at.value),
            (false, _) => own_number(),
        };
        let policy = caller.need_text("policy", "one of: own, callers, mapped");
        let word = policy.as_ref().map_or("own", |at| at.value.as_str());
        let policy = match word {
            "callers" => CallerPolicy::Callers { diversion: number("diversion", true) },
            "mapped" => CallerPolicy::Mapped { by_line: self.read_map(&caller), own: number("number", true) },
            "own" => CallerPolicy::Own(number("number", policy.is_some())),
            _ => {
                let here = policy.map_or_else(|| caller.here(), |at| at.with_nothing());
                let message = "there is no such policy for the caller's number";
                self.reader.error(here.span, &here.key, message, Some(one_of("", POLICIES)));
                return CallerPolicy::Own(own_number());
            }
        };
        caller.finish();
        policy
    }

    /// Pairs of line and number shown.
    fn read_map(&self, caller: &Table<'r, 'a>) -> BTreeMap<LineNumber, LineNumber> {
        let mut map = BTreeMap::new();
        let Some(table) = caller.table("by_line") else { return map };
        for (line, shown) in table.pairs() {
            match (super::line_number(&line.value), super::line_number(&shown.value)) {
                (Ok(line), Ok(shown)) => {
                    map.insert(line, shown);
                }
                (Err(why), _) | (Ok(_), Err(why)) => {
                    self.reader.error(shown.span, &shown.key, why, Some("\"12315\" = \"12315\"".into()));
                }
            }
        }
        map
    }
}

fn own_number() -> LineNumber {
    LineNumber::parse(OWN_NUMBER).expect("five digits are a number")
}

fn read_register(table: &Table<'_, '_>) -> Option<TrunkRegister> {
    let register = table.table("register")?;
    let user = register.need_text("user", "the account at the carrier: user = \"0816xxxxxxx\"");
    let domain = register.text("domain").map(|at| at.value);
    let expires_s = register.number_or("expires_s", 60..=86_400, 3_600);
    register.finish();
    Some(TrunkRegister { user: user?.value, domain, expires_s })
}

fn read_called_from(table: &Table<'_, '_>) -> CalledFrom {
    let hint = "\"request-uri\", \"to\" or \"p-called-party-id\"";
    let parse = |word: &str| match word {
        "request-uri" => Ok(CalledFrom::RequestUri),
        "to" => Ok(CalledFrom::To),
        "p-called-party-id" => Ok(CalledFrom::PCalledPartyId),
        _ => Err(format!("{word:?} is no place of a called number")),
    };
    table.parsed("called_from", hint, parse).map(|at| at.value).unwrap_or_default()
}

fn read_area_code(table: &Table<'_, '_>) -> String {
    let hint = "the area code without 0, for Mianyang: area_code = \"816\"";
    if !table.has("area_code") {
        table.missing("area_code", hint);
    }
    let parse = |text: &str| match text.as_bytes() {
        [b'1'..=b'9', rest @ ..] if (1..=2).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("{text:?} is no area code")),
    };
    table.parsed("area_code", hint, parse).map(|at| at.value).unwrap_or_default()
}

fn read_group(table: &Table<'_, '_>) -> Option<TrunkGroup> {
    let group = table.table("group")?;
    let name = group.need_text("name", "trunks of one name stand in for each other: name = \"out\"");
    let order = group.number_or("order", 0..=65_535, 0);
    let weight = group.number_or("weight", 1..=100, 100);
    group.finish();
    let order = u16::try_from(order).unwrap_or(u16::MAX);
    let weight = u8::try_from(weight).unwrap_or(u8::MAX);
    Some(TrunkGroup { name: name?.value, order, weight })
}
