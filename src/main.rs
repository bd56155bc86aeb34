//! Parses arguments and calls `cli`.

fn main() {}
