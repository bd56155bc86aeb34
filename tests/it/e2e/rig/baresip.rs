//! baresip as a seat's phone: registers, answers by itself, plays a tone and keeps what it hears.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::site::{Site, password};
use super::{s, until};

/// A running baresip.
#[derive(Debug)]
pub(crate) struct Baresip {
    process: Process,
    folder: PathBuf,
}

impl Baresip {
    /// Registers as a seat and answers every call with a tone. Over TLS it wants SRTP, with keys of SDES.
    pub(crate) fn seat(site: &Site, number: u32, host: u8, transport: &str, tone: &Path) -> Self {
        let folder = site.file(&format!("baresip-{number}"));
        fs::create_dir_all(&folder).unwrap();
        let local = SocketAddr::new(site.street.at(host), 5060);
        let (exchange, secure) =
            if transport == "tls" { (site.sip_tls(), ";mediaenc=srtp-mand") } else { (site.sip(), "") };
        let account = format!(
            "<sip:{number}@{exchange};transport={transport}>;auth_pass={};answermode=auto;regint=120;audio_codecs=PCMA{secure}\n",
            password(number)
        );
        fs::write(folder.join("accounts"), account).unwrap();
        fs::write(folder.join("config"), config(local, tone, &folder)).unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&folder);
        let process = Process::start("baresip", command, &folder.join("log"));
        let baresip = Self { process, folder };
        until(&format!("baresip to register: {}", baresip.process.log.display()), s(15), || {
            baresip.said("200 OK").then_some(())
        });
        baresip
    }

    /// Whether it has said this.
    pub(crate) fn said(&self, text: &str) -> bool {
        fs::read(&self.process.log).is_ok_and(|said| String::from_utf8_lossy(&said).contains(text))
    }

    /// What it heard (`dec`) in files of its own, the newest.
    pub(crate) fn heard(&self) -> Option<PathBuf> {
        let files = fs::read_dir(&self.folder).ok()?;
        files.filter_map(|f| Some(f.ok()?.path())).find(|path| path.to_string_lossy().ends_with("-dec.wav"))
    }

    /// The end of what it said.
    pub(crate) fn last_words(&self) -> String {
        self.process.last_words()
    }
}

/// `aufile` plays the tone, `aubridge` takes the sound, `sndfile` keeps it.
fn config(local: SocketAddr, tone: &Path, folder: &Path) -> String {
    format!(
        "poll_method epoll\nsip_listen {local}\nrtp_ports 6000-6998\nrtp_timeout 0\n\
         audio_player aubridge,heard\naudio_source aufile,{}\naudio_alert aubridge,alert\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
         module_path /usr/lib/baresip/modules\n\
         module stdio.so\nmodule g711.so\nmodule srtp.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nsnd_path {}\n\
         module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n",
        tone.display(),
        folder.display()
    )
}
