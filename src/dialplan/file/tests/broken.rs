//! The four real plans, each broken in one way: `check` finds it at its place, with a hint.

use super::cities::{CITIES, read_with_prompts, text};
use super::*;

/// Behind the first, the second is replaced by the third, once.
type Edit = (&'static str, &'static str, &'static str);
/// City, edits, what stands in the line that is pointed at, what the message says.
type Broken = (&'static str, &'static [Edit], &'static str, &'static str);

fn broken(city: &str, edits: &[Edit]) -> String {
    let mut text = text(city);
    for (anchor, old, new) in edits {
        let from = text.find(anchor).unwrap_or_else(|| panic!("{city} has {anchor:?}"));
        let at = from + text[from..].find(old).unwrap_or_else(|| panic!("{city} has {old:?} behind {anchor:?}"));
        text.replace_range(at..at + old.len(), new);
    }
    text
}

fn each_is_found(kind: &str, cases: &[Broken]) {
    assert!(cases.len() >= 4, "{kind}: four or more of each kind");
    for (city, edits, at, part) in cases {
        let file = format!("{city}.toml");
        let (_, report) = read_with_prompts(&file, &broken(city, edits));
        let said = |finding: &&Finding| finding.message.contains(part);
        let finding = report.errors.iter().chain(&report.warnings).find(said);
        let finding =
            finding.unwrap_or_else(|| panic!("{kind}, {city}: nothing says {part:?} after {edits:?}:\n{report}"));
        let place = finding.place.as_ref().unwrap_or_else(|| panic!("{kind}, {city}: {finding} has no place"));
        assert_eq!(finding.file, file);
        assert!(place.excerpt.contains(at), "{kind}, {city}: points at {:?}, not at {at:?}", place.excerpt);
        assert!(finding.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{kind}, {city}: {finding} gives no hint");
    }
}

const PHASE: &str = "[[line.phase]]";
const ABSORBED: &str = "mode = \"absorbed\"";
const OLD_DESK: &str = "[[destination]]\nname = \"old-desk\"\nroute = [{ trunk = \"telecom\" }]\n\n[[queue]]";
const PLANNED: &str = "mode = \"planned\"";

#[test]
fn gaps_between_phases() {
    each_is_found(
        "gap",
        &[
            (
                "mianyang",
                &[("number = \"12336\"", ABSORBED, "until = 2021-07-31\nmode = \"absorbed\"")],
                "until = 2021-07-31",
                "a gap",
            ),
            (
                "mianyang",
                &[("number = \"2250857\"", ABSORBED, "until = 2021-07-31T23:59:00\nmode = \"absorbed\"")],
                "until = 2021-07-31T23",
                "a gap",
            ),
            (
                "wuzhong",
                &[("number = \"96119\"", "mode = \"elsewhere\"", "until = 2022-02-27\nmode = \"elsewhere\"")],
                "until = 2022-02-27",
                "a gap",
            ),
            (
                "wuzhong",
                &[("number = \"12318\"", PLANNED, "until = 2021-12-30\nmode = \"planned\"")],
                "until = 2021-12-30",
                "a gap",
            ),
            (
                "nanchang",
                &[("number = \"12315\"", "mode = \"dual\"", "until = 2023-02-28\nmode = \"dual\"")],
                "until = 2023-02-28",
                "would end nowhere",
            ),
            (
                "ziyang",
                &[("number = \"12345\"\nname", "mode = \"hotline\"", "until = 2020-01-01\nmode = \"hotline\"")],
                "until = 2020-01-01",
                "would end nowhere",
            ),
        ],
    );
}

#[test]
fn overlaps_of_phases() {
    each_is_found(
        "overlap",
        &[
            (
                "mianyang",
                &[("number = \"12331\"", ABSORBED, "until = 2021-08-02\nmode = \"absorbed\"")],
                "until = 2021-08-02",
                "an overlap",
            ),
            (
                "wuzhong",
                &[("number = \"96119\"", "mode = \"elsewhere\"", "until = 2022-03-01\nmode = \"elsewhere\"")],
                "until = 2022-03-01",
                "an overlap",
            ),
            (
                "wuzhong",
                &[("number = \"12369\"", PLANNED, "until = 2022-01-01\nmode = \"planned\"")],
                "until = 2022-01-01",
                "an overlap",
            ),
            (
                "mianyang",
                &[("number = \"12349\"", "from = 2021-08-01", "from = 2021-05-31")],
                "from = 2021-05-31",
                "does not begin after",
            ),
            (
                "wuzhong",
                &[("number = \"12385\"", "from = 2021-12-31", "from = 2021-08-31")],
                "from = 2021-08-31",
                "does not begin after",
            ),
        ],
    );
}

#[test]
fn loops_between_hotlines() {
    each_is_found(
        "loop",
        &[
            (
                "mianyang",
                &[("name = \"tax-12366\"", "reaches = \"office\"", "reaches = \"network\"")],
                PHASE,
                "12366 -> 12366",
            ),
            (
                "mianyang",
                &[
                    ("name = \"tax-12366\"", "reaches = \"office\"", "reaches = \"network\""),
                    ("[[destination.route]]", "trunk = \"tax-12366\"", "trunk = \"tax-12366\"\nnumber = \"081612366\""),
                ],
                PHASE,
                "12366 -> 12366",
            ),
            ("wuzhong", &[("name = \"post-12305\"", "reaches = \"office\"\n", "")], PHASE, "12305 -> 12305"),
            // The region has no seats for a line whose calls it has pushed down to the city.
            (
                "wuzhong",
                &[(
                    "number = \"12322\"",
                    "queue = \"general\"\ngreeting = \"greeting/wuzhong\"",
                    "forward = \"region\"",
                )],
                PHASE,
                "12322 -> 12322",
            ),
            (
                "wuzhong",
                &[("name = \"region\"\nring_s", "trunk = \"region\"", "trunk = \"region\"\nnumber = \"12345\"")],
                PHASE,
                "come back to us as calls to 12345",
            ),
            (
                "wuzhong",
                &[
                    (
                        "name = \"sub-center-12313\"",
                        "trunk = \"tobacco-12313\"",
                        "trunk = \"telecom\"\nnumber = \"12360\"",
                    ),
                    (
                        "name = \"sub-center-12360\"",
                        "trunk = \"customs-12360\"",
                        "trunk = \"telecom\"\nnumber = \"12313\"",
                    ),
                ],
                PHASE,
                "12313 -> 12360 -> 12313",
            ),
            (
                "ziyang",
                &[
                    ("name = \"telecom\"", "area_code", "address = \"sip:127.0.0.9:5060\"\narea_code"),
                    ("max_calls_per_s", "[[queue]]", OLD_DESK),
                    ("mode = \"hotline\"", "queue = \"general\"", "queue = \"general\"\nparallel = \"old-desk\""),
                ],
                PHASE,
                "12345 -> 12345",
            ),
            (
                "wuzhong",
                &[(
                    "name = \"company-12349\"\n\n",
                    "trunk = \"company-12349\"",
                    "trunk = \"telecom\"\nnumber = \"5189000\"",
                )],
                PHASE,
                "5189000, which serves nobody then",
            ),
        ],
    );
}

#[test]
fn queues_that_no_seat_could_serve() {
    const ALL_FOUR: &str = "\"12316\", \"12348\", \"12333\", \"12329\"";
    const LAW_QUEUE: &str = "[[queue]]\nname = \"law\"\nskill = \"law\"\n\n[[queue]]";
    each_is_found(
        "queue",
        &[
            (
                "mianyang",
                &[("name = \"general\"\n", "skill = \"general\"", "skill = \"general\"\nlevel = 9")],
                "name = \"general\"",
                "no seat has level 9",
            ),
            (
                "mianyang",
                &[
                    ("name = \"expert-12316\"", "no_seats = true", "waiting = 5"),
                    ("number = 8007", ALL_FOUR, "\"12348\""),
                    ("number = 8008", ALL_FOUR, "\"12348\""),
                    ("number = 8101", "\"12316\"", "\"12348\""),
                ],
                "name = \"expert-12316\"",
                "no seat has the skill \"12316\"",
            ),
            (
                "wuzhong",
                &[
                    ("name = \"branch-litong\"\nskill", "no_seats = true", "expected_s = 60"),
                    ("number = 8101", "\"litong\"", "\"general\""),
                    ("number = 8102", "\"litong\"", "\"general\""),
                ],
                "name = \"branch-litong\"",
                "no seat has the skill \"litong\"",
            ),
            // The overflow leads to a queue that waits in vain too.
            (
                "wuzhong",
                &[
                    ("name = \"general\"\n", "skill = \"general\"", "skill = \"general\"\nlevel = 8"),
                    ("number = 8301", "\"tongxin\"", "\"general\""),
                    ("number = 8302", "\"tongxin\"", "\"general\""),
                ],
                "name = \"branch-tongxin\"",
                "no seat has the skill \"tongxin\"",
            ),
            (
                "nanchang",
                &[
                    ("[skills]", "general = \"综合受理\"", "general = \"综合受理\"\nlaw = \"法律\""),
                    ("max_calls_per_s", "[[queue]]", LAW_QUEUE),
                    ("number = \"12350\"", "queue = \"general\"", "queue = \"law\""),
                ],
                "name = \"law\"",
                "no seat has the skill \"law\"",
            ),
            (
                "ziyang",
                &[("name = \"general\"\n", "skill = \"general\"", "skill = \"general\"\nlevel = 6")],
                "name = \"general\"",
                "no seat has level 6",
            ),
        ],
    );
}

#[test]
fn prompts_that_are_missing() {
    each_is_found(
        "prompt",
        &[
            (
                "mianyang",
                &[("number = \"12318\"", "greeting/12318", "greeting/12318-new")],
                "greeting/12318-new",
                "there is no prompt",
            ),
            ("mianyang", &[("[[queue]]", "music/waiting", "music/none")], "music/none", "there is no prompt"),
            (
                "wuzhong",
                &[("number = \"96119\"", "notice/transition-96119", "notice/gone")],
                "notice/gone",
                "there is no prompt",
            ),
            (
                "wuzhong",
                &[("number = \"12300\"", "greeting = \"greeting/wuzhong\"\n", "")],
                PHASE,
                "there is no prompt \"greeting/12300\"",
            ),
            (
                "nanchang",
                &[("number = \"12330\"", "lifecycle", "notices = [\"notice/nanchang\"]\nlifecycle")],
                "notice/nanchang",
                "there is no prompt",
            ),
            (
                "ziyang",
                &[("mode = \"hotline\"", "greeting/ziyang", "greeting/zi-yang")],
                "greeting/zi-yang",
                "there is no prompt",
            ),
        ],
    );
}

#[test]
fn trunks_that_cannot_carry_their_calls() {
    each_is_found(
        "trunk",
        &[
            (
                "mianyang",
                &[("name = \"tax-12366\"", "max_calls = 100\n", "")],
                "name = \"tax-12366\"",
                "has no capacity",
            ),
            (
                "wuzhong",
                &[("name = \"branch-yanchi\"", "max_calls = 100\n", "")],
                "name = \"branch-yanchi\"",
                "has no capacity",
            ),
            ("nanchang", &[("name = \"telecom\"", "max_calls = 2000\n", "")], "name = \"telecom\"", "has no capacity"),
            (
                "wuzhong",
                &[("name = \"fire\"", "address = \"sip:127.0.0.61:5060;transport=udp\"\n", "")],
                "trunk = \"fire\"",
                "no `address`",
            ),
            (
                "ziyang",
                &[("max_calls_per_s", "[[queue]]", OLD_DESK)],
                "route = [{ trunk = \"telecom\" }]",
                "no `address`",
            ),
            ("wuzhong", &[("name = \"branch-litong\"", "\"127.0.0.71/32\"", "")], "[[branch]]", "no call can come in"),
            (
                "wuzhong",
                &[("name = \"line-119\"", "trunk = \"fire\"", "trunk = \"fyre\"")],
                "trunk = \"fyre\"",
                "there is no trunk",
            ),
        ],
    );
}

#[test]
fn numbers_that_are_claimed_twice() {
    each_is_found(
        "twice",
        &[
            (
                "mianyang",
                &[("[[line]]\nnumber = \"12318\"", "12318", "12369")],
                "number = \"12369\"",
                "is taken already",
            ),
            (
                "mianyang",
                &[("number = \"12345\"\nname", "081612345", "12369")],
                "number = \"12369\"",
                "is taken already",
            ),
            (
                "wuzhong",
                &[("[[line]]\nnumber = \"12300\"", "12300", "12322")],
                "number = \"12322\"",
                "is taken already",
            ),
            (
                "nanchang",
                &[("[[line]]\nnumber = \"967788\"", "967788", "12385")],
                "number = \"12385\"",
                "is taken already",
            ),
            ("ziyang", &[("number = 8002", "8002", "12345")], "number = 12345", "is taken already"),
            (
                "wuzhong",
                &[("number = \"5112345\"", "09535112345", "095312345")],
                "also = [\"095312345\"]",
                "is taken already",
            ),
            (
                "wuzhong",
                &[
                    ("number = \"12345\"\nname", "also = [\"095312345\"]\n", ""),
                    ("number = \"5189000\"", "09535189000", "095312345"),
                ],
                "also = [\"095312345\"]",
                "is the line 12345 with an area code",
            ),
        ],
    );
}

#[test]
fn cancelled_numbers_that_come_back() {
    const DEAD: &str = "mode = \"cancelled\"\n";
    const BACK: &str = "mode = \"cancelled\"\n\n[[line.phase]]\nfrom = 2024-01-01\nmode = \"dual\"\nqueue = \"general\"\ngreeting = \"greeting/12345\"\n";
    const AGAIN: &str = "mode = \"hotline\"\nqueue = \"general\"\ngreeting = \"greeting/ziyang\"\n\n[[line.phase]]\nfrom = 2020-01-01\nmode = \"cancelled\"\n\n\
                         [[line.phase]]\nfrom = 2021-01-01\nreactivated = { by = \"\", reason = \"\" }\nmode = \"hotline\"";
    const LIFE: &str = "mode = \"cancelled\"\n\n[[line.phase]]\nfrom = 2023-02-11\nmode = \"absorbed\"";
    each_is_found(
        "comes back",
        &[
            ("mianyang", &[("number = \"12336\"", DEAD, BACK)], PHASE, "does not come back"),
            ("mianyang", &[("number = \"2250857\"", DEAD, BACK)], PHASE, "does not come back"),
            (
                "mianyang",
                &[
                    (
                        "number = \"12349\"",
                        "mode = \"absorbed\"\nqueue = \"general\"\ngreeting = \"greeting/12345\"",
                        "mode = \"cancelled\"",
                    ),
                    (
                        "number = \"12349\"",
                        "from = 2021-08-01\nmode = \"cancelled\"",
                        "from = 2021-08-01\nmode = \"absorbed\"\nqueue = \"general\"\ngreeting = \"greeting/12345\"",
                    ),
                ],
                PHASE,
                "does not come back",
            ),
            (
                "wuzhong",
                &[("number = \"96119\"", "mode = \"cancelled\"\nnotices = [\"notice/cancelled-96119\"]\n", BACK)],
                PHASE,
                "does not come back",
            ),
            ("nanchang", &[("number = \"12330\"", ABSORBED, LIFE)], PHASE, "does not come back"),
            (
                "ziyang",
                &[("number = \"12345\"\nname", "mode = \"hotline\"", AGAIN)],
                "reactivated",
                "only with a name and a reason",
            ),
        ],
    );
}

#[test]
fn emergency_numbers_that_could_be_merged_rewritten_or_matched() {
    const SHOWS: &str = "caller = { policy = \"own\", number = \"110\" }";
    each_is_found(
        "emergency",
        &[
            ("mianyang", &[("[[line]]\nnumber = \"12318\"", "12318", "110")], "number = \"110\"", "is never merged"),
            (
                "nanchang",
                &[("[[line]]\nnumber = \"12315\"", "12315", "96369")],
                "number = \"96369\"",
                "is never merged",
            ),
            (
                "nanchang",
                &[("[[line]]\nnumber = \"12345\"", "079112345", "12389")],
                "also = [\"12389\"]",
                "is never merged",
            ),
            (
                "wuzhong",
                &[("number = \"12345\"\nname", "095312345", "0953110")],
                "also = [\"0953110\"]",
                "would be rewritten",
            ),
            (
                "ziyang",
                &[("number = \"12345\"\nname", "02812345", "028120")],
                "also = [\"028120\"]",
                "would be rewritten",
            ),
            (
                "mianyang",
                &[("[[line]]\nnumber = \"12385\"", "12385", "11912")],
                "number = \"11912\"",
                "begins with the emergency number 119",
            ),
            (
                "wuzhong",
                &[(
                    "number = \"12318\"",
                    "queue = \"general\"\ngreeting = \"greeting/12318\"",
                    "forward = \"line-119\"",
                )],
                PHASE,
                "would go on to the emergency number 119",
            ),
            (
                "mianyang",
                &[("name = \"telecom\"", "caller = { policy = \"own\", number = \"12345\" }", SHOWS)],
                "name = \"telecom\"",
                "shows the emergency number 110",
            ),
            (
                "ziyang",
                &[
                    ("[[emergency]]", "[[emergency]]\nnumber = \"122\"\nname = \"道路交通事故报警\"\n", ""),
                    ("number = 8004", "8004", "122"),
                ],
                "number = 122",
                "nobody here could call it",
            ),
        ],
    );
}

#[test]
fn transitions_without_end_unknown_units_and_a_plan_without_its_zone() {
    each_is_found(
        "head",
        &[
            ("wuzhong", &[("zone", "transition_months = 3", "")], PHASE, "no phase does it"),
            ("wuzhong", &[("number = \"12348\"", "司法厅", "司法听")], "司法听", "there is no unit"),
            ("mianyang", &[("number = \"12329\"", "市住房公积金中心", "市公积金")], "市公积金", "there is no unit"),
            ("nanchang", &[("deployment", "zone = \"Asia/Shanghai\"", "")], "# Dial plan", "`zone` is missing"),
        ],
    );
}

#[test]
fn nothing_of_this_is_said_of_the_plans_as_they_are() {
    for city in CITIES {
        let (plan, report) = read_with_prompts(city, &text(city));
        assert!(plan.is_some() && report.errors.is_empty(), "{report}");
    }
}
