//! `yihao recording export`: makes a file of a call's recording that other programs play.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::config::{self, Config, Overrides};
use crate::media::recording::{Recording, export};
use crate::store::calls::parse_call_id;
use crate::store::{self, Store};
use crate::types::CallId;

/// The file is written.
pub const OK: u8 = 0;
/// There is no recording of this call.
pub const NO_RECORDING: u8 = 1;
/// The recording cannot be read or the file not be written.
pub const FAILED: u8 = 2;

/// Bytes that hold the first chunk of a recording, which names its call.
const BEGINNING_BYTES: u64 = 4096;

/// Works on recordings.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What is done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is done with a recording.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a WAV or Ogg file of a call's recording: the caller left, everybody else right.
    Export(Export),
}

/// Makes a file of a recording.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao recording export c30117452718080001 --to call.wav
  yihao recording export c30117452718080001 --to call.wav --format wav-alaw

A recording that a crash has cut is exported up to the cut.

Exit codes: 0 written, 1 no recording of this call, 2 it cannot be read or written.")]
pub struct Export {
    /// The call, as `yihao calls` shows it.
    #[arg(value_name = "CALL")]
    pub call: String,
    /// The file to make.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Its format; without one the ending of the file decides.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the recordings are.
    #[command(flatten)]
    pub place: Place,
}

/// Where the recordings are.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The configuration of the exchange; without one the embedded defaults count.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of ledger, records and recordings.
    #[arg(long, value_name = "FOLDER", env = "YIHAO_VAR")]
    pub var: Option<PathBuf>,
}

impl Place {
    /// The configuration.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn config(&self) -> anyhow::Result<Config> {
        let overrides = Overrides { var: self.var.clone(), ..Overrides::default() };
        super::configuration(self.config.as_deref(), &overrides)
    }

    /// The records that a configuration names, to be read.
    ///
    /// # Errors
    /// When there are none, or they cannot be opened.
    pub async fn records(config: &Config) -> Result<Store, store::OpenError> {
        let password = config::secrets::database_password(&config.secrets);
        Store::open_read_only(&config.records(password.as_ref())).await
    }
}

/// Format of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// WAV with 16-bit PCM, at 16 kHz when any part of the call was wide-band.
    Wav,
    /// WAV with A-law at 8 kHz: half the size.
    WavAlaw,
    /// Ogg with Opus (in builds with the feature `opus`).
    Ogg,
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Exported {
    call: String,
    recording: PathBuf,
    file: PathBuf,
    seconds: f64,
    /// Whether its end was written; not when a crash cut it, or while it goes on.
    complete: bool,
    /// Whether bytes in it were changed; what follows them is missing.
    damaged: bool,
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    let Command::Export(args) = &args.command;
    match try_export(args) {
        Ok(Some(exported)) => {
            print(args, &exported);
            OK
        }
        Ok(None) => {
            complain!("yihao recording: there is no recording of {:?}; `yihao calls {0}` tells why", args.call);
            NO_RECORDING
        }
        Err(error) => {
            complain!("yihao recording: {error:#}");
            FAILED
        }
    }
}

fn print(args: &Export, exported: &Exported) {
    if args.json {
        say!("{}", serde_json::to_string_pretty(exported).expect("texts and numbers can be written as JSON"));
        return;
    }
    say!("{}: {:.1} s of {}", exported.file.display(), exported.seconds, exported.call);
    if exported.damaged {
        complain!("the recording is damaged; it was exported up to the damage");
    } else if !exported.complete {
        complain!("the recording has no end (a crash cut it, or the call goes on); it was exported up to there");
    }
}

fn try_export(args: &Export) -> anyhow::Result<Option<Exported>> {
    let Some(call) = parse_call_id(&args.call) else { return Ok(None) };
    let format = args.format.unwrap_or_else(|| by_ending(&args.to));
    if args.to.exists() && !args.force {
        bail!("{} is there already; choose another name or add --force", args.to.display());
    }
    let config = args.place.config()?;
    let Some(path) = find(call, &config)? else { return Ok(None) };
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let recording = Recording::read(&bytes).with_context(|| format!("cannot play {}", path.display()))?;
    write(&args.to, |out| convert(&recording, format, out))?;
    Ok(Some(Exported {
        call: call.to_string(),
        recording: path,
        file: args.to.clone(),
        seconds: recording.duration().as_secs_f64(),
        complete: recording.is_complete(),
        damaged: recording.is_damaged(),
    }))
}

fn by_ending(file: &Path) -> Format {
    match file.extension().and_then(|e| e.to_str()) {
        Some("ogg" | "opus" | "oga") => Format::Ogg,
        Some(_) | None => Format::Wav,
    }
}

fn convert(recording: &Recording<'_>, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    match format {
        Format::Wav => export::wav_pcm16(recording, out)?,
        Format::WavAlaw => export::wav_alaw(recording, out)?,
        #[cfg(feature = "opus")]
        Format::Ogg => export::ogg_opus(recording, out)?,
        #[cfg(not(feature = "opus"))]
        Format::Ogg => bail!("this yihao was built without Opus: build with `--features opus`, or export WAV"),
    }
    Ok(())
}

/// Writes beside the file and moves it there when it is whole. Voices are private: mode 0600.
fn write(to: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let filled = (|| {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        let mut out = BufWriter::new(file);
        fill(&mut out)?;
        out.flush()?;
        fs::rename(&part, to)?;
        anyhow::Ok(())
    })();
    if filled.is_err() {
        let _ = fs::remove_file(&part);
    }
    filled.with_context(|| format!("cannot write {}", to.display()))
}

/// The file of a call: as the records say, or else whichever recording names the call.
fn find(call: CallId, config: &Config) -> anyhow::Result<Option<PathBuf>> {
    let recordings = &config.folders.recordings;
    let known = recorded(call, config).map(|file| recordings.join(file)).filter(|path| path.is_file());
    match known {
        Some(path) => Ok(Some(path)),
        None => search(call, recordings),
    }
}

/// What the records say; nothing when they cannot be read, because the recordings can be found without.
fn recorded(call: CallId, config: &Config) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let records = Place::records(config).await.ok()?;
        records.recordings(call).await.ok()?.into_iter().next().map(|r| r.file)
    })
}

/// Looks through the folder: by name first, then into each file's first chunk.
fn search(call: CallId, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !folder.exists() {
        return Ok(None);
    }
    let mut files = Vec::new();
    walk(folder, &mut files).with_context(|| format!("cannot look through {}", folder.display()))?;
    let name = call.to_string();
    let named = files.iter().find(|f| f.file_stem().is_some_and(|stem| *stem == *name));
    Ok(named.or_else(|| files.iter().find(|f| is_of(f, call))).cloned())
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), into)?;
        } else if kind.is_file() {
            into.push(entry.path());
        }
    }
    Ok(())
}

fn is_of(file: &Path, call: CallId) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|f| f.take(BEGINNING_BYTES).read_to_end(&mut beginning));
    read.is_ok() && Recording::read(&beginning).is_ok_and(|r| r.call() == call)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::media::recording::{Channel, Encoding, Role, Start, Writer};
    use crate::types::{LegId, Wall};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn export(words: &str, var: &Path) -> u8 {
        let words = words.replace("VAR", var.to_str().unwrap());
        let words = ["recording", "export"].into_iter().chain(words.split_whitespace());
        run(&Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{e}")).args)
    }

    /// Half a second of A-law silence of the caller.
    fn recording(call: u64) -> Vec<u8> {
        let mut writer = Writer::new(Start { call: CallId(call), started: Wall(0) });
        writer.joined(LegId(1), Channel::Caller, Role::Caller, 0);
        writer.audio(LegId(1), Channel::Caller, Encoding::Alaw, 0, &[0xd5; 4000]);
        let mut bytes = Vec::new();
        writer.end(4000, &mut bytes);
        bytes
    }

    fn var(file: &str, bytes: &[u8]) -> tempfile::TempDir {
        let var = tempfile::tempdir().unwrap();
        let path = var.path().join("recordings").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        var
    }

    #[test]
    fn a_recording_is_found_without_records_by_name_or_by_what_it_says() {
        for file in ["2026-11-23/c77", "elsewhere/renamed.bin"] {
            let var = var(file, &recording(77));
            assert_eq!(export("c77 --to VAR/a.wav --var VAR", var.path()), OK, "{file}");
            let wav = fs::read(var.path().join("a.wav")).unwrap();
            assert_eq!((&wav[..4], &wav[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
            assert!(wav.len() > 4000 * 2 * 2, "two channels of 16 bits");
            assert_eq!(export("77 --to VAR/b.wav --format wav-alaw --var VAR", var.path()), OK);
            assert!(fs::metadata(var.path().join("b.wav")).unwrap().len() < wav.len() as u64);
            assert_eq!(export("c78 --to VAR/c.wav --var VAR", var.path()), NO_RECORDING);
            assert!(!var.path().join("c.wav").exists());
        }
    }

    #[test]
    fn a_recording_that_was_cut_is_exported_up_to_the_cut() {
        let whole = recording(77);
        let var = var("2026-11-23/c77", &whole[..whole.len() - 5]);
        assert_eq!(export("c77 --to VAR/a.wav --var VAR", var.path()), OK);
        assert!(fs::metadata(var.path().join("a.wav")).unwrap().len() > 4000 * 2 * 2);
    }

    #[test]
    fn a_file_that_is_there_is_written_over_only_by_force_and_never_half() {
        let var = var("2026-11-23/c77", &recording(77));
        fs::write(var.path().join("a.wav"), "mine").unwrap();
        assert_eq!(export("c77 --to VAR/a.wav --var VAR", var.path()), FAILED);
        assert_eq!(fs::read(var.path().join("a.wav")).unwrap(), b"mine");
        assert_eq!(export("c77 --to VAR/a.wav --force --var VAR", var.path()), OK);
        assert_ne!(fs::read(var.path().join("a.wav")).unwrap(), b"mine");
        assert_eq!(export("c77 --to VAR/nowhere/a.wav --var VAR", var.path()), FAILED);
        assert!(!var.path().join("a.wav.part").exists());
    }

    #[test]
    fn the_voices_in_the_file_are_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let var = var("2026-11-23/c77", &recording(77));
        assert_eq!(export("c77 --to VAR/a.wav --var VAR", var.path()), OK);
        assert_eq!(fs::metadata(var.path().join("a.wav")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn arguments_are_sound_and_the_ending_names_the_format() {
        Cli::command().debug_assert();
        assert_eq!(by_ending(Path::new("a.ogg")), Format::Ogg);
        assert_eq!(by_ending(Path::new("a.wav")), Format::Wav);
        assert_eq!(by_ending(Path::new("a")), Format::Wav);
    }
}
