//! `/api/v1/wishes`: what callers who left a queue want done later; one person takes a wish and does it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Params};
use super::rights::{HandleWishes, Lead, May, Scope, check};
use super::session::Session;
use super::{Shared, clock, recordings};
use crate::store::calls::parse_call_id;
use crate::store::wishes::Wish;
use crate::types::{CallId, Wall};

/// Wishes of a list, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (100, 1_000);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(take)).routes(routes!(done)).routes(routes!(message))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Question {
    /// Most wishes.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Open wishes.
#[derive(Serialize, ToSchema)]
struct Wishes {
    /// Oldest first.
    wishes: Vec<OneWish>,
}

/// A wish.
#[derive(Serialize, ToSchema)]
struct OneWish {
    /// The call in which it was left.
    #[schema(example = "c30117452718080001")]
    call: String,
    /// With the call it names the wish.
    #[schema(example = 5046586572802_i64)]
    seq: i64,
    /// When it was left, milliseconds since 1970.
    at: i64,
    /// `callback` or `message`.
    #[schema(example = "callback")]
    kind: String,
    /// The line that was dialled.
    #[schema(example = "12345")]
    line: String,
    /// The caller's number; for agents and experts hidden in its middle until they have taken the wish.
    #[schema(example = "139****1234")]
    number: Option<String>,
    /// Login of whoever sees to it.
    #[schema(example = "wangfang")]
    taken_by: Option<String>,
    /// Since when.
    taken_at: Option<i64>,
}

impl OneWish {
    fn of(wish: Wish, who: &Session, scope: Scope) -> Self {
        let whole = scope == Scope::All || wish.taken_by.as_deref() == Some(&who.account.login);
        Self {
            call: wish.call_id,
            seq: wish.seq,
            at: wish.at,
            kind: wish.kind,
            line: wish.line,
            number: wish.number.map(|number| if whole { number } else { masked(&number) }),
            taken_by: wish.taken_by,
            taken_at: wish.taken_at,
        }
    }
}

/// A number of which only the first three and, of a long one, the last four digits show.
fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    let shown_last = if digits.len() >= 11 { 4 } else { 0 };
    let hidden = |at: usize| at >= 3 && at + shown_last < digits.len();
    digits.iter().enumerate().map(|(at, digit)| if hidden(at) { '*' } else { *digit }).collect()
}

/// Wishes that nobody has done yet. The look is noted.
#[utoipa::path(get, path = "/wishes", tag = "wishes", params(Question),
    responses((status = 200, body = Wishes), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(
    State(shared): State<Shared>,
    who: May<HandleWishes>,
    Params(question): Params<Question>,
) -> Result<Json<Wishes>, ApiError> {
    let limit = question.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let open = shared.store.open_wishes(limit).await?;
    let ids: Vec<&str> = open.iter().map(|w| w.call_id.as_str()).take(50).collect();
    note(&shared, &who.session, Action::WishesListed, "", json!({"count": open.len(), "first": ids})).await?;
    let scope = who.scope();
    Ok(Json(Wishes { wishes: open.into_iter().map(|wish| OneWish::of(wish, &who.session, scope)).collect() }))
}

/// How a wish is taken.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"take_over": false}))]
struct Take {
    /// Supervisors: also when somebody else sees to it.
    #[serde(default)]
    take_over: bool,
}

/// Takes a wish to see to it; gives it with the whole number. Noted. Again by the same person: nothing changes.
#[utoipa::path(post, path = "/wishes/{call}/{seq}/take", tag = "wishes", request_body = Take,
    params(("call" = String, Path, description = "The call", example = "c30117452718080001"),
        ("seq" = i64, Path, description = "With the call it names the wish", example = 5046586572802_i64)),
    responses((status = 200, body = OneWish), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn take(
    State(shared): State<Shared>,
    who: May<HandleWishes>,
    Path((call, seq)): Path<(String, String)>,
    Body(take): Body<Take>,
) -> Result<Json<OneWish>, ApiError> {
    let wish = named(&call, &seq)?;
    if take.take_over {
        check::<Lead>(&who.session)?;
    }
    let login = &who.session.account.login;
    let now = Wall(clock::wall_ms());
    note(&shared, &who.session, Action::WishTaken, &wish.0.to_string(), json!({"take_over": take.take_over})).await?;
    let taken = shared.store.take_wish(wish, login, take.take_over, now).await?;
    let found = shared.store.wish(wish.0, wish.1).await?.ok_or(ApiError::NoSuchWish)?;
    match taken {
        true => Ok(Json(OneWish::of(found, &who.session, Scope::Own))),
        false if found.done_at.is_some() => Err(ApiError::WishDone),
        false => Err(ApiError::WishTaken),
    }
}

/// Notes that a wish was done, by whoever has taken it. Noted. Again by the same person: nothing happens.
#[utoipa::path(post, path = "/wishes/{call}/{seq}/done", tag = "wishes",
    params(("call" = String, Path, description = "The call", example = "c30117452718080001"),
        ("seq" = i64, Path, description = "With the call it names the wish", example = 5046586572802_i64)),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn done(
    State(shared): State<Shared>,
    who: May<HandleWishes>,
    Path((call, seq)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let wish = named(&call, &seq)?;
    let login = who.session.account.login.as_str();
    let found = shared.store.wish(wish.0, wish.1).await?.ok_or(ApiError::NoSuchWish)?;
    if found.done_at.is_some() {
        return if found.done_by.as_deref() == Some(login) {
            Ok(StatusCode::NO_CONTENT)
        } else {
            Err(ApiError::WishDone)
        };
    }
    note(&shared, &who.session, Action::WishDone, &wish.0.to_string(), json!({})).await?;
    match shared.store.wish_done(wish, login, Wall(clock::wall_ms())).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::WishTaken),
    }
}

/// The recorded message of a wish as WAV, for whoever has taken it, until it is done; for supervisors at any time. Understands
/// `Range: bytes=`. The playback is noted.
#[utoipa::path(get, path = "/wishes/{call}/{seq}/message", tag = "wishes",
    params(("call" = String, Path, description = "The call", example = "c30117452718080001"),
        ("seq" = i64, Path, description = "With the call it names the wish", example = 5046586572802_i64),
        ("Range" = Option<String>, Header, description = "One range of bytes", example = "bytes=0-1023")),
    responses((status = 200, content_type = "audio/wav", body = Vec<u8>),
        (status = 206, content_type = "audio/wav", body = Vec<u8>),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn message(
    State(shared): State<Shared>,
    who: May<HandleWishes>,
    Path((call, seq)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wish = named(&call, &seq)?;
    let found = shared.store.wish(wish.0, wish.1).await?.ok_or(ApiError::NoSuchWish)?;
    if who.scope() == Scope::Own {
        if found.taken_by.as_deref() != Some(&who.session.account.login) {
            return Err(ApiError::WishTaken);
        }
        if found.done_at.is_some() {
            return Err(ApiError::WishDone);
        }
    }
    let file = found.file.ok_or(ApiError::NoSuchRecording)?;
    recordings::give(&shared, &who.session, (wish.0, file), &headers).await
}

fn named(call: &str, seq: &str) -> Result<(CallId, i64), ApiError> {
    parse_call_id(call).zip(seq.parse().ok()).ok_or(ApiError::NoSuchWish)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_number_shows_too_little_to_be_dialled() {
        for (number, expected) in [
            ("13900001234", "139****1234"),
            ("08162250857", "081****0857"),
            ("2250857", "225****"),
            ("110", "110"),
            ("+8613900001234", "+86*******1234"),
        ] {
            assert_eq!(masked(number), expected);
        }
    }
}
