//! The secrets file: HA1 of telephones, passwords of trunks. Separate from plan and configuration, readable by its owner only.
//!
//! Nothing of it is ever shown: excerpts in messages are masked, `Debug` hides it.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::outside;
use crate::dialplan::Plan;
use crate::dialplan::report::{Report, Source};
use crate::dialplan::table::{Reader, Table};
use crate::sip::auth::{Algorithm, Credentials};
use crate::types::SeatId;

/// What telephones and trunks prove themselves with.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Credentials of the telephones that register; the user name is the seat's number.
    pub seats: BTreeMap<SeatId, Credentials>,
    /// Passwords for registering at carriers, by the trunk's name.
    pub trunks: BTreeMap<String, Password>,
    /// Password of the database server.
    pub database: Option<Password>,
}

/// A password that we must know in clear, because the carrier chooses realm and algorithm. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The password, for the digest only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Reads the secrets and holds them against the plan. There are secrets exactly when the report has no error; a file that is
/// absent means no secrets, with a warning when the plan needs some.
pub fn load(path: &Path, realm: &str, plan: &Plan) -> (Option<Secrets>, Report) {
    let name = path.display().to_string();
    if !path.exists() {
        return absent(&name, plan);
    }
    if outside::is_open_to_all(path) == Some(true) {
        let message = "everybody on this machine may read the secrets";
        return (None, Report::of_file(&name, message, format!("chmod 600 {name}")));
    }
    match outside::read(path) {
        Ok(text) => read(&name, &text, realm, plan),
        Err(why) => (
            None,
            Report::of_file(&name, format!("the secrets file {why}"), "it belongs to the user that runs the node"),
        ),
    }
}

fn absent(name: &str, plan: &Plan) -> (Option<Secrets>, Report) {
    let wanting = plan.trunks.iter().find(|trunk| trunk.register.is_some());
    if let Some(trunk) = wanting {
        let message = format!(
            "the trunk {:?} registers at its carrier and there is no secrets file with its password",
            trunk.name
        );
        let hint = format!("write {name} with mode 600: [[trunk]] name = {:?}, password = \"...\"", trunk.name);
        return (None, Report::of_file(name, message, hint));
    }
    let mut report = Report::default();
    if plan.seats.values().any(|seat| seat.contact.is_none()) {
        let message = "there is no secrets file: no telephone can register";
        let hint = "write one with mode 600, an entry [[seat]] for each telephone";
        report.warnings = Report::of_file(name, message, hint).errors;
    }
    (Some(Secrets::default()), report)
}

/// Reads the text of a secrets file. `name` stands in messages.
pub fn read(name: &str, text: &str, realm: &str, plan: &Plan) -> (Option<Secrets>, Report) {
    let reader = Reader::new(Source::hiding(name, text));
    let secrets = reader.root().map(|root| {
        check_realm(&root, realm);
        let secrets = Secrets {
            seats: read_seats(&root, plan),
            trunks: read_trunks(&root, plan),
            database: read_database(&root),
        };
        root.finish();
        warn_of_seats_without(&reader, &secrets, plan);
        secrets
    });
    let report = reader.into_report();
    (secrets.filter(|_| report.is_ok()), report)
}

fn check_realm(root: &Table<'_, '_>, realm: &str) {
    let hint = format!("HA1 hold for one realm only; the configuration's is {realm:?}");
    let Some(at) = root.need_text("realm", &hint) else { return };
    if at.value != realm {
        root.reader().error(
            at.span,
            &at.key,
            "these secrets were made for another realm: no telephone could register",
            Some(hint),
        );
    }
}

fn read_seats(root: &Table<'_, '_>, plan: &Plan) -> BTreeMap<SeatId, Credentials> {
    let mut seats = BTreeMap::new();
    for table in root.tables("seat") {
        let hint = "made by hashing user:realm:password";
        let number = table.number("number", 100..=99_999_999);
        if !table.has("number") {
            table.missing("number", "the seat's number, which is the user name too: number = 8001");
        }
        let md5 = table.parsed("md5", hint, |text| Credentials::from_hex(Some(text), None));
        let sha256 = table.parsed("sha256", hint, |text| Credentials::from_hex(None, Some(text)));
        if !table.has("md5") && !table.has("sha256") {
            table.missing("sha256", "give md5, sha256 or both");
        }
        table.finish();
        let Some(number) = number else { continue };
        let seat = SeatId(number.value);
        if !plan.seats.contains_key(&seat) {
            root.reader().warning(
                number.span.clone(),
                &number.key,
                format!("the plan has no seat {}", number.value),
                None,
            );
        }
        let ha1_md5 = md5.and_then(|at| at.value.ha1_md5);
        let ha1_sha256 = sha256.and_then(|at| at.value.ha1_sha256);
        if seats.insert(seat, Credentials { ha1_md5, ha1_sha256 }).is_some() {
            root.reader().error(
                number.span,
                &number.key,
                format!("there are two entries for the seat {}", number.value),
                None,
            );
        }
    }
    seats
}

fn read_trunks(root: &Table<'_, '_>, plan: &Plan) -> BTreeMap<String, Password> {
    let mut trunks = BTreeMap::new();
    for table in root.tables("trunk") {
        let name = table.need_text("name", "the trunk's name in the plan");
        let password = table.need_text("password", "the password of our account at the carrier");
        table.finish();
        let (Some(name), Some(password)) = (name, password) else { continue };
        if plan.trunk_named(&name.value).is_none() {
            root.reader().warning(
                name.span.clone(),
                &name.key,
                format!("the plan has no trunk {:?}", name.value),
                None,
            );
        }
        if trunks.insert(name.value.clone(), Password(password.value)).is_some() {
            root.reader().error(
                name.span,
                &name.key,
                format!("there are two entries for the trunk {:?}", name.value),
                None,
            );
        }
    }
    for trunk in plan.trunks.iter().filter(|trunk| trunk.register.is_some() && !trunks.contains_key(&trunk.name)) {
        let message = format!("the trunk {:?} registers at its carrier and has no password here", trunk.name);
        root.reader().absent("trunk", message, Some(format!("[[trunk]] name = {:?}, password = \"...\"", trunk.name)));
    }
    trunks
}

fn read_database(root: &Table<'_, '_>) -> Option<Password> {
    let table = root.table("database")?;
    let password = table.need_text("password", "the password of the user that the database address names");
    table.finish();
    password.map(|at| Password(at.value))
}

/// The password of the database server alone, for commands that read records and need neither plan nor telephones.
pub fn database_password(path: &Path) -> Option<Password> {
    let text = outside::read(path).ok()?;
    let reader = Reader::new(Source::hiding("secrets", &text));
    read_database(&reader.root()?)
}

fn warn_of_seats_without(reader: &Reader<'_>, secrets: &Secrets, plan: &Plan) {
    let without = |seat: &&SeatId| !secrets.seats.contains_key(seat) && plan.seats[seat].contact.is_none();
    let seats: Vec<String> = plan.seats.keys().filter(without).map(|seat| seat.0.to_string()).collect();
    if !seats.is_empty() {
        let message = format!(
            "these seats have neither a secret nor a fixed contact and cannot be reached: {}",
            seats.join(", ")
        );
        reader.warn_absent("seat", message, None);
    }
}

/// Warns of telephones whose HA1 does not fit the algorithm that is offered first: those that take it are refused, whatever
/// else stands beside it.
pub fn check_algorithms(path: &Path, secrets: &Secrets, offered: &[Algorithm]) -> Report {
    let Some(first) = offered.first() else { return Report::default() };
    let lacks = |credentials: &Credentials| match first {
        Algorithm::Md5 => credentials.ha1_md5.is_none(),
        Algorithm::Sha256 => credentials.ha1_sha256.is_none(),
        // No HA1 is kept for it.
        Algorithm::Sha512_256 => true,
    };
    let seats: Vec<String> =
        secrets.seats.iter().filter(|(_, stored)| lacks(stored)).map(|(seat, _)| seat.0.to_string()).collect();
    if seats.is_empty() {
        return Report::default();
    }
    let message = format!("no HA1 for {first}, which telephones are offered first: {}", seats.join(", "));
    let hint = format!(
        "a telephone that takes {first} is refused; add its hash, or take {first} out of `digest` in the configuration"
    );
    let found = Report::of_file(&path.display().to_string(), message, hint);
    Report { errors: Vec::new(), warnings: found.errors }
}

/// One entry of the file, made from a password.
pub fn seat_entry(seat: SeatId, realm: &str, password: &str) -> String {
    let credentials = Credentials::from_password(&seat.0.to_string(), realm, password);
    let mut entry = format!("[[seat]]\nnumber = {}\n", seat.0);
    for (key, ha1) in [("md5", credentials.ha1_md5.map(hex)), ("sha256", credentials.ha1_sha256.map(hex))] {
        if let Some(ha1) = ha1 {
            writeln!(entry, "{key} = \"{ha1}\"").expect("a String takes all");
        }
    }
    entry
}

fn hex<const N: usize>(bytes: [u8; N]) -> String {
    bytes.iter().fold(String::with_capacity(2 * N), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// A password of 12 signs that can be read out over a telephone (no 0, 1, l, o), 5 bits of the random bytes each: 60 bits.
pub fn readable_password(random: [u8; 12]) -> String {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    random.iter().map(|byte| char::from(SIGNS[usize::from(byte % 32)])).collect()
}

/// Writes a new secrets file for all seats of a plan without a fixed contact, readable by its owner only.
///
/// `password` gives each seat's password. Folders are made.
///
/// # Errors
/// The file exists already (it is never overwritten), or the disk refuses.
pub fn create(path: &Path, realm: &str, plan: &Plan, mut password: impl FnMut(SeatId) -> String) -> io::Result<()> {
    let mut text = format!(
        "# Secrets of this node: keep to yourself (mode 600). HA1 of each telephone for this realm.\nrealm = {realm:?}\n"
    );
    for seat in plan.seats.values().filter(|seat| seat.contact.is_none()) {
        write!(text, "\n{}", seat_entry(seat.id, realm, &password(seat.id))).expect("a String takes all");
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::Seat;

    fn plan() -> Plan {
        let seat =
            |id| Seat { id: SeatId(id), name: String::new(), skills: Vec::new(), contact: None, auto_answer: false };
        Plan { seats: [(SeatId(8001), seat(8001)), (SeatId(8002), seat(8002))].into(), ..Plan::default() }
    }

    #[test]
    fn what_is_created_is_read_back_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/secrets.toml");
        create(&path, "yihao", &plan(), |seat| format!("word-{}", seat.0)).expect("written");
        let (secrets, report) = load(&path, "yihao", &plan());
        assert!(report.is_clean(), "{report}");
        let seats = secrets.expect("secrets").seats;
        assert!(seats[&SeatId(8002)] == Credentials::from_password("8002", "yihao", "word-8002"));
        assert_eq!(outside::is_open_to_all(&path), Some(false));
        assert!(create(&path, "yihao", &plan(), |_| String::new()).is_err(), "never overwritten");
    }

    #[test]
    fn telephones_without_a_hash_for_what_is_offered_first_are_named() {
        let [both, md5] = [true, false].map(|sha256| Credentials::stand_in("", "", true, sha256));
        let secrets = Secrets { seats: [(SeatId(8001), both), (SeatId(8002), md5)].into(), ..Secrets::default() };
        let check = |offered: &[Algorithm]| check_algorithms(Path::new("s.toml"), &secrets, offered);
        let report = check(&[Algorithm::Sha256, Algorithm::Md5]);
        assert!(report.is_ok() && report.warnings[0].message.ends_with("offered first: 8002"), "{report}");
        assert!(check(&[Algorithm::Md5, Algorithm::Sha256]).is_clean());
    }

    #[test]
    fn a_made_password_has_no_signs_that_are_mixed_up() {
        let all: Vec<String> = (0..=255).map(|byte| readable_password([byte; 12])).collect();
        assert!(all.iter().all(|word| word.len() == 12 && !word.contains(['0', '1', 'l', 'o'])));
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), 32);
    }

    #[test]
    fn a_file_open_to_all_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets.toml");
        fs::write(&path, "realm = \"yihao\"\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        let (secrets, report) = load(&path, "yihao", &plan());
        assert!(
            secrets.is_none() && report.errors[0].hint.as_deref().is_some_and(|hint| hint.starts_with("chmod 600"))
        );
    }

    #[test]
    fn no_message_shows_a_secret() {
        let text = "realm = \"other\"\n[[seat]]\nnumber = 8001\nmd5 = \"0123-geheim\"\npasword = \"geheim\"\n[[trunk]]\nname = \"telecom\"\npassword = \"geheim\"\n";
        let (secrets, report) = read("secrets.toml", text, "yihao", &plan());
        assert!(secrets.is_none());
        let shown = report.to_string() + &serde_json::to_string(&report).expect("json");
        assert!(!shown.contains("geheim"), "{shown}");
        let places: Vec<_> = report.errors.iter().map(|e| e.place.as_ref().map(|p| (p.line, p.column))).collect();
        assert_eq!(places, [Some((1, 9)), Some((4, 7)), Some((5, 1))], "{shown}");
        assert!(report.warnings.iter().any(|w| w.message.contains("8002")), "a seat that cannot be reached is named");
        assert!(!format!("{:?}", Password::new("geheim")).contains("geheim"));
    }

    #[test]
    fn a_registering_trunk_without_password_is_an_error() {
        let mut plan = plan();
        plan.trunks = vec![crate::dialplan::Trunk {
            id: crate::types::TrunkId(0),
            name: "t".into(),
            network: "main".into(),
            sources: Vec::new(),
            tls_identity: None,
            address: None,
            register: Some(crate::dialplan::TrunkRegister { user: "u".into(), domain: None, expires_s: 3_600 }),
            called_from: crate::dialplan::CalledFrom::To,
            area_code: "816".into(),
            max_calls: None,
            max_calls_per_s: None,
            options_s: None,
            reaches: crate::dialplan::Reaches::Network,
            media_over_tls: crate::types::TlsMedia::Srtp,
            caller_policy: crate::dialplan::CallerPolicy::Own(
                crate::types::LineNumber::parse("12345").expect("a number"),
            ),
            group: None,
        }];
        let (secrets, report) = read("s", "realm = \"yihao\"\n", "yihao", &plan);
        assert!(secrets.is_none() && report.errors[0].message.contains("has no password"), "{report}");
        assert!(load(Path::new("/nonexistent/secrets.toml"), "yihao", &plan).0.is_none());
    }
}
