//! How commands speak. A reader that is gone (`yihao serve | head -1`, a closed terminal) must not end the exchange, so
//! what cannot be written is given up; the exit code says how a command went. `println!` panics instead.

/// A line on standard output.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _nobody_listens = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// A line on standard error: why a command failed.
macro_rules! complain {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _nobody_listens = writeln!(std::io::stderr(), $($text)*);
    }};
}
