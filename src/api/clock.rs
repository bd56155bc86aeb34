//! The one place of the API that reads the wall clock.

/// Now, milliseconds since 1970.
pub(super) fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
