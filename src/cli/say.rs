//! How commands speak. A reader that is gone (`yihao serve | head -1`, a closed terminal) must not end the exchange, so
//! what cannot be written is given up; the exit code says how a command went. `println!` panics instead.

use std::fmt::Arguments;

/// A line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::output(format_args!($($text)*)) };
}

/// A line on standard error: why a command failed.
macro_rules! complain {
    ($($text:tt)*) => { $crate::cli::say::error(format_args!($($text)*)) };
}

#[cfg(not(test))]
pub(super) fn output(text: Arguments<'_>) {
    use std::io::Write;
    let _nobody_listens = writeln!(std::io::stdout(), "{text}");
}

#[cfg(not(test))]
pub(super) fn error(text: Arguments<'_>) {
    use std::io::Write;
    let _nobody_listens = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "what goes this way is shown with a test that fails, and only then")]
pub(super) fn output(text: Arguments<'_>) {
    println!("{text}");
}

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "what goes this way is shown with a test that fails, and only then")]
pub(super) fn error(text: Arguments<'_>) {
    eprintln!("{text}");
}
