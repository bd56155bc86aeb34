//! What a request brings, with our own refusals in place of the framework's.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Shared;
use super::error::ApiError;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, ApiError> {
        let read: Result<Json<T>, JsonRejection> = Json::from_request(request, shared).await;
        read.map(|Json(body)| Self(body)).map_err(|e| ApiError::BadRequest(e.body_text()))
    }
}

/// The parameters behind the question mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, shared).await;
        read.map(|Query(params)| Self(params)).map_err(|e| ApiError::BadRequest(e.body_text()))
    }
}

/// A text of a person: neither empty nor long, and without control characters (PostgreSQL takes no NUL).
pub(super) fn plain(what: &str, text: &str, most: usize) -> Result<(), ApiError> {
    if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(ApiError::BadRequest(format!("{what}: 1 to {most} characters, none of them control characters")));
    }
    Ok(())
}
