//! `/api/v1/records/{call}/recording`: a recording as WAV, whole or in ranges. Each playback is noted before it begins.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::rights::{HearRecordings, May};
use super::session::Session;
use crate::store::calls::parse_call_id;
use crate::types::CallId;

/// Makes WAV of a recording, named as below the recording folder. The node brings it: the API knows no media.
pub type Render = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// Renderings that are kept, because a player asks for many ranges of one.
const KEPT: usize = 4;
/// Longest rendering that is kept: half an hour of two channels at 8 kHz and 16 bits.
const KEPT_BYTES: usize = 64 << 20;

/// The last renderings by file, oldest first.
#[derive(Debug, Default)]
pub(super) struct Rendered(Mutex<Vec<(String, Bytes)>>);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(play))
}

/// The recording of a call as WAV: the caller left, everybody else right. Understands `Range: bytes=`.
#[utoipa::path(get, path = "/records/{call}/recording", tag = "records",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001"),
        ("Range" = Option<String>, Header, description = "One range of bytes", example = "bytes=0-1023")),
    responses((status = 200, content_type = "audio/wav", body = Vec<u8>),
        (status = 206, content_type = "audio/wav", body = Vec<u8>),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn play(
    State(shared): State<Shared>,
    who: May<HearRecordings>,
    Path(call): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let call = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    let recordings = shared.store.recordings(call).await?;
    let file = recordings.into_iter().next().ok_or(ApiError::NoSuchRecording)?.file;
    give(&shared, &who.session, (call, file), &headers).await
}

/// Notes the playback of a call's file and gives what was asked for of it.
pub(super) async fn give(
    shared: &Shared,
    who: &Session,
    (call, file): (CallId, String),
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let asked = headers.get(header::RANGE).and_then(|v| v.to_str().ok());
    note(shared, who, Action::RecordingHeard, &call.to_string(), json!({"range": asked.map(short)})).await?;
    let wav = rendered(shared, file).await?;
    Ok(part(&wav, asked))
}

fn short(range: &str) -> String {
    range.chars().filter(|c| !c.is_control()).take(40).collect()
}

async fn rendered(shared: &Shared, file: String) -> Result<Bytes, ApiError> {
    // Held while it is rendered: a player's second range waits for the first instead of rendering again, and two renderings
    // at a time would take the cores from calls.
    let mut kept = shared.rendered.0.lock().await;
    if let Some((_, wav)) = kept.iter().find(|(name, _)| *name == file) {
        return Ok(wav.clone());
    }
    let (render, name) = (Arc::clone(&shared.render), file.clone());
    let wav = tokio::task::spawn_blocking(move || render(&name)).await.map_err(|_| ApiError::RecordingUnreadable)?;
    let wav = Bytes::from(wav.map_err(|why| {
        tracing::warn!(file, why, "a recording cannot be played");
        ApiError::RecordingUnreadable
    })?);
    if wav.len() <= KEPT_BYTES {
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((file, wav.clone()));
    }
    Ok(wav)
}

/// What a `Range` asks for (RFC 9110 14.1.2). Several ranges, or what is no range, get the whole (14.2).
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<usize>),
    Outside,
}

fn range(asked: Option<&str>, length: usize) -> Asked {
    let Some((first, last)) = asked.and_then(|text| text.trim().strip_prefix("bytes=")?.split_once('-')) else {
        return Asked::Whole;
    };
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let wanted = match (first.trim(), last.trim()) {
        ("", last) => number(last).map(|tail| length.saturating_sub(tail)..length),
        (first, "") => number(first).map(|first| first..length),
        (first, last) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..last.saturating_add(1).min(length)),
    };
    match wanted {
        None => Asked::Whole,
        Some(wanted) if wanted.start < wanted.end => Asked::Part(wanted),
        Some(_) => Asked::Outside,
    }
}

fn part(wav: &Bytes, asked: Option<&str>) -> Response {
    let common = [
        (header::CONTENT_TYPE, "audio/wav".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // Voices are kept nowhere else.
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let length = wav.len();
    match range(asked, length) {
        Asked::Whole => (common, Body::from(wav.clone())).into_response(),
        Asked::Part(range) => {
            let of = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let body = Body::from(wav.slice(range));
            (StatusCode::PARTIAL_CONTENT, common, [(header::CONTENT_RANGE, of)], body).into_response()
        }
        Asked::Outside => {
            let of = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, of).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (asked, expected) in [
            (None, Asked::Whole),
            (Some("bytes=0-0"), Asked::Part(0..1)),
            (Some("bytes=10-"), Asked::Part(10..100)),
            (Some("bytes=90-900"), Asked::Part(90..100)),
            (Some("bytes=-10"), Asked::Part(90..100)),
            (Some("bytes=-1000"), Asked::Part(0..100)),
            (Some("bytes=100-"), Asked::Outside),
            (Some("bytes=-0"), Asked::Outside),
            (Some("bytes=5-2"), Asked::Whole),
            (Some("bytes=0-1,5-6"), Asked::Whole),
            (Some("lines=0-1"), Asked::Whole),
            (Some("bytes=a-b"), Asked::Whole),
            (Some("bytes=99999999999999999999999-"), Asked::Whole),
        ] {
            assert_eq!(range(asked, 100), expected, "{asked:?}");
        }
        assert_eq!(range(Some("bytes=0-5"), 0), Asked::Outside);
    }
}
