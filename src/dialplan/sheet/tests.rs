//! Sheets of the four cities there and back, and each mistake at its row and column.

use super::*;
use crate::dialplan::file::{Outside, read};
use crate::dialplan::{Plan, Service};
use crate::types::LineNumber;

const CITIES: [(&str, &str); 4] = [
    ("mianyang", include_str!("../../../dialplans/mianyang.toml")),
    ("wuzhong", include_str!("../../../dialplans/wuzhong.toml")),
    ("nanchang", include_str!("../../../dialplans/nanchang.toml")),
    ("ziyang", include_str!("../../../dialplans/ziyang.toml")),
];

const MIANYANG: &str = CITIES[0].1;

fn parsed(text: &str) -> (Option<Plan>, Report) {
    read("plan.toml", text, &Outside { prompts: &|name| name != "greeting/absent", networks: None })
}

fn judged(text: &str) -> Report {
    parsed(text).1
}

fn plan(text: &str) -> Plan {
    let (plan, report) = parsed(text);
    plan.unwrap_or_else(|| panic!("{report}"))
}

fn sheet(bytes: &[u8], form: Form) -> Grid {
    let grid = match form {
        Form::Csv => read_csv("lines.csv", bytes),
        Form::Xlsx => read_xlsx("lines.xlsx", bytes),
    };
    grid.unwrap_or_else(|report| panic!("{report}"))
}

fn exported(text: &str) -> String {
    let bytes = export("plan.toml", text, Form::Csv).unwrap_or_else(|report| panic!("{report}"));
    String::from_utf8(bytes).expect("UTF-8")
}

fn imported(csv: &str, into: &str) -> Result<Imported, String> {
    let grid = read_csv("lines.csv", csv.as_bytes()).map_err(|report| report.to_string())?;
    import(&grid, into, &judged).map_err(|report| report.to_string())
}

/// Mianyang's sheet with one text replaced by another.
fn changed(old: &str, new: &str) -> String {
    let csv = exported(MIANYANG);
    assert!(csv.contains(old), "{old:?} stands in\n{csv}");
    csv.replacen(old, new, 1)
}

#[test]
fn the_table_of_each_city_comes_back_as_it_was() {
    for (city, text) in CITIES {
        for form in [Form::Csv, Form::Xlsx] {
            let bytes = export(city, text, form).unwrap_or_else(|report| panic!("{report}"));
            assert_eq!(bytes, export(city, text, form).expect("again"), "{city}: two exports are one");
            let back = import(&sheet(&bytes, form), text, &judged).unwrap_or_else(|report| panic!("{city}\n{report}"));
            assert_eq!((back.added, back.changed, back.removed), (0, 0, 0), "{city} {form:?}");
            assert_eq!(back.same, plan(text).lines.len(), "{city}");
            assert!(back.text == text, "{city} {form:?}: not a byte has changed");
        }
    }
}

#[test]
fn lines_written_from_nothing_but_the_sheet_are_the_same_lines() {
    for (city, text) in CITIES {
        for form in [Form::Csv, Form::Xlsx] {
            let bytes = export(city, text, form).unwrap_or_else(|report| panic!("{report}"));
            // All lines are gone from the file, and come back from the sheet alone.
            let first = text.find("\n[[line]]").expect("a line");
            let end =
                ["[[branch]]", "[[seat]]", "[outgoing]", "[[missing]]"].map(|head| text.find(&format!("\n{head}")));
            let behind = end.into_iter().flatten().filter(|at| *at > first).min().expect("something follows");
            let behind = text[..behind].rfind("\n\n").expect("an empty line");
            let bare = format!("{}{}", &text[..first], &text[behind..]);
            assert!(!bare.contains("\n[[line"), "{city}");
            let back = import(&sheet(&bytes, form), &bare, &judged).unwrap_or_else(|report| panic!("{city}\n{report}"));
            assert_eq!(plan(&back.text).lines, plan(text).lines, "{city} {form:?}");
            assert_eq!(back.added, plan(text).lines.len());
        }
    }
}

#[test]
fn every_key_of_a_line_has_a_column() {
    // What is read of a line and a phase stands in docs/dialplan.md, a row for each key.
    let text = include_str!("../../../docs/dialplan.md");
    let lines = &text
        [text.find("`[[line]]`: a number").expect("there")..text.find("The modes and what they set").expect("there")];
    let keys = lines.lines().filter_map(|row| row.strip_prefix("| `")).flat_map(|row| {
        let cell = row.split(" |").next().unwrap_or_default();
        cell.split(['`', ',', ' ']).filter(|key| !key.is_empty()).collect::<Vec<_>>()
    });
    let keys: Vec<&str> = keys.collect();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let known = columns::COLUMNS.iter().any(|column| column.key.split('.').next() == Some(key));
        assert!(known, "{key}");
    }
}

#[test]
fn what_changes_is_written_and_all_else_keeps_its_comments() {
    // 12315 goes over to its own seats, 12349 gets another name, 12331 is gone, 12399 is new.
    let csv = exported(MIANYANG);
    let row = |number: &str| csv.lines().find(|row| row.starts_with(number)).expect("a row").to_owned();
    let new = row("12318").replace("12318", "12399").replace("greeting/12399", "greeting/12318");
    let kept: Vec<String> = csv
        .lines()
        .filter(|row| !row.starts_with("12331"))
        .map(|row| row.replace("全国统一民政服务电话", "民政热线"))
        .collect();
    let back = imported(&format!("{}\r\n{new}\r\n", kept.join("\r\n")), MIANYANG).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((back.added, back.changed, back.removed, back.same), (1, 1, 1, 16));
    let (old, now) = (plan(MIANYANG), plan(&back.text));
    let number = |text: &str| LineNumber::parse(text).expect("a number");
    assert!(!now.lines.contains_key(&number("12331")));
    assert_eq!(now.lines[&number("12349")].name, "民政热线");
    assert_eq!(now.lines[&number("12349")].phases, old.lines[&number("12349")].phases);
    assert_eq!(now.lines[&number("12399")].phases.len(), old.lines[&number("12318")].phases.len());
    assert_eq!((now.queues, now.trunks, now.seats), (old.queues, old.trunks, old.seats));
    let comments = |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).count();
    assert!(comments(MIANYANG) - comments(&back.text) <= 3, "only those above 12331 go");
    // And once more: nothing is left to do.
    let again = imported(&exported(&back.text), &back.text).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((again.text == back.text, again.changed), (true, 0));
}

#[test]
fn a_phase_that_stays_keeps_its_bytes_when_another_one_changes() {
    let text = MIANYANG.replacen("from = 2021-05-31\n", "from = 2021-05-31 # 附件: \"5月31日前\"\n", 1);
    let csv = exported(&text).replacen("2021-08-01,,已注销", "2021-08-02 08:30,,已注销", 1);
    let back = imported(&csv, &text).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(back.changed, 1);
    assert!(back.text.contains("from = 2021-05-31 # 附件") && back.text.contains("from = 2021-08-02T08:30:00\n"));
}

/// What is wrong, as "row, column: message" in one text.
fn wrong(csv: &str) -> String {
    imported(csv, MIANYANG).expect_err("it is refused")
}

#[test]
fn each_mistake_stands_at_its_row_and_column() {
    for (old, new, wanted) in [
        ("整体并入", "整体合并", "row 15, column M 归并方式"),
        ("2021-05-31,,整体并入", "2021-31-05,,整体并入", "row 15, column K 开始"),
        ("2021-05-31,2021-08-01", "五月底,2021-08-01", "row 15, column I 归并期限"),
        ("2021-08-01,,已注销", "2021-05-31,,已注销", "row 16, column K 开始"),
        ("general", "generel", "column R 队列"),
        ("sub-center-12366", "sub-center-12377", "column X 去向"),
        ("greeting/12345", "greeting/absent", "column U 问候语"),
        ("greeting/12345", "../x", "column U 问候语"),
    ] {
        let said = wrong(&changed(old, new));
        assert!(said.contains(wanted), "{old} -> {new}:\n{said}");
        assert_eq!(said.matches("error: ").count(), 1, "{old} -> {new} is told once:\n{said}");
        assert!(said.contains("hint"), "{said}");
    }
}

#[test]
fn an_unknown_unit_is_told_once_and_rows_of_a_line_that_differ_too() {
    let said = wrong(&exported(MIANYANG).replace("市自然资源和规划局", "国土局"));
    assert!(said.contains("no unit \"国土局\"") && said.contains("row 15, column C 责任单位"), "{said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    let row = "12336,全国统一自然资源违法举报电话,市自然资源和规划局";
    let said = wrong(&changed(row, &row.replace("市自然资源和规划局", "市住建委")));
    assert!(said.contains("stands in row 15 already, where 责任单位 is \"市住建委\""), "{said}");
}

#[test]
fn a_number_that_stands_for_two_lines_and_an_emergency_number_are_refused() {
    let csv = exported(MIANYANG);
    let second = csv.lines().find(|row| row.starts_with("12318")).expect("a row").replace("12318", "12369");
    let said = wrong(&format!("{csv}{second}\r\n"));
    assert!(said.contains("12369 stands in row") && said.contains("column B 名称"), "{said}");
    let said = wrong(&changed("12318", "110"));
    assert!(said.contains("emergency number") && said.contains("column A 号码"), "{said}");
    let said = wrong(&csv.replace("\r\n12318,", "\r\n,"));
    assert!(said.contains("the number is missing") && said.contains("column A 号码"), "{said}");
}

#[test]
fn trunks_are_shown_and_checked() {
    let csv = exported(MIANYANG);
    let row = csv.lines().find(|row| row.starts_with("12366")).expect("a row");
    let trunk = row.split(',').nth(26).expect("the column of trunks");
    assert!(!trunk.is_empty(), "{row}");
    let said = wrong(&csv.replace(&format!(",{trunk},"), ",telecon,"));
    assert!(said.contains("there is no trunk \"telecon\"") && said.contains("column AA 中继"), "{said}");
    let other = plan(MIANYANG).trunks.iter().map(|t| t.name.clone()).find(|name| name != trunk).expect("another");
    let said = wrong(&csv.replace(&format!(",{trunk},"), &format!(",{other},")));
    assert!(said.contains("go out over"), "{said}");
}

#[test]
fn all_mistakes_are_told_at_once_and_in_the_order_of_the_sheet() {
    let csv = exported(MIANYANG)
        .replacen("整体并入", "整体合并", 1)
        .replace("2021-10-31,,设分中心", "十月底,,设分中心")
        .replace("12385,", "119,");
    let said = wrong(&csv);
    let places: Vec<usize> =
        ["is an emergency number", "整体合并", "十月底"].map(|part| said.find(part).expect(part)).to_vec();
    assert!(places.is_sorted() && said.matches("error: ").count() == 3, "{said}");
}

#[test]
fn columns_are_known_by_their_heads_and_none_is_lost() {
    let csv = exported(MIANYANG);
    // In another order, with a note beside the table and an empty row in it.
    let turned: Vec<String> = csv
        .lines()
        .enumerate()
        .map(|(n, row)| {
            let cells: Vec<&str> = row.split(',').collect();
            let note = if n == 0 { "" } else { "已核对" };
            format!("{},{note},{}", cells[1..].join(","), cells[0].trim_start_matches('\u{feff}'))
        })
        .collect();
    let turned = turned.join("\r\n").replacen("\r\n", "\r\n,,,\r\n\r\n", 1);
    let back = imported(&turned, MIANYANG).unwrap_or_else(|why| panic!("{why}"));
    assert!(back.text == MIANYANG);
    for (old, new, part) in [
        ("归并方式", "归并方法", "did you mean \"归并方式\"?"),
        ("其他写法", "号码", "the column 号码 is there twice"),
        ("其他写法", "", "the column 其他写法 is missing"),
    ] {
        let said = wrong(&changed(old, new));
        assert!(said.contains(part) && said.contains("row 1, column"), "{said}");
    }
    assert!(wrong("").contains("the sheet is empty"));
}

#[test]
fn a_sheet_is_read_in_utf_8_and_gb18030_and_nothing_else() {
    let csv = exported(MIANYANG);
    let bare = csv.trim_start_matches('\u{feff}');
    let (gb, _, lost) = encoding_rs::GB18030.encode(bare);
    assert!(!lost);
    for bytes in [csv.as_bytes(), bare.as_bytes(), &gb] {
        let back = import(&sheet(bytes, Form::Csv), MIANYANG, &judged).unwrap_or_else(|report| panic!("{report}"));
        assert!(back.text == MIANYANG);
    }
    let refused = |bytes: &[u8]| read_csv("x.csv", bytes).expect_err("refused").to_string();
    let utf_16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(bare.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert!(refused(&utf_16).contains("UTF-16"));
    assert!(refused(b"\xff\xff\xff").contains("neither UTF-8 nor GB18030"));
    assert!(refused(b"PK\x03\x04").contains("a workbook, not CSV"));
    assert!(refused(&vec![b'a'; 10 << 20]).contains("10485760 bytes"));
    assert!(refused("a\n".repeat(5_001).as_bytes()).contains("row 5001 is beyond 5000 rows"));
    // What Excel writes where the list separator of the system is another.
    let back = imported(&bare.replace(',', ";"), MIANYANG).unwrap_or_else(|why| panic!("{why}"));
    assert!(back.text == MIANYANG);
}

#[test]
fn cells_that_begin_like_a_formula_are_texts_and_come_back() {
    for name in ["=HYPERLINK(\"http://x\")", "+86热线", "-1", "@SUM(A1)", "'=x", "'plain"] {
        let quoted = toml::Value::String(name.to_owned()).to_string();
        let text = MIANYANG.replacen("\"市场监管投诉举报热线\"", &quoted, 1);
        assert_ne!(text, MIANYANG);
        let bytes = export("x", &text, Form::Csv).expect("a sheet");
        let rows = csv_rows(&bytes);
        let cell = rows.iter().flatten().find(|cell| cell.ends_with(name)).expect("the cell");
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        for form in [Form::Csv, Form::Xlsx] {
            let bytes = export("x", &text, form).expect("a sheet");
            let back = import(&sheet(&bytes, form), &text, &judged).unwrap_or_else(|report| panic!("{report}"));
            assert!(back.text == text, "{name} {form:?}");
        }
    }
}

fn csv_rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
}

/// A workbook with these cells in place of Mianyang's: what an office makes of an export.
fn edited(edit: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0_u32..).zip(csv_rows(exported(MIANYANG).trim_start_matches('\u{feff}').as_bytes())) {
        for (column, cell) in (0_u16..).zip(cells) {
            sheet.write_string(row, column, &cell).expect("a cell");
        }
    }
    edit(sheet);
    book.save_to_buffer().expect("a workbook")
}

fn of_workbook(bytes: &[u8]) -> Result<Imported, String> {
    let grid = read_xlsx("lines.xlsx", bytes).map_err(|report| report.to_string())?;
    import(&grid, MIANYANG, &judged).map_err(|report| report.to_string())
}

#[test]
fn a_workbook_may_have_dates_numbers_and_texts() {
    use rust_xlsxwriter::{ExcelDateTime, Format};
    let date = Format::new().set_num_format("yyyy/m/d");
    let minute = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let bytes = edited(|sheet| {
        sheet.write_number(14, 0, 12336).expect("a number");
        let day = ExcelDateTime::from_ymd(2021, 5, 31).expect("a day");
        sheet.write_datetime_with_format(14, 10, &day, &date).expect("a date");
        let day = ExcelDateTime::from_ymd(2021, 8, 1).and_then(|day| day.and_hms(8, 35, 0.0)).expect("a minute");
        sheet.write_datetime_with_format(15, 10, &day, &minute).expect("a date");
    });
    let back = of_workbook(&bytes).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(back.changed, 1);
    assert!(back.text.contains("from = 2021-08-01T08:35:00"), "the rest is what it was");
    let line = &plan(&back.text).lines[&LineNumber::parse("12336").expect("a number")];
    assert!(matches!(line.phases[1].service, Service::Told(_)));
    assert_eq!(line.phases[0], plan(MIANYANG).lines[&line.number].phases[0]);
}

#[test]
fn a_workbook_with_merged_cells_numbers_for_dates_and_broken_formulas_is_refused_at_the_cell() {
    let merged = edited(|sheet| {
        let form = rust_xlsxwriter::Format::new();
        sheet.merge_range(1, 2, 4, 2, "市自然资源和规划局", &form).map(drop).expect("merged");
    });
    let said = of_workbook(&merged).expect_err("refused");
    assert!(said.contains("the cells C2 to C5 are merged") && said.contains("row 2, column C 责任单位"), "{said}");
    let said = of_workbook(&edited(|sheet| {
        sheet.write_number(14, 10, 44_347).expect("a number");
        sheet.write_formula(15, 2, rust_xlsxwriter::Formula::new("=1/0").set_result("#DIV/0!")).expect("a formula");
    }))
    .expect_err("refused");
    assert!(said.contains("\"44347\" is no day") && said.contains("row 15, column K 开始"), "{said}");
    assert!(said.contains("row 16, column C 责任单位"), "{said}");
}

#[test]
fn what_is_no_workbook_or_unpacks_into_too_much_is_refused_before_it_is_read() {
    let refused = |bytes: &[u8]| read_xlsx("x.xlsx", bytes).expect_err("refused").to_string();
    assert!(refused(b"").contains("no XLSX workbook"));
    assert!(refused(b"\xd0\xcf\x11\xe0 an old workbook").contains("no XLSX workbook"));
    assert!(refused(&vec![0; 10 << 20]).contains("10485760 bytes"));
    let mut bomb = export("x", MIANYANG, Form::Xlsx).expect("a workbook");
    let entry = bomb.windows(4).rposition(|w| w == b"PK\x01\x02").expect("its directory");
    bomb[entry + 24..entry + 28].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    assert!(refused(&bomb).contains("unpacks into"), "{}", refused(&bomb));
    // Whatever is damaged, it is refused or read, and never more.
    let good = export("x", MIANYANG, Form::Xlsx).expect("a workbook");
    for cut in (0..good.len()).step_by(101) {
        let _refused_or_not = read_xlsx("x.xlsx", &good[..cut]);
    }
}

#[test]
fn a_plan_whose_lines_stand_otherwise_is_refused_and_nothing_is_written() {
    let csv = exported(MIANYANG);
    let apart = format!("{MIANYANG}\n[[line.phase]]\nfrom = 2030-01-01\nmode = \"cancelled\"\n");
    let last = apart.rfind("[[line]]").expect("a line");
    let seats = apart.find("\n[[seat]]").expect("seats");
    assert!(seats > last);
    let why = imported(&csv, &apart).expect_err("a phase stands behind the seats");
    assert!(why.contains("in the middle of a line") || why.contains("do not stand as [[line]]"), "{why}");
    let why = imported(&csv, "line = [{ number = \"12345\" }]\n").expect_err("inline");
    assert!(why.contains("do not stand as [[line]]"), "{why}");
}
