//! What can go wrong with a request: status, a stable code for programs, a sentence for people in their language.
//!
//! An error leaves its handler as a mark on the response; [`said`] writes the body once the asker's language is known.
//! Internals stay in the log.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::password::{self, Weak};
use crate::center::Refusal;
use crate::store::QueryError;
use crate::store::accounts::{AccountError, Unique};

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ApiError {
    /// No session, or one that is over.
    NotAuthenticated,
    /// Name or password is wrong; nobody is told which.
    WrongCredentials,
    /// Too many wrong passwords.
    LockedOut(Duration),
    /// The password was given by somebody else.
    PasswordMustChange,
    /// The new password is too easy.
    WeakPassword(Weak),
    /// No role of the account has the right.
    NotAllowed,
    /// The confidentiality agreement is not signed.
    ConfidentialityMissing,
    /// A browser sent it from another site's page.
    CrossSite,
    /// Too many requests a second.
    RateLimited,
    /// See the sentence.
    NoSuchPath,
    /// See the sentence.
    WrongMethod,
    /// See the sentence.
    NoSuchCall,
    /// See the sentence.
    NoSuchRecording,
    /// See the sentence.
    NoSuchAccount,
    /// Another account has this.
    Taken(Unique),
    /// The caller lists have no such entry.
    NoSuchEntry,
    /// The number has this mark, or it is proposed.
    AlreadyListed,
    /// The caller lists hold no more.
    ListFull,
    /// Nobody approves what they proposed themselves.
    OwnProposal,
    /// There is no such wish.
    NoSuchWish,
    /// Somebody else, or nobody, has taken the wish.
    WishTaken,
    /// The wish is done already.
    WishDone,
    /// Plan, secrets or prompts have mistakes: the old ones stay.
    ReloadRefused(String),
    /// A version of the plan has mistakes.
    PlanRefused(String),
    /// There is no such version of the plan.
    NoSuchVersion,
    /// It was published: nothing about it changes any more.
    VersionPublished,
    /// Another version takes over from the same one at this moment.
    PublishedMeanwhile,
    /// It has never counted.
    NeverPublished,
    /// It is no call that may be marked as a test.
    NoTestCall,
    /// A second person must approve it first.
    NotApproved,
    /// The account has no seat.
    NoSeat,
    /// The account that everything can be mended with must stay.
    LastAdministrator,
    /// Address or body cannot be understood.
    BadRequest(String),
    /// Longest body.
    TooLong(usize),
    /// Longest address.
    AddressTooLong(usize),
    /// The core refused.
    Refused(Refusal),
    /// Too many requests at a time.
    Busy,
    /// The core does not answer.
    CoreSilent,
    /// The time for a request is over.
    TooSlow,
    /// The database does not answer.
    RecordsUnavailable,
    /// The look would leave no trace.
    AuditUnavailable,
    /// The recording's file cannot be read.
    RecordingUnreadable,
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        tracing::warn!(%error, "a question to the database failed");
        Self::RecordsUnavailable
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Taken(unique) => Self::Taken(unique),
            AccountError::Query(error) => error.into(),
        }
    }
}

/// The language of sentences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    /// Chinese: the console's.
    Chinese,
    /// For whoever does not say, programs above all.
    #[default]
    English,
}

impl Language {
    /// Of `Accept-Language` (RFC 9110 12.5.4): whichever of the two is wanted more, the first named when equal.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(text) = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()) else {
            return Self::default();
        };
        let mut best = (Self::default(), 0.0);
        for part in text.split(',').take(20) {
            let (tag, weight) = part.split_once(';').unwrap_or((part, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let language = match primary.as_str() {
                "zh" => Self::Chinese,
                "en" => Self::English,
                _ => continue,
            };
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }
}

impl ApiError {
    /// Status and stable code.
    pub(super) fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotAuthenticated => (StatusCode::UNAUTHORIZED, "not_authenticated"),
            Self::WrongCredentials => (StatusCode::UNAUTHORIZED, "wrong_credentials"),
            Self::LockedOut(_) => (StatusCode::TOO_MANY_REQUESTS, "locked_out"),
            Self::PasswordMustChange => (StatusCode::FORBIDDEN, "password_must_change"),
            Self::WeakPassword(_) => (StatusCode::UNPROCESSABLE_ENTITY, "weak_password"),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "not_allowed"),
            Self::ConfidentialityMissing => (StatusCode::FORBIDDEN, "confidentiality_missing"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross_site"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no_such_path"),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "wrong_method"),
            Self::NoSuchCall => (StatusCode::NOT_FOUND, "no_such_call"),
            Self::NoSuchRecording => (StatusCode::NOT_FOUND, "no_such_recording"),
            Self::NoSuchAccount => (StatusCode::NOT_FOUND, "no_such_account"),
            Self::Taken(Unique::Login) => (StatusCode::CONFLICT, "login_taken"),
            Self::Taken(Unique::Number) => (StatusCode::CONFLICT, "number_taken"),
            Self::NoSeat => (StatusCode::CONFLICT, "no_seat"),
            Self::NoSuchEntry => (StatusCode::NOT_FOUND, "no_such_entry"),
            Self::AlreadyListed => (StatusCode::CONFLICT, "already_listed"),
            Self::ListFull => (StatusCode::CONFLICT, "list_full"),
            Self::OwnProposal => (StatusCode::CONFLICT, "own_proposal"),
            Self::NoSuchWish => (StatusCode::NOT_FOUND, "no_such_wish"),
            Self::WishTaken => (StatusCode::CONFLICT, "wish_taken"),
            Self::WishDone => (StatusCode::CONFLICT, "wish_done"),
            Self::ReloadRefused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "reload_refused"),
            Self::PlanRefused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "plan_refused"),
            Self::NoSuchVersion => (StatusCode::NOT_FOUND, "no_such_version"),
            Self::VersionPublished => (StatusCode::CONFLICT, "version_published"),
            Self::PublishedMeanwhile => (StatusCode::CONFLICT, "published_meanwhile"),
            Self::NoTestCall => (StatusCode::CONFLICT, "no_test_call"),
            Self::NeverPublished => (StatusCode::CONFLICT, "never_published"),
            Self::NotApproved => (StatusCode::CONFLICT, "not_approved"),
            Self::LastAdministrator => (StatusCode::CONFLICT, "last_administrator"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Self::AddressTooLong(_) => (StatusCode::URI_TOO_LONG, "address_too_long"),
            Self::Refused(refusal) => refused(*refusal),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::CoreSilent => (StatusCode::SERVICE_UNAVAILABLE, "exchange_silent"),
            Self::TooSlow => (StatusCode::GATEWAY_TIMEOUT, "too_slow"),
            Self::RecordsUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "records_unavailable"),
            Self::AuditUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable"),
            Self::RecordingUnreadable => (StatusCode::INTERNAL_SERVER_ERROR, "recording_unreadable"),
        }
    }

    /// The sentence, in English and Chinese.
    fn words(&self) -> (Cow<'static, str>, Cow<'static, str>) {
        let both = |en: &'static str, zh: &'static str| (en.into(), zh.into());
        match self {
            Self::NotAuthenticated => both("sign in first; the session may have ended", "请先登录，或会话已失效"),
            Self::WrongCredentials => both("name or password is wrong", "用户名或密码错误"),
            Self::LockedOut(wait) => (
                format!("too many wrong passwords; try again in {} s", wait.as_secs().max(1)).into(),
                format!("密码错误次数过多，请在 {} 秒后重试", wait.as_secs().max(1)).into(),
            ),
            Self::PasswordMustChange => both("choose a password of your own first", "请先修改初始密码"),
            Self::WeakPassword(weak) => weak_words(*weak),
            Self::NotAllowed => both("your roles do not allow this", "您的角色没有此权限"),
            Self::ConfidentialityMissing => {
                both("citizens' data need a signed confidentiality agreement", "查看市民信息前须先签署保密协议")
            }
            Self::CrossSite => both("this came from a page of another site", "请求来自其他网站，已拒绝"),
            Self::RateLimited => both("too many requests; slow down", "请求过于频繁，请稍后再试"),
            Self::NoSuchPath => both("there is no such path", "路径不存在"),
            Self::WrongMethod => both("this path does not know that method", "该路径不支持此方法"),
            Self::NoSuchCall => both("there is no such call that you may see", "没有您可查看的该通话"),
            Self::NoSuchRecording => both("there is no recording of this call", "该通话没有录音"),
            Self::NoSuchAccount => both("there is no such account", "账号不存在"),
            Self::Taken(Unique::Login) => both("another account has this name", "用户名已被使用"),
            Self::Taken(Unique::Number) => both("another account has this agent number", "工号已被使用"),
            Self::NoSeat => both("no seat is named, and the account has none", "未指定坐席，账号也未分配坐席"),
            Self::NoSuchEntry => {
                both("the caller lists have no such entry that you may change", "来电名单中没有您可处理的该条目")
            }
            Self::AlreadyListed => {
                both("the number has this mark already, or it is proposed", "该号码已有此标记或正待审批")
            }
            Self::ListFull => both("the caller lists are full; take entries away first", "来电名单已满，请先清理"),
            Self::OwnProposal => both("somebody else must approve what you proposed", "不能审批自己提交的条目"),
            Self::NoSuchWish => both("there is no such wish", "没有该留言或回呼请求"),
            Self::WishTaken => {
                both("take the wish first; somebody else may have it", "请先领取，该请求可能已由他人领取")
            }
            Self::WishDone => both("the wish is done already", "该请求已办结"),
            Self::ReloadRefused(report) => (report.clone().into(), format!("未能全部生效：{report}").into()),
            Self::PlanRefused(report) => {
                (format!("the plan has mistakes:\n{report}").into(), format!("拨号方案有误：\n{report}").into())
            }
            Self::NoSuchVersion => both("there is no such version of the plan", "没有该方案版本"),
            Self::VersionPublished => both("this version was published already", "该版本已发布"),
            Self::PublishedMeanwhile => both(
                "another version is published at this moment: look at it, then publish yours",
                "另一版本正在同时发布，请先查看后再发布",
            ),
            Self::NoTestCall => both(
                "only a call over a trunk that ended within the last ten minutes is marked as a test, once",
                "仅可将十分钟内结束的中继来话标记为测试，且只能标记一次",
            ),
            Self::NeverPublished => both("this version has never counted: publish it", "该版本从未发布，请直接发布"),
            Self::NotApproved => both("a second person must approve this version first", "该版本须先由他人审批"),
            Self::LastAdministrator => both("one administrator must remain", "必须保留至少一名管理员"),
            Self::BadRequest(why) => (why.clone().into(), format!("请求有误：{why}").into()),
            Self::TooLong(most) => {
                (format!("the body is longer than {most} bytes").into(), format!("请求体超过 {most} 字节").into())
            }
            Self::AddressTooLong(most) => {
                (format!("the address is longer than {most} bytes").into(), format!("地址超过 {most} 字节").into())
            }
            Self::Refused(refusal) => (refusal.to_string().into(), refusal_in_chinese(*refusal).into()),
            Self::Busy => both("too many requests at a time; try again", "系统繁忙，请重试"),
            Self::CoreSilent => {
                both("the exchange does not answer; it may be shutting down", "交换机无应答，可能正在关闭")
            }
            Self::TooSlow => both("the request took too long", "请求超时"),
            Self::RecordsUnavailable => {
                both("the database does not answer; calls are not affected", "数据库暂不可用，通话不受影响")
            }
            Self::AuditUnavailable => {
                both("nothing is shown while looks cannot be noted", "审计暂不可用，因此不提供查看")
            }
            Self::RecordingUnreadable => both("the recording cannot be read", "录音无法读取"),
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        if let Self::LockedOut(wait) = self {
            return Some(wait.as_secs().max(1));
        }
        let passes = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.kind().0);
        passes.then_some(1)
    }
}

fn refused(refusal: Refusal) -> (StatusCode, &'static str) {
    let absent = matches!(
        refusal,
        Refusal::NoSuchSeat | Refusal::NoSuchSurge | Refusal::NoSuchDestination | Refusal::NoSuchQueue
    );
    let status = if absent { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
    (status, refusal.as_str())
}

fn refusal_in_chinese(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchSeat => "拨号方案中没有该坐席",
        Refusal::NotSignedIn => "该坐席无人签入",
        Refusal::PhoneUnreachable => "该坐席的话机未注册",
        Refusal::SeatTaken { .. } => "该坐席已有他人签入",
        Refusal::AgentElsewhere { .. } => "此人已在其他坐席签入",
        Refusal::InTalk => "对方正在通话，结束后将被签出，请稍后再试",
        Refusal::NoSuchWord => "拨号方案中没有该选项",
        Refusal::ResultMissing => "请先填写通话结果",
        Refusal::NotInWrapUp => "该坐席不在话后整理中",
        Refusal::NoMoreTime => "话后整理不能再延长",
        Refusal::NoCall => "该坐席没有此通话",
        Refusal::SeatBusy => "该坐席正忙",
        Refusal::NoSuchNumber => "该号码无法拨打",
        Refusal::OwnLine => "该号码是本平台的热线",
        Refusal::NoSuchLine => "拨号方案中没有该热线",
        Refusal::Supervised => "已有其他班长在该通话中",
        Refusal::TransferRuns => "已有第三方在通话中",
        Refusal::NoTransfer => "通话中没有可操作的第三方",
        Refusal::NoSuchDestination => "拨号方案中没有该转接目的地",
        Refusal::NoSuchQueue => "拨号方案中没有该队列",
        Refusal::NobodyFree => "该队列目前无人空闲",
        Refusal::NotReached => "目前无法接通对方",
        Refusal::ReasonMissing => "请先选择转接原因",
        Refusal::NoSuchSurge => "拨号方案中没有该应急方案",
        Refusal::NotAccepting => "目前不接受新的通话",
    }
}

fn weak_words(weak: Weak) -> (Cow<'static, str>, Cow<'static, str>) {
    match weak {
        Weak::Short => (
            format!("a password has at least {} characters", password::SHORTEST).into(),
            format!("密码至少 {} 个字符", password::SHORTEST).into(),
        ),
        Weak::Long => (
            format!("a password has at most {} bytes", password::LONGEST).into(),
            format!("密码最多 {} 字节", password::LONGEST).into(),
        ),
        Weak::Guessable => ("the password is too easy to guess".into(), "密码过于简单".into()),
        Weak::Same => ("the new password is the old one".into(), "新密码不能与旧密码相同".into()),
    }
}

/// Body of every refusal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ErrorBody {
    /// What went wrong.
    pub(super) error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// Stable word for programs.
    #[schema(example = "phone_unreachable")]
    pub(super) code: Cow<'static, str>,
    /// Sentence for people, in the language of `Accept-Language` (zh or en).
    #[schema(example = "the seat's phone is not registered")]
    pub(super) message: Cow<'static, str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.kind().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a refusal in the asker's language; leaves other responses as they are.
pub(super) fn said(mut response: Response, language: Language) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let (status, code) = error.kind();
    let (english, chinese) = error.words();
    let message = if language == Language::Chinese { chinese } else { english };
    let mut said = (status, Json(ErrorBody { error: ErrorDetail { code: code.into(), message } })).into_response();
    let headers = said.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after_s() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_wanted_most() {
        for (text, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB, zh;q=0.5", Language::English),
            ("fr, zh;q=0.1", Language::Chinese),
            ("zh;q=0.2, en;q=0.9", Language::English),
            ("zh;q=0", Language::English),
            ("fr", Language::English),
            (";;,,q=", Language::English),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(text))]);
            assert_eq!(Language::of(&headers), expected, "{text}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }
}
