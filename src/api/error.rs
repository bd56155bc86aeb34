//! What can go wrong with a request: status, a stable code for programs, a sentence for people. Internals stay in the log.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::center::Refusal;
use crate::store::QueryError;

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("this needs the token: send `Authorization: Bearer <content of the file token>`")]
    NoToken,
    #[error("there is no such path")]
    NoSuchPath,
    #[error("this path does not know that method")]
    WrongMethod,
    #[error("there is no record of this call; records follow within a second")]
    NoSuchCall,
    #[error("{0}")]
    BadQuery(String),
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the address is longer than {0} bytes")]
    AddressTooLong(usize),
    #[error("{0}")]
    Refused(Refusal),
    #[error("too many requests at a time; try again")]
    Busy,
    #[error("the exchange does not answer; it may be shutting down")]
    CoreSilent,
    #[error("the request took too long")]
    TooSlow,
    #[error("records cannot be read at the moment; calls are not affected")]
    Records(#[from] QueryError),
}

impl ApiError {
    /// Status and stable code.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no_token"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no_such_path"),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "wrong_method"),
            Self::NoSuchCall => (StatusCode::NOT_FOUND, "no_such_call"),
            Self::BadQuery(_) => (StatusCode::BAD_REQUEST, "bad_query"),
            Self::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Self::AddressTooLong(_) => (StatusCode::URI_TOO_LONG, "address_too_long"),
            Self::Refused(refusal) if *refusal == Refusal::NoSuchSeat => (StatusCode::NOT_FOUND, refusal.as_str()),
            Self::Refused(refusal) => (StatusCode::CONFLICT, refusal.as_str()),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::CoreSilent => (StatusCode::SERVICE_UNAVAILABLE, "exchange_silent"),
            Self::TooSlow => (StatusCode::GATEWAY_TIMEOUT, "too_slow"),
            Self::Records(_) => (StatusCode::SERVICE_UNAVAILABLE, "records_unavailable"),
        }
    }
}

#[derive(Serialize)]
struct Body {
    error: Detail,
}

#[derive(Serialize)]
struct Detail {
    code: &'static str,
    message: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.kind();
        if let Self::Records(error) = &self {
            tracing::warn!(%error, "a question to the records failed");
        }
        let body = Json(Body { error: Detail { code, message: self.to_string() } });
        match status {
            StatusCode::UNAUTHORIZED => (status, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response(),
            StatusCode::SERVICE_UNAVAILABLE => (status, [(header::RETRY_AFTER, "1")], body).into_response(),
            _ => (status, body).into_response(),
        }
    }
}
