//! What the disk says: files that are there, readable, and private enough.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whether a prompt lies in the folder, at 8 kHz: the form that every line needs. The one at 16 kHz is made from it when absent.
pub fn prompt_is_there(folder: &Path, name: &str) -> bool {
    folder.join("8k").join(format!("{name}.wav")).is_file()
}

/// Reads a whole text file, or says in words why not.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|e| format!("cannot be read: {}", in_words(&e)))?;
    String::from_utf8(bytes).map_err(|e| format!("is not UTF-8 text (byte {} is wrong)", e.utf8_error().valid_up_to()))
}

fn in_words(e: &io::Error) -> String {
    let kind = e.kind();
    if kind == ErrorKind::NotFound {
        "there is no such file".to_owned()
    } else if kind == ErrorKind::PermissionDenied {
        "this user may not read it".to_owned()
    } else {
        e.to_string()
    }
}

/// Whether anybody on the machine may read a file; `None` when it cannot be looked at.
pub(super) fn is_open_to_all(path: &Path) -> Option<bool> {
    fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

/// Whether a file begins like PEM of a kind: "CERTIFICATE", "PRIVATE KEY".
pub(super) fn is_pem(path: &Path, kind: &str) -> Result<(), String> {
    let text = read(path)?;
    let good =
        text.lines().any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{kind}-----")));
    if good { Ok(()) } else { Err(format!("holds no {kind} in PEM form")) }
}
